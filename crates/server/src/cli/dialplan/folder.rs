//! Where the CSV files of the dial plan are: a folder with one for each table, or a single one.

use super::STANDARD;
use super::csv::{self, CsvFile, TABLES};
use crate::cli::{Exit, Failed, Result};
use pbx::dialplan::Tables;
use pbx::dialplan::lint::finding::TableName;
use pbx::text;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use web::nearest::nearest;

const EXTENSION: &str = "csv";

/// Whether the path is of CSV and not of TOML.
pub(super) fn is_csv(path: &Path) -> bool {
    path.extension().is_some_and(|it| it.eq_ignore_ascii_case(EXTENSION)) || path.is_dir()
}

/// A new file of each table in the folder, which is made where it does not exist.
pub(super) fn write(tables: &Tables, folder: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).map_err(|it| Failed::at(Exit::Refused, folder, &it))?;
    let paths = TABLES.map(|it| (it, folder.join(it.as_str()).with_extension(EXTENSION)));
    // All of them or none.
    if let Some((_, path)) = paths.iter().find(|it| it.1.exists()) {
        let exists = std::io::ErrorKind::AlreadyExists.into();
        return Err(Failed::at(Exit::Refused, path, &exists));
    }
    for (table, path) in &paths {
        write_new(path, &csv::write(tables, *table)?)?;
    }
    Ok(paths.into_iter().map(|it| it.1).collect())
}

/// No file is written over.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let create = OpenOptions::new().write(true).create_new(true).open(path);
    let written = create.and_then(|mut it| it.write_all(bytes));
    written.map_err(|it| Failed::at(Exit::Refused, path, &it))
}

/// The files of a folder, or one file, which is of the table it is named after unless another is given.
pub(super) fn read(path: &Path, table: Option<TableName>) -> Result<Vec<CsvFile>> {
    if !path.is_dir() {
        return Ok(vec![read_file(path, table.or_else(|| named(path)))?]);
    }
    let entries = fs::read_dir(path).map_err(|it| Failed::at(Exit::NotFound, path, &it))?;
    let mut paths = vec![];
    for entry in entries {
        let entry = entry.map_err(|it| Failed::at(Exit::Failed, path, &it))?.path();
        paths.extend(Some(entry).filter(|it| is_csv(it) && it.is_file()));
    }
    paths.sort();
    if paths.is_empty() {
        let path = path.display();
        let what = text!(
            "{path} has no CSV file of a table, as called.csv",
            "{path}中没有表的CSV文件，例如called.csv"
        );
        return Err(Failed::new(Exit::NotFound, what));
    }
    paths.iter().map(|it| read_file(it, named(it))).collect()
}

fn named(path: &Path) -> Option<TableName> {
    let stem = path.file_stem().and_then(OsStr::to_str)?;
    TABLES.into_iter().find(|it| it.as_str() == stem)
}

fn read_file(path: &Path, table: Option<TableName>) -> Result<CsvFile> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let Some(table) = table else {
        let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let nearest = nearest(stem, TABLES.iter().map(|it| it.as_str()));
        let what = text!(
            "{name} is named after no table{}. Rename it, or name its table with --table",
            "{name}不是以表命名的{}。请改名，或用--table指定表",
            nearest
        );
        return Err(Failed::new(Exit::Refused, what));
    };
    let mut bytes = vec![];
    let read = if path == Path::new(STANDARD) {
        std::io::stdin().read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|mut it| it.read_to_end(&mut bytes))
    };
    read.map_err(|it| Failed::at(Exit::NotFound, path, &it))?;
    Ok(CsvFile { table, name, bytes })
}
