//! The rows of the table.

mod calls;
mod memory;
mod packets;
mod registers;

use anyhow::Result;

use crate::table::Figure;

/// What one row shows and how it is measured.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn() -> Result<Vec<Figure>>,
}

/// Every figure is the median of so many runs.
const RUNS: usize = 3;

pub(crate) const ALL: &[Row] = &[
    Row {
        name: "registers",
        about: "one REGISTER with its challenge, CPU of the server",
        run: registers::run,
    },
    Row {
        name: "calls",
        about: "one challenged call without media (INVITE, 180, 200 after 30 ms, ACK, BYE), CPU of the server",
        run: calls::run,
    },
    Row {
        name: "packets",
        about: "one relayed packet of G.711, CPU of the server",
        run: packets::run,
    },
    Row { name: "memory", about: "proportional memory of the process tree", run: memory::run },
];
