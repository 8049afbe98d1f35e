//! The cases of the `interop` program, in the order they run.

mod access;
mod api;
mod attacks;
mod backup;
mod browser;
mod calls;
mod carrier;
mod cli;
mod digits;
mod doctor;
mod enumeration;
mod events;
mod explained;
mod failover;
mod flood;
mod framing;
mod joined;
mod left_out;
mod manual;
mod media;
mod names;
mod offices;
mod phones;
mod placed;
mod relay;
mod restart;
mod scripted;
mod setup;
mod thousand;
mod torture;
mod webhooks;

use crate::report::Case;

macro_rules! cases {
    ($($module:ident: $($name:ident)*;)*) => {
        /// All of them. To add one, add its function to its file and its name here.
        pub const ALL: &[Case] = &[
            $($(Case { name: stringify!($name), run: $module::$name },)*)*
        ];
    };
}

cases! {
    phones: call_udp call_tcp call_ipv6 silence_without_relay;
    relay: relay_never relay_auto_direct relay_auto_needed;
    thousand: thousand_users;
    calls: two_devices second_address hold_and_resume busy_limits ports_exhausted caller_identity cancel echo;
    media: relay_two_ways media_bleed media_injection rtcp_bye;
    torture: torture_udp torture_tcp torture_memory;
    framing: framing_lies framing_half framing_pipelined;
    enumeration: enumeration;
    attacks: digest_replay digest_binding digest_sha256 amplification junk overflows description_bombs
        dialog_hijack idle_connections scanners;
    flood: flood;
    carrier: line_at_kamailio line_at_dialtone;
    names: srv_failover doctor_of_names;
    offices: two_offices hub;
    digits: info_to_events;
    explained: failed_calls_explained;
    events: events_of_a_call;
    webhooks: webhook_of_a_call;
    placed: placed_call compatible;
    failover: trunk_failover trunk_alternatives;
    cli: cli_online cli_offline cli_codes;
    manual: manual_commands;
    access: set_up_and_sign_in api_keys;
    api: api_schemathesis;
    left_out: api_left_out;
    backup: backup_and_restore;
    doctor: doctor_findings carrier_challenges;
    browser: browser_first_minute browser_pages browser_hostile browser_live browser_board browser_crud
        browser_machine;
    scripted: browser_simulator browser_safety browser_tour;
    restart: registrations_survive crash_ends_calls lost_connection terminate;
}
