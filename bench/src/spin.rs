//! A program that only burns its core, so that a server beside it has less of it.

use std::hint;
use std::process::{Child, Command, Stdio};

use anyhow::Result;

use crate::SPIN;

/// Ends when dropped.
pub(crate) struct Spinning(Child);

impl Spinning {
    pub(crate) fn start() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        Ok(Self(command.arg(SPIN).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?))
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program itself.
pub(crate) fn spin() -> ! {
    loop {
        hint::spin_loop();
    }
}
