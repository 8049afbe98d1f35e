//! `dialtone check-config`: the effective configuration with the source of each value.

use super::output::{Output, table};
use super::{Common, Result};
use crate::config;
use pbx::text;
use std::path::PathBuf;

pub(super) fn run(common: &Common, file: Option<PathBuf>, output: &mut Output) -> Result<()> {
    let mut common = common.clone();
    common.config = file.or(common.config);
    let loaded = common.load()?;
    output.show(&config::effective(&loaded), |shown, language| {
        let row = |it: &config::Shown| {
            let source = config::source_text(&it.source);
            vec![it.key.to_owned(), it.value.clone(), source.get(language).to_owned()]
        };
        let rows: Vec<_> = shown.iter().map(row).collect();
        let read = |it: &PathBuf| {
            let path = it.display();
            text!("read {path}\n", "已读取{path}\n").get(language).to_owned()
        };
        let files: String = loaded.files.iter().map(read).collect();
        let columns = [("KEY", "配置项"), ("VALUE", "值"), ("FROM", "来源")];
        files + &table(language, &columns, &rows)
    })
}
