//! The binary `dialtone`: an IP-PBX and SIP server, and the commands that administer it.
//!
//! Above all other crates. [`drive`] is the loop round the core; everything else prepares it,
//! looks at it, or asks it for something.

mod anew;
mod board;
mod cli;
mod clock;
mod config;
mod drive;
mod ladder;
mod logs;
mod machine;
mod mask;
mod memory;
mod metrics;
mod office;
mod private;
#[cfg(feature = "provoked-faults")]
mod provoke;
mod ring;
mod running;
mod serve;
mod verdict;
mod watch;

/// Gives memory back to the system after a peak, also what one thread allocated and another freed:
/// the C library keeps it for good, in an arena for each thread. It is quicker, too.
// Tests count what is allocated, by an allocator of their own.
#[cfg(not(test))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
