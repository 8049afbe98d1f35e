//! The commands of the manual, in both languages: each one does what it says it does, on a small office.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use crate::report::Context;
use crate::server::Server;

const MANUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/manual");

/// For those that read one from standard input.
const PASSWORD: &[u8] = b"Line-7-otter\n";

/// Where a fence begins whose commands are to be run.
const FENCE: &str = "```sh";

/// Each chapter on a server of its own; what stands for an address elsewhere is this machine, and names lead nowhere.
pub(super) fn manual_commands(context: &Context) -> Result<()> {
    let mut count = 0;
    for language in ["en", "zh"] {
        let mut chapters: Vec<_> =
            std::fs::read_dir(Path::new(MANUAL).join(language))?.collect::<Result<_, _>>()?;
        chapters.sort_by_key(std::fs::DirEntry::file_name);
        for chapter in chapters {
            let text = std::fs::read_to_string(chapter.path())?;
            let commands = commands(&text);
            if commands.is_empty() {
                continue;
            }
            let name = chapter.file_name().to_string_lossy().into_owned();
            let folder = context.subfolder(&format!("{language}-{name}"))?;
            let own = Context::new(folder);
            run(&own, &commands).with_context(|| format!("{language}/{name}"))?;
            count += commands.len();
        }
    }
    context.note(&format!("{count} commands"));
    ensure!(count > 60, "the manual has {count} commands");
    Ok(())
}

fn run(context: &Context, commands: &[&str]) -> Result<()> {
    let server = Server::start_with(context, &["dns.servers=127.0.0.1:9"])?;
    server.add("100-102", &[])?;
    let mut failures = vec![];
    for line in commands {
        let here = line.replace("10.23.0.1", "127.0.0.23");
        let words = words(&here);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = server.command(words.get(1..).context("no command")?);
        command.current_dir(&context.folder).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // Most read nothing, and may have ended by now.
        let _ = child.stdin.take().context("no input")?.write_all(PASSWORD);
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            failures.push(format!("{line}: {}: {said}", output.status));
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("; "));
    Ok(())
}

fn commands(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut found = vec![];
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside && line == FENCE;
        } else if inside {
            found.push(line);
        }
    }
    found
}

/// The words of a command as a shell parts them; quotes hold them together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for it in line.chars() {
        match it {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            it => {
                if let Some(word) = words.last_mut() {
                    word.push(it);
                }
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_table() {
        let text = "```sh\ndialtone a\ndialtone b\n```\n\n```\ndialtone c\n```\n";
        assert_eq!(commands(text), ["dialtone a", "dialtone b"]);
        assert_eq!(
            words("ext set 1 --name \"Front desk\" --x \"\""),
            ["ext", "set", "1", "--name", "Front desk", "--x", ""]
        );
    }
}
