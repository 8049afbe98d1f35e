//! `/metrics` in the text format of Prometheus, from counters that others publish.
//!
//! Names follow the trade: prefix `dialtone_`, base units, `_total` for what only grows, and no
//! caller's number, address or call id in a label.

mod calls;
mod outside;

use pbx::counters::{Counters, Histogram, JITTER_MS, METHODS, MOS, UNREAD};
use pbx::line::live::LineStatus;
use pbx::trunk::live::TrunkStatus;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use store::StoreMetrics;
use store::journal::State;

/// The core thread's own counts, beside those of the core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) streams: net::Counters,
    /// Connections that are open now.
    pub(crate) open: u64,
    /// Datagrams longer than any message may be.
    pub(crate) oversize: u64,
    /// Messages not sent because a buffer was full or a connection gone.
    pub(crate) dropped: u64,
    /// Messages the kernel refused to send.
    pub(crate) refused: u64,
    /// Messages copied into the ring: those received, those sent.
    pub(crate) traced: [u64; 2],
    /// New work is refused now and then.
    pub(crate) overloaded: bool,
}

/// A core thread that has not taken a turn for this long is stuck: idle, it takes one a second.
const STUCK: Duration = Duration::from_secs(10);

/// The newest counts of the core thread, and its sign of life.
pub(crate) struct Published {
    newest: Mutex<(Counters, Wire)>,
    made_at: Instant,
    /// Its last turn, in milliseconds after `made_at`.
    turned_ms: AtomicU64,
}

/// Everything that is rendered besides what the core thread publishes.
pub(crate) struct Surroundings {
    pub(crate) uptime: Duration,
    pub(crate) media: media::Totals,
    /// `None` while the server ends.
    pub(crate) store: Option<StoreMetrics>,
    /// Calls now, by [`pbx::counters::DIRECTIONS`].
    pub(crate) calls_active: [u64; 3],
    pub(crate) lines: Vec<LineStatus>,
    pub(crate) trunks: Vec<TrunkStatus>,
    pub(crate) events_dropped: u64,
    /// Wrong passwords, codes and keys of pages and the API.
    pub(crate) http_auth_failures: u64,
    pub(crate) disk_free_bytes: Option<u64>,
    pub(crate) process: Process,
}

/// What the kernel says of this process.
#[derive(Default)]
pub(crate) struct Process {
    pub(crate) resident_bytes: u64,
    pub(crate) cpu_seconds: f64,
    pub(crate) open_files: u64,
    pub(crate) threads: u64,
}

impl Published {
    pub(crate) fn new(now: Instant) -> Self {
        Self { newest: Mutex::default(), made_at: now, turned_ms: AtomicU64::new(0) }
    }

    /// The core thread takes a turn.
    pub(crate) fn turn(&self, now: Instant) {
        self.turned_ms.store(pbx::time::millis(now - self.made_at), Ordering::Relaxed);
    }

    /// Whether the core thread took a turn within [`STUCK`].
    pub(crate) fn is_alive(&self, now: Instant) -> bool {
        let turned = Duration::from_millis(self.turned_ms.load(Ordering::Relaxed));
        now.saturating_duration_since(self.made_at + turned) <= STUCK
    }

    /// Replaces the counts unless somebody reads them right now; the core thread never waits.
    pub(crate) fn offer(&self, counters: &Counters, wire: Wire) -> bool {
        let mut newest = match self.newest.try_lock() {
            Ok(newest) => newest,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        newest.0.clone_from(counters);
        newest.1 = wire;
        true
    }

    pub(crate) fn newest(&self) -> (Counters, Wire) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The page.
pub(crate) fn render(counters: &Counters, wire: &Wire, around: &Surroundings) -> String {
    let mut page = Page::default();
    process(&mut page, around);
    signalling(&mut page, counters, wire, around);
    calls::calls(&mut page, counters, around.calls_active);
    outside::lines(&mut page, &around.lines);
    outside::trunks(&mut page, &around.trunks);
    media(&mut page, counters, &around.media);
    durability(&mut page, around);
    page.text
}

fn process(page: &mut Page, around: &Surroundings) {
    page.gauge("build_info", "Always 1; the label says which version runs.");
    page.labelled("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.one("gauge", "uptime_seconds", "Time since the start.", around.uptime.as_secs_f64());
    let it = &around.process;
    page.one("gauge", "process_resident_bytes", "Memory in use.", it.resident_bytes);
    page.one("counter", "process_cpu_seconds_total", "CPU time, user and system.", it.cpu_seconds);
    page.one("gauge", "process_open_files", "Open file descriptors.", it.open_files);
    page.one("gauge", "process_threads", "Threads.", it.threads);
}

fn signalling(page: &mut Page, counters: &Counters, wire: &Wire, around: &Surroundings) {
    page.counter("sip_requests_total", "SIP requests.");
    for (direction, counts) in [("in", &counters.requests_in), ("out", &counters.requests_out)] {
        for (transport, counts) in ["udp", "tcp"].iter().zip(counts) {
            for (method, count) in METHODS.iter().zip(counts) {
                let labels =
                    [("method", *method), ("transport", transport), ("direction", direction)];
                page.labelled("sip_requests_total", &labels, count);
            }
        }
    }
    page.counter("sip_responses_total", "SIP responses by the class of their status.");
    for (direction, counts) in [("in", &counters.responses_in), ("out", &counters.responses_out)] {
        for (class, counts) in ["1xx", "2xx", "3xx", "4xx", "5xx", "6xx"].iter().zip(counts) {
            for (method, count) in METHODS.iter().zip(counts) {
                let labels = [("method", *method), ("code", class), ("direction", direction)];
                page.labelled("sip_responses_total", &labels, count);
            }
        }
    }
    #[rustfmt::skip]
    let rows = [
        ("counter", "sip_retransmits_total", "Messages sent again.", counters.retransmits_out),
        ("counter", "sip_throttled_total", "Messages passed over because their source had no token.", counters.throttled),
        ("counter", "sip_shed_total", "New calls and registrations refused because messages came too fast.", counters.shed),
        ("gauge", "sip_overloaded", "1 while new calls and registrations are refused now and then, and 5 s longer.", u64::from(wire.overloaded)),
        ("counter", "sip_challenges_total", "Requests answered with 401.", counters.challenges),
        ("gauge", "sip_transactions_active", "Transactions now.", counters.transactions_active),
        ("gauge", "sip_timers", "Timers now.", counters.timers),
        ("counter", "sip_oversize_datagrams_total", "Datagrams longer than a message may be.", wire.oversize),
        ("counter", "sip_send_dropped_total", "Messages not sent: buffer full or connection gone.", wire.dropped),
        ("counter", "sip_send_refused_total", "Messages the system refused to send.", wire.refused),
        ("gauge", "sip_connections", "Open TCP connections.", wire.open),
        ("counter", "sip_connections_accepted_total", "TCP connections accepted.", wire.streams.accepted),
        ("counter", "sip_connections_refused_total", "TCP connections closed at once: a limit was reached.", wire.streams.refused_total + wire.streams.refused_source),
        ("counter", "sip_accept_errors_total", "TCP connections that could not be accepted, mostly for want of file descriptors.", wire.streams.accept_errors),
        ("counter", "internal_faults_total", "Inputs that made the core fail.", counters.faults),
        ("gauge", "registrations_active", "Registered devices now.", counters.registrations_active),
    ];
    for (kind, name, help, value) in rows {
        page.one(kind, name, help, value);
    }
    page.counter("sip_parse_errors_total", "Messages that could not be read.");
    for (reason, count) in UNREAD.iter().zip(counters.parse_errors) {
        page.labelled("sip_parse_errors_total", &[("reason", reason)], count);
    }
    page.counter("trace_messages_total", "SIP messages copied into the ring of `trace`.");
    for (direction, count) in ["in", "out"].iter().zip(wire.traced) {
        page.labelled("trace_messages_total", &[("direction", direction)], count);
    }
    page.counter("auth_failures_total", "Wrong, replayed or refused credentials.");
    page.labelled("auth_failures_total", &[("proto", "sip")], counters.auth_failures);
    page.labelled("auth_failures_total", &[("proto", "http")], around.http_auth_failures);
    page.counter("registrations_total", "REGISTER requests with credentials.");
    page.labelled("registrations_total", &[("result", "ok")], counters.registrations_ok);
    page.labelled("registrations_total", &[("result", "refused")], counters.registrations_refused);
}

fn media(page: &mut Page, counters: &Counters, totals: &media::Totals) {
    #[rustfmt::skip]
    let rows = [
        ("gauge", "media_sessions_active", "Media sessions now.", totals.sessions),
        ("gauge", "media_ports_used", "Port pairs that calls hold.", counters.ports_leased),
        ("gauge", "media_ports_resting", "Port pairs that rest after a call.", totals.pairs_resting),
        ("gauge", "media_ports_free", "Port pairs that are bound and free.", counters.ports_free),
        ("counter", "media_one_way_total", "Answered calls in which one side alone was heard.", counters.media_one_way),
        ("counter", "rtp_lost_total", "RTP packets missing by their sequence numbers.", counters.rtp_lost_in),
        ("counter", "rtp_refused_total", "Packets from sources that do not qualify.", totals.refused),
        ("counter", "rtp_limited_total", "Packets above the limit of one transport.", totals.limited),
        ("counter", "rtp_unsent_total", "Packets the system would not send.", totals.unsent),
    ];
    for (kind, name, help, value) in rows {
        page.one(kind, name, help, value);
    }
    page.counter("rtp_packets_total", "RTP and RTCP packets relayed.");
    page.labelled("rtp_packets_total", &[("direction", "in")], totals.packets_in);
    page.labelled("rtp_packets_total", &[("direction", "out")], totals.packets_out);
    let help = "Interarrival jitter of each side of ended calls.";
    page.histogram("rtp_jitter_seconds", help, &JITTER_MS, &counters.jitter_ms);
    let help = "How well each side of ended calls could be heard, from 1 to 5, by loss and jitter.";
    page.histogram("call_mos", help, &MOS, &counters.mos);
}

fn durability(page: &mut Page, around: &Surroundings) {
    if let Some(it) = &around.store {
        let full = u8::from(it.state == State::Full);
        #[rustfmt::skip]
        let rows = [
            ("counter", "journal_records_total", "Facts written to the journal.", it.written),
            ("gauge", "journal_unsynced_records", "Facts a power cut would lose.", it.written.saturating_sub(it.synced)),
            ("gauge", "journal_behind_records", "Facts not yet in the database.", it.lag),
            ("gauge", "journal_spooled_bytes", "Facts that wait in memory for the disk.", it.spooled_bytes),
            ("gauge", "journal_full", "1 while nothing more can be promised.", full.into()),
            ("gauge", "journal_disk_full", "1 while no further segment can be allocated.", it.disk_full.into()),
            ("counter", "journal_lost_total", "Facts lost; anything but 0 is an alarm.", it.lost),
            ("counter", "journal_missing_total", "Facts that damage made unreadable.", it.missing),
            ("counter", "journal_sync_errors_total", "Failed syncs.", it.sync_errors),
            ("counter", "projection_failures_total", "Failed writes to the database.", it.projection_failures),
        ];
        for (kind, name, help, value) in rows {
            page.one(kind, name, help, value);
        }
    }
    let help = "Events the board did not get in time.";
    page.one("counter", "events_dropped_total", help, around.events_dropped);
    if let Some(bytes) = around.disk_free_bytes {
        page.gauge("disk_free_bytes", "Free space of the data directory.");
        page.labelled("disk_free_bytes", &[("path", "data")], bytes);
    }
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn one(&mut self, kind: &str, name: &str, help: &str, value: impl std::fmt::Display) {
        self.head(kind, name, help);
        self.labelled(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str) {
        self.head("counter", name, help);
    }

    fn gauge(&mut self, name: &str, help: &str) {
        self.head("gauge", name, help);
    }

    /// Of thousandths, as milliseconds are of seconds.
    fn histogram<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        limits: &[u64; N],
        it: &Histogram<N>,
    ) {
        self.head("histogram", name, help);
        let whole = |thousandths: u64| Duration::from_millis(thousandths).as_secs_f64();
        let limits = limits.iter().map(|it| whole(*it).to_string());
        let limits = limits.chain(["+Inf".to_owned()]);
        let mut count = 0;
        for (limit, up_to) in limits.zip(it.up_to()) {
            self.labelled(&format!("{name}_bucket"), &[("le", &limit)], up_to);
            count = up_to;
        }
        self.labelled(&format!("{name}_sum"), &[], whole(it.sum()));
        self.labelled(&format!("{name}_count"), &[], count);
    }

    fn head(&mut self, kind: &str, name: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = write!(self.text, "# HELP dialtone_{name} {help}\n# TYPE dialtone_{name} {kind}\n");
    }

    /// The values of labels are ours, so none needs escaping.
    fn labelled(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "dialtone_{name}{labels} {value}");
    }
}

impl Process {
    /// Reads `/proc/self`; zeroes where there is none.
    pub(crate) fn read() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let (resident_bytes, threads) = parse_status(&read("/proc/self/status"));
        Self {
            resident_bytes,
            threads,
            cpu_seconds: parse_cpu(&read("/proc/self/stat")),
            open_files: open_files(),
        }
    }
}

/// Since Linux 6.2 the folder's size is their number; to list thousands of media ports at each look
/// costs milliseconds.
fn open_files() -> u64 {
    const FOLDER: &str = "/proc/self/fd";
    match std::fs::metadata(FOLDER).map(|it| it.len()) {
        Ok(0) => std::fs::read_dir(FOLDER).map_or(0, |it| it.count() as u64),
        Ok(count) => count,
        Err(_) => 0,
    }
}

/// Resident bytes and threads of `/proc/self/status`.
fn parse_status(text: &str) -> (u64, u64) {
    let field = |name: &str| {
        let line = text.lines().find_map(|it| it.strip_prefix(name));
        line.and_then(|it| it.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    (field("VmRSS:") * 1024, field("Threads:"))
}

/// User and system time of `/proc/self/stat`, whose ticks are hundredths of a second on Linux.
fn parse_cpu(text: &str) -> f64 {
    // The second field is the name in parentheses, which may hold spaces.
    let rest = text.rsplit(')').next().unwrap_or_default();
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|it| it.parse::<u32>().ok()).sum();
    f64::from(ticks) / 100.0
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pbx::counters::SETUP_MS;
    use pbx::id::TenantId;
    use pbx::language::Text;
    use pbx::line::live::Said;
    use pbx::line::register::Standing;
    use pbx::time::UnixMillis;
    use pbx::trunk::live::ServerStatus;
    use std::collections::BTreeSet;

    pub(crate) fn line() -> LineStatus {
        let said = |ms| Some(Said { at: UnixMillis(ms), what: Text::same("") });
        LineStatus {
            tenant: TenantId::default(),
            account: "5678".into(),
            standing: Standing::Registered,
            since: Some(UnixMillis(2_000)),
            until: Some(UnixMillis(9_000)),
            target: None,
            last_request: said(1_500),
            last_answer: said(2_000),
            next_at: None,
            trouble: None,
            calls_in: 0,
            calls_out: 3,
            limit_hits: 4,
        }
    }

    pub(crate) fn trunk() -> TrunkStatus {
        let address = "127.0.0.1:5060".parse().unwrap();
        let of = |configured, address, up| ServerStatus {
            configured,
            address,
            up,
            next: false,
            last_answer: None,
        };
        let servers = vec![of(0, None, true), of(1, Some(address), false)];
        TrunkStatus {
            tenant: TenantId::default(),
            id: 1,
            servers,
            trouble: None,
            calls_in: 2,
            calls_out: 0,
        }
    }

    fn around() -> Surroundings {
        Surroundings {
            uptime: Duration::from_secs(5),
            media: media::Totals::default(),
            store: Some(StoreMetrics {
                state: State::Spooling { bytes: 7 },
                written: 12,
                synced: 10,
                projected: 9,
                lag: 3,
                spooled_bytes: 7,
                disk_full: false,
                sync_errors: 0,
                projection_failures: 0,
                lost: 0,
                missing: 0,
            }),
            calls_active: [2, 0, 1],
            lines: vec![line()],
            trunks: vec![trunk()],
            events_dropped: 0,
            http_auth_failures: 6,
            disk_free_bytes: Some(1000),
            process: Process::default(),
        }
    }

    #[test]
    fn a_core_thread_without_turns_is_noticed() {
        let start = crate::clock::now().instant;
        let at = |seconds| start + Duration::from_secs(seconds);
        let published = Published::new(start);
        published.turn(at(5));
        assert!(published.is_alive(at(15)));
        assert!(!published.is_alive(at(16)));
        published.turn(at(17));
        assert!(published.is_alive(at(18)));
    }

    #[test]
    fn counts_appear_under_their_names() {
        let mut counters = Counters { media_one_way: 9, ..Counters::default() };
        counters.calls[1][4] = 6;
        counters.responses_in[3][0] = 5;
        counters.parse_errors[1] = 7;
        counters.call_setup_ms.add(&SETUP_MS, 700);
        counters.mos.add(&MOS, 4_100);
        counters.requests_in[1][0] = 8;
        counters.releases.0[0] = 2;
        let wire = Wire { traced: [5, 6], ..Wire::default() };
        let page = render(&counters, &wire, &around());
        for line in [
            "dialtone_trace_messages_total{direction=\"out\"} 6",
            "dialtone_calls_active{direction=\"outgoing\"} 1",
            "dialtone_calls_total{direction=\"incoming\",result=\"failed\"} 6",
            "dialtone_call_setup_seconds_bucket{le=\"0.5\"} 0",
            "dialtone_call_setup_seconds_bucket{le=\"1\"} 1",
            "dialtone_call_setup_seconds_bucket{le=\"+Inf\"} 1",
            "dialtone_call_setup_seconds_sum 0.7",
            "dialtone_call_setup_seconds_count 1",
            "dialtone_call_mos_bucket{le=\"4.03\"} 0",
            "dialtone_call_mos_bucket{le=\"4.34\"} 1",
            "dialtone_call_mos_sum 4.1",
            "dialtone_media_one_way_total 9",
            "dialtone_auth_failures_total{proto=\"http\"} 6",
            "dialtone_line_limit_hits_total{line=\"5678\"} 4",
            "dialtone_sip_responses_total{method=\"INVITE\",code=\"4xx\",direction=\"in\"} 5",
            "dialtone_sip_parse_errors_total{reason=\"framing\"} 7",
            "dialtone_sip_requests_total{method=\"INVITE\",transport=\"tcp\",direction=\"in\"} 8",
            "dialtone_release_total{code=\"caller.hangup\"} 2",
            "dialtone_line_registered{line=\"5678\"} 1",
            "dialtone_line_register_seconds{line=\"5678\"} 0.5",
            "dialtone_line_calls_active{line=\"5678\",direction=\"out\"} 3",
            "dialtone_trunk_up{trunk=\"1\"} 0",
            "dialtone_trunk_calls_active{trunk=\"1\",direction=\"in\"} 2",
            "dialtone_journal_unsynced_records 2",
            "dialtone_journal_behind_records 3",
            "dialtone_journal_spooled_bytes 7",
            "dialtone_uptime_seconds 5",
            "dialtone_disk_free_bytes{path=\"data\"} 1000",
        ] {
            assert!(page.lines().any(|it| it == line), "{line} is missing");
        }
    }

    #[test]
    fn the_page_is_well_formed() {
        let page = render(&Counters::default(), &Wire::default(), &around());
        let mut types = BTreeSet::new();
        let mut samples = BTreeSet::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let name = rest.split(' ').next().unwrap();
                assert!(types.insert(name.to_owned()), "{name} is declared twice");
                assert_eq!(name.ends_with("_total"), rest.ends_with("counter"), "{rest}");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(samples.insert(series.to_owned()), "{series} stands twice");
                let name = series.split('{').next().unwrap();
                let parts = ["_bucket", "_sum", "_count"];
                let name = parts.iter().find_map(|it| name.strip_suffix(it)).unwrap_or(name);
                assert!(types.contains(name), "{name} has no type");
            }
        }
    }

    #[test]
    fn the_process_is_read_from_the_kernels_files() {
        let status = "Name:\tdialtone\nVmRSS:\t   2048 kB\nThreads:\t7\n";
        assert_eq!(parse_status(status), (2048 * 1024, 7));
        let stat = "1 (dial tone) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 7 0";
        assert!((parse_cpu(stat) - 3.0).abs() < f64::EPSILON);
    }
}
