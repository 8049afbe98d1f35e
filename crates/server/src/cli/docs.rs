//! `dialtone docs`: the pages of documentation that are generated from the code.

use super::Result;
use super::output::Output;
use crate::config;

#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum Page {
    Configuration,
}

pub(super) fn run(page: Page, output: &mut Output) -> Result<()> {
    match page {
        Page::Configuration => output.line(&config::reference()),
    }
}
