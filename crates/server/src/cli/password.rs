//! A password from the command line, a file, or standard input. Nothing ever asks for one.

use super::{Exit, Failed, Result};
use std::io::Read as _;
use std::path::Path;

/// What was given: the text, or what stands in the file; `-` is standard input.
pub(super) fn given(text: Option<&str>, file: Option<&Path>) -> Result<Option<String>> {
    let Some(path) = file else { return Ok(text.map(str::to_owned)) };
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(path).map_err(|it| Failed::at(Exit::Usage, path, &it))?;
    }
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}
