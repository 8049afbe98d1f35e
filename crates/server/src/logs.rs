//! The log: one line for each event, as text or JSON, to standard error or a file.
//!
//! Text is `time LEVEL target call=… key=value message`; JSON has the keys `ts`, `level`, `target`,
//! `msg`, `call_id` and the event's own. The target `security` has lines of a fixed form for tools
//! that ban addresses.

mod queue;

use crate::config::{Config, LogFormat, LogLevel};
use crate::private;
use queue::Queue;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, reload};

/// Crates whose lines follow the configured level; libraries say warnings only.
const OURS: [&str; 11] = [
    "dialtone",
    "sip",
    "pbx",
    "media",
    "net",
    "store",
    "web",
    "udp",
    "call",
    "registrar",
    "security",
];

/// Numbers in it are masked, yet it says when which phone calls: for owner and group.
const FILE_MODE: u32 = 0o640;

/// The file written to, where the log goes to one. Replaced when it is opened anew.
static FILE: OnceLock<RwLock<Arc<File>>> = OnceLock::new();

/// Where lines wait to be written, once the log has started.
static QUEUE: OnceLock<Queue> = OnceLock::new();

static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts logging. Called once.
pub(crate) fn start(config: &Config) -> io::Result<()> {
    let (filter, handle) = reload::Layer::new(targets(config.log_level));
    let to_journal = config.log_file.as_os_str().is_empty() && stderr_is_journal();
    let lines = Lines { format: config.log_format, to_journal };
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).event_format(lines);
    let registry = tracing_subscriber::registry();
    if !config.log_file.as_os_str().is_empty() {
        let opened = RwLock::new(Arc::new(open(&config.log_file)?));
        // There is one start.
        let _ = FILE.set(opened);
    }
    let tell_lost = |lines| tracing::warn!(lines, "lines of the log were lost: nobody took them");
    // There is one start.
    let _ = QUEUE.set(Queue::start(Sink, tell_lost)?);
    let started = registry.with(layer.with_writer(|| Out).with_filter(filter)).try_init();
    started.map_err(io::Error::other)?;
    private::reveal(config.log_level >= LogLevel::Debug);
    let _ = LEVEL.set(handle);
    Ok(())
}

thread_local! {
    /// The lines of this thread that are to be written together.
    static GATHERED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// So many are written at once. Unit: octets.
const GATHERED_MAX: usize = 64 * 1024;

/// Runs `act` and writes what this thread logs meanwhile in one piece at its end.
pub(crate) fn together<T>(act: impl FnOnce() -> T) -> T {
    /// Writes also where `act` panics.
    struct Writes;
    impl Drop for Writes {
        fn drop(&mut self) {
            write_out(GATHERED.take().unwrap_or_default());
        }
    }
    GATHERED.set(Some(Vec::new()));
    let _writes = Writes;
    act()
}

/// Waits for what was logged to be written, but not for ever: at the end of the process.
pub(crate) fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush();
    }
}

/// Where lines go: a whole one with each write.
struct Out;

impl io::Write for Out {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let full = GATHERED.with_borrow_mut(|gathered| {
            let Some(lines) = gathered else { return Some(line.to_owned()) };
            lines.extend_from_slice(line);
            (lines.len() >= GATHERED_MAX).then(|| std::mem::take(lines))
        });
        if let Some(lines) = full {
            write_out(lines);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_out(lines: Vec<u8>) {
    if let Some(queue) = QUEUE.get()
        && !lines.is_empty()
    {
        queue.put(lines);
    }
}

/// The file, or standard error.
struct Sink;

impl io::Write for Sink {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        match FILE.get() {
            Some(file) => {
                let file = Arc::clone(&file.read().unwrap_or_else(PoisonError::into_inner));
                (&*file).write(lines)
            }
            None => io::stderr().write(lines),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens the file anew: the one before may have been moved away.
pub(crate) fn reopen(path: &Path) -> io::Result<()> {
    match (FILE.get(), path.as_os_str().is_empty()) {
        (Some(file), false) => {
            let opened = Arc::new(open(path)?);
            *file.write().unwrap_or_else(PoisonError::into_inner) = opened;
            Ok(())
        }
        (None, true) => Ok(()),
        (Some(_), true) | (None, false) => {
            Err(io::Error::other("a change between file and standard error waits for a start"))
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).mode(FILE_MODE).open(path)
}

/// Changes the level while running.
pub(crate) fn set_level(level: LogLevel) {
    if let Some(handle) = LEVEL.get()
        && let Err(error) = handle.reload(targets(level))
    {
        tracing::warn!(%error, "the log level stays");
        return;
    }
    private::reveal(level >= LogLevel::Debug);
}

fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let libraries = level.min(LevelFilter::WARN);
    OURS.iter().fold(Targets::new().with_default(libraries), |targets, name| {
        targets.with_target(*name, level)
    })
}

struct Lines {
    format: LogFormat,
    /// Each line begins with its priority, which the journal takes off (sd-daemon(3)).
    to_journal: bool,
}

/// The fields of one event in their order, the message apart.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
        let metadata = event.metadata();
        // A module path says where in the code; the reader wants to know which part speaks.
        let target = match metadata.target().split("::").next() {
            Some("dialtone") | None => "server",
            Some(part) => part,
        };
        let line = match self.format {
            LogFormat::Text => text_line(&time, *metadata.level(), target, &fields),
            LogFormat::Json => json_line(&time, *metadata.level(), target, fields),
        };
        let priority = if self.to_journal { priority(*metadata.level()) } else { "" };
        writeln!(out, "{priority}{line}")
    }
}

/// Levels as those of syslog (RFC 5424 §6.2.1).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// systemd names the device and inode of the stream that leads to its journal (systemd.exec(5)).
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let found = rustix::fs::fstat(io::stderr());
    found.is_ok_and(|it| stream == format!("{}:{}", it.st_dev, it.st_ino))
}

fn text_line(time: &str, level: Level, target: &str, fields: &Fields) -> String {
    let mut line = format!("{time} {level} {target}");
    for (name, value) in fields.others.iter().filter(|(name, _)| *name == "call") {
        line.push_str(&format!(" {name}={value}"));
    }
    if !fields.message.is_empty() {
        line.push(' ');
        line.push_str(&escape(&fields.message));
    }
    for (name, value) in fields.others.iter().filter(|(name, _)| *name != "call") {
        let value = escape(value);
        let quoted = value.contains(' ') || value.is_empty();
        line.push_str(&if quoted {
            format!(" {name}={value:?}")
        } else {
            format!(" {name}={value}")
        });
    }
    line
}

fn json_line(time: &str, level: Level, target: &str, fields: Fields) -> String {
    let mut object = Map::new();
    object.insert("ts".to_owned(), time.into());
    object.insert("level".to_owned(), level.to_string().into());
    object.insert("target".to_owned(), target.into());
    object.insert("msg".to_owned(), fields.message.into());
    for (name, value) in fields.others {
        let name = if name == "call" { "call_id" } else { name };
        object.insert(name.to_owned(), value.into());
    }
    Value::Object(object).to_string()
}

/// One event stays one line, whatever a peer put into a value.
fn escape(text: &str) -> String {
    if text.chars().any(char::is_control) {
        text.chars()
            .flat_map(|it| {
                if it.is_control() { it.escape_default().collect::<Vec<_>>() } else { vec![it] }
            })
            .collect()
    } else {
        text.to_owned()
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.others.push((field.name(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &str, others: &[(&'static str, &str)]) -> Fields {
        let others = others.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Fields { message: message.to_owned(), others }
    }

    #[test]
    fn text_line_table() {
        #[rustfmt::skip]
        let table = [
            (fields("INVITE", &[("from", "1**"), ("call", "c-7f3a")]), "t INFO sip call=c-7f3a INVITE from=1**"),
            (fields("a\nb",   &[("user", "x y\r")]),                   "t INFO sip a\\nb user=\"x y\\\\r\""),
            (fields("",       &[("why", "")]),                         "t INFO sip why=\"\""),
        ];
        for (fields, expected) in table {
            assert_eq!(text_line("t", Level::INFO, "sip", &fields), expected);
        }
    }

    #[test]
    fn lines_of_a_pass_are_written_together() {
        let mut out = Out;
        let gathered = || GATHERED.with_borrow(|it| it.as_ref().map(Vec::len));
        together(|| {
            for _ in 0..3 {
                assert_eq!(io::Write::write(&mut out, b"line\n").ok(), Some(5));
            }
            assert_eq!(gathered(), Some(15));
        });
        assert_eq!(gathered(), None);
    }

    #[test]
    fn json_has_the_stable_keys() {
        let line =
            json_line("t", Level::WARN, "sip", fields("m", &[("call", "c-1"), ("code", "486")]));
        let expected =
            r#"{"call_id":"c-1","code":"486","level":"WARN","msg":"m","target":"sip","ts":"t"}"#;
        assert_eq!(line, expected);
    }
}
