//! The faults of the `faults` program, in the order they run.

mod clock_step;
mod crash;
mod database;
mod disk;
mod dns;
mod office;
mod spool;
mod starts_anew;
mod stop;

use crate::report::Case;

/// All of them. To add one, add its file and its name here.
pub const ALL: &[Case] = &[
    Case { name: "crash", run: crash::crash },
    Case { name: "database_locked", run: database::database_locked },
    Case { name: "disk_full", run: disk::disk_full },
    Case { name: "spool_full", run: spool::spool_full },
    Case { name: "starts_anew", run: starts_anew::starts_anew },
    Case { name: "clock_step", run: clock_step::clock_step },
    Case { name: "dns", run: dns::dns },
    Case { name: "stop", run: stop::stop },
];
