//! Threads that are missed: one that a fault ends tells somebody who can do something about it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::JoinHandle;

/// Starts a thread. `lost` hears its name, on that thread, where a fault ends it; what the fault was, the panic hook has
/// told.
pub fn spawn(
    name: &'static str,
    lost: impl FnOnce(&'static str) + Send + 'static,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nothing of it is seen again.
        if let Err(fault) = catch_unwind(AssertUnwindSafe(run)) {
            lost(name);
            resume_unwind(fault);
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn only_a_thread_that_a_fault_ends_is_missed() {
        type Run = fn();
        let table: [(Run, Option<&str>); 2] = [(|| {}, None), (|| panic!("meant"), Some("a"))];
        for (run, expected) in table {
            let (told, lost) = sync_channel(1);
            let thread = spawn("a", move |name| told.send(name).unwrap(), run).unwrap();
            assert_eq!(thread.join().is_err(), expected.is_some());
            assert_eq!(lost.iter().collect::<Vec<_>>(), Vec::from_iter(expected));
        }
    }
}
