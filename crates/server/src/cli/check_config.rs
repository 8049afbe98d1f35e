//! `dialtone check-config`: the effective configuration with the source of each value.

use super::output::{Output, table};
use super::{Common, Result};
use crate::config;
use std::path::PathBuf;

pub(super) fn run(common: &Common, file: Option<PathBuf>, output: &mut Output) -> Result<()> {
    let mut common = common.clone();
    common.config = file.or(common.config);
    let loaded = common.load()?;
    output.show(&config::effective(&loaded), |shown| {
        let row = |it: &config::Shown| vec![it.key.to_owned(), it.value.clone(), it.source.clone()];
        let rows: Vec<_> = shown.iter().map(row).collect();
        let files = loaded.files.iter().map(|it| format!("read {}\n", it.display()));
        files.collect::<String>() + &table(&["KEY", "VALUE", "FROM"], &rows)
    })
}
