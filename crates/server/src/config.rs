//! What must be known before the database opens: listeners, ports, log, data directory.
//!
//! Every key is declared once, below, with its meaning, default and range; the reference page
//! (`docs/configuration.md`), `check-config` and the error texts come from that declaration.
//! Order: default < file < drop-in < environment < flag.

mod layers;
mod print;
mod value;

pub(crate) use layers::{Environment, Sources};
pub(crate) use print::{Shown, effective, reference};
pub(crate) use value::{Advertised, LogFormat, LogLevel, Ports};

use ipnet::IpNet;
use pbx::language::Text;
use pbx::text;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use value::Setting;

/// The sources that are no file and no variable.
const DEFAULT: &str = "default";
const FLAG: &str = "flag";

/// A key as `section.name`, its documentation and its default.
pub(crate) struct Key {
    pub(crate) path: &'static str,
    pub(crate) kind: &'static str,
    /// As it would be written in the file.
    pub(crate) default: &'static str,
    pub(crate) doc: &'static [&'static str],
    /// Shown masked.
    pub(crate) secret: bool,
}

/// The keys that SIGHUP reads again; the others are read at the start alone.
pub(crate) const RELOADED: [&str; 7] = [
    "guard.burst",
    "guard.known_burst",
    "guard.known_rate",
    "guard.rate",
    "log.file",
    "log.level",
    "media.advertise",
];

/// One value with the place it came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Given {
    pub(crate) value: toml::Value,
    pub(crate) source: String,
}

/// What is wrong with the configuration, for the person with the editor open.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {}", .what.en)]
pub(crate) struct Problem {
    pub(crate) source_name: String,
    pub(crate) what: Text,
}

impl Problem {
    pub(crate) fn text(self) -> Text {
        text!("{}: {}", "{}：{}", source_text(&self.source_name), self.what)
    }
}

/// Where a value comes from; files and variables have no language.
pub(crate) fn source_text(name: &str) -> Text {
    match name {
        DEFAULT => text!("default", "默认值"),
        FLAG => text!("flag", "命令行"),
        _ => Text::same(name),
    }
}

/// Declares the keys once: path, field, type, default, documentation.
macro_rules! configuration {
    ($( $(#[doc = $doc:literal])* $path:literal $field:ident: $type:ty = $default:literal $($secret:ident)?; )*) => {
        /// The effective configuration; what is in here has been checked.
        #[derive(Clone, Debug)]
        pub(crate) struct Config {
            $( $(#[doc = $doc])* pub(crate) $field: $type, )*
        }

        /// Every key there is, in the order of the reference page.
        pub(crate) const KEYS: &[Key] = &[ $( Key {
            path: $path,
            kind: <$type as Setting>::KIND,
            default: $default,
            doc: &[$($doc),*],
            secret: configuration!(@secret $($secret)?),
        }, )* ];

        impl Config {
            /// Reads every key from `given`, which holds at least the defaults.
            fn read(given: &BTreeMap<&'static str, Given>) -> Result<Self, Vec<Problem>> {
                let mut problems = Vec::new();
                $( let $field = read_one::<$type>($path, given, &mut problems); )*
                match ($($field,)*) {
                    ($(Some($field),)*) => Ok(Self { $($field,)* }),
                    _ => Err(problems),
                }
            }
        }
    };
    (@secret secret) => { true };
    (@secret) => { false };
}

configuration! {
    /// Where everything durable is: database, journal, records, keys, control socket.
    ///
    /// Also the flag `--data-dir`. One running server for each directory: a second one is refused.
    "data_dir" data_dir: PathBuf = "\"data\"";

    /// Database of extensions and call records: `sqlite`, which is `dialtone.db` in the data directory.
    ///
    /// The URLs of other engines are refused by this version.
    "database.url" database_url: value::DatabaseUrl = "\"sqlite\"" secret;

    /// Listeners of pages, API, `/metrics`, `/healthz` and `/readyz`. Port 0 takes a free port.
    ///
    /// `[::]` also serves IPv4; where the machine has no IPv6 it becomes 0.0.0.0. An empty list turns it off.
    /// Pages and API are served to this machine, to private networks and to `http.trusted`; until there is an administrator they are the set-up alone.
    "http.listen" http_listen: Vec<SocketAddr> = "[\"[::]:8080\"]";

    /// Listeners of the same over TLS. Port 0 takes a free port.
    ///
    /// Once there is an administrator, these serve every address. The certificate is one that the server makes itself until another is installed: `dialtone cert install`.
    "http.tls_listen" http_tls_listen: Vec<SocketAddr> = "[\"[::]:8443\"]";

    /// Whether who asks for pages or API without TLS is sent to the first listener of `http.tls_listen`.
    ///
    /// Only once another certificate than the server's own is installed, which browsers do not warn of. This machine, what comes through a proxy, metrics and health stay. HSTS is said only where that listener is on port 443: a browser keeps a port that an address names.
    "http.redirect" http_redirect: bool = "true";

    /// Networks that pages and API are served to without TLS wherever they are, and that wrong passwords never keep waiting.
    ///
    /// Name the addresses you administer from. This machine is always among them.
    "http.trusted" http_trusted: Vec<IpNet> = "[]";

    /// SIP over UDP. Port 0 takes a free port.
    ///
    /// `[::]` also serves IPv4; answers leave from the address that was asked.
    /// Where addresses are written out, what we begin leaves from them too, and peers are told them; a single one is also the address of all media ports.
    "sip.udp" sip_udp: Vec<SocketAddr> = "[\"[::]:5060\"]";

    /// SIP over TCP. Port 0 takes the port of the first UDP listener.
    "sip.tcp" sip_tcp: Vec<SocketAddr> = "[\"[::]:5060\"]";

    /// Most TCP connections at a time, in and out. Range: 64 to 100000.
    ///
    /// One more is closed as soon as it is accepted. Lowered where the limit of open files is too small for it.
    "sip.connections" sip_connections: value::Count<64, 100_000> = "20000";

    /// Most TCP connections from one IPv4 address or IPv6 /64. Range: 1 to 100000.
    ///
    /// Raise it where more phones than that sit behind one address.
    "sip.connections_per_source" sip_connections_per_source: value::Count<1, 100_000> = "500";

    /// Servers of DNS, with port; empty: those of `/etc/resolv.conf`, which is read again when it changes.
    ///
    /// `/etc/hosts` comes before either. Names of lines and trunks are looked up when they are saved and before their time to live ends; no call waits for another one's name.
    "dns.servers" dns_servers: Vec<SocketAddr> = "[]";

    /// Tokens per second of a source that never authenticated. Range: 1 to 1000000.
    ///
    /// Counted for an IPv4 address or an IPv6 /64, loopback included; a request without a token is dropped unanswered. Responses and ACKs that belong to no call have as many tokens of their own. SIGHUP reads this key again.
    "guard.rate" guard_rate: value::Count<1, 1_000_000> = "50";

    /// Most tokens such a source can save up. Range: 1 to 1000000.
    ///
    /// SIGHUP reads this key again.
    "guard.burst" guard_burst: value::Count<1, 1_000_000> = "200";

    /// Tokens per second of a source that authenticated within the last hour. Range: 1 to 1000000.
    ///
    /// Raise it for a gateway or a load test behind one address. SIGHUP reads this key again.
    "guard.known_rate" guard_known_rate: value::Count<1, 1_000_000> = "500";

    /// Most tokens such a source can save up. Range: 1 to 1000000.
    ///
    /// SIGHUP reads this key again.
    "guard.known_burst" guard_known_burst: value::Count<1, 1_000_000> = "2000";

    /// UDP ports of media, first-last. Range: 1024 to 65535, at least 4 ports.
    ///
    /// A relayed call needs 4. Open the same range in the firewall. They are bound in blocks as calls need them.
    "media.ports" media_ports: Ports = "\"20000-29999\"";

    /// The address that peers are told for signalling and media: `auto`, one address, or a table of network to address.
    ///
    /// `auto` tells each peer the address of the interface towards it. Behind NAT, name the public address; in a table the longest prefix wins: `{ "192.168.0.0/16" = "auto", "0.0.0.0/0" = "203.0.113.5" }`.
    /// SIGHUP reads this key again, for calls that begin from then on.
    "media.advertise" media_advertise: Advertised = "\"auto\"";

    /// Threads that relay media; 0: one for each core but one, at least one. Range: 0 to 64.
    "media.threads" media_threads: value::Count<0, 64> = "0";

    /// The memory of SIP messages that `trace` and ladders read. Unit: MiB. Range: 1 to 4096.
    ///
    /// Taken whole at the start; when it is full the oldest message goes.
    "trace.memory_mib" trace_memory_mib: value::Count<1, 4096> = "32";

    /// What is logged: `error`, `warn`, `info`, `debug` or `trace`.
    ///
    /// Numbers and addresses are masked above `debug`. SIGHUP reads this key again.
    "log.level" log_level: LogLevel = "\"info\"";

    /// `text` or `json`, one line each.
    "log.format" log_format: LogFormat = "\"text\"";

    /// Append the log to this file; empty: standard error.
    ///
    /// SIGHUP reads this key again and opens the file anew, as tools that rotate logs need it.
    "log.file" log_file: PathBuf = "\"\"";
}

/// The configuration in force, with where each value came from.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) given: BTreeMap<&'static str, Given>,
    /// The files that were read.
    pub(crate) files: Vec<PathBuf>,
}

/// Reads all layers. Every problem is named, not only the first.
pub(crate) fn load(sources: &Sources) -> Result<Loaded, Vec<Problem>> {
    let (given, files) = layers::collect(sources)?;
    let config = Config::read(&given)?;
    // One engine: reading the key is all there is to it.
    let value::DatabaseUrl::Sqlite = config.database_url;
    Ok(Loaded { config, given, files })
}

impl Config {
    /// Where the running server is spoken to.
    pub(crate) fn socket_path(&self) -> PathBuf {
        self.data_dir.join("dialtone.sock")
    }
}

fn read_one<T: Setting>(
    path: &'static str,
    given: &BTreeMap<&'static str, Given>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let given = given.get(path)?;
    match T::read(&given.value) {
        Ok(value) => Some(value),
        Err(rule) => {
            let shown = if key(path).is_some_and(|it| it.secret) {
                "***".to_owned()
            } else {
                given.value.to_string()
            };
            let what = text!("{path} = {shown}: {}", "{path} = {shown}：{}", rule);
            problems.push(Problem { source_name: given.source.clone(), what });
            None
        }
    }
}

fn key(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|it| it.path == path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file_of(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dialtone.toml");
        std::fs::write(&file, text).unwrap();
        (folder, file)
    }

    fn load_text(
        text: &str,
        environment: &[(&str, &str)],
        flags: &[(&str, &str)],
    ) -> Result<Loaded, String> {
        let (_folder, file) = file_of(text);
        let own = |it: &(&str, &str)| (it.0.to_owned(), it.1.to_owned());
        let sources = Sources {
            file: Some(file),
            environment: Environment(environment.iter().map(own).collect()),
            data_dir: Some("/srv/office"),
            flags: flags.iter().map(own).collect(),
        };
        load(&sources).map_err(|problems| {
            let text: Vec<&str> = problems.iter().map(|it| &*it.what.en).collect();
            text.join("; ")
        })
    }

    #[test]
    fn defaults_are_valid_and_documented() {
        let loaded = load(&Sources::default()).map_err(|it| format!("{it:?}")).unwrap();
        assert_eq!(loaded.config.sip_udp, ["[::]:5060".parse().unwrap()]);
        for key in KEYS {
            assert!(key.doc.first().is_some_and(|it| it.len() > 10), "{} has no text", key.path);
            let says = key.doc.iter().any(|it| it.contains("SIGHUP reads this key again"));
            assert_eq!(says, RELOADED.contains(&key.path), "{}", key.path);
        }
    }

    #[test]
    fn error_table() {
        #[rustfmt::skip]
        let table = [
            ("[sip]\nupd = [\"[::]:5060\"]",        "sip.upd: there is no such key; the nearest is sip.udp"),
            ("[spi]\nudp = []",                     "spi.udp: there is no such key; the nearest is sip.udp"),
            ("datadir = \"x\"",                     "datadir: there is no such key; the nearest is data_dir"),
            ("[media]\nports = \"30000-20000\"",    "media.ports = \"30000-20000\": must be first-last, from 1024 to 65535, with at least 4 ports"),
            ("[guard]\nrate = 0",                   "guard.rate = 0: must be a whole number from 1 to 1000000"),
            ("[sip]\nudp = [\"5060\"]",             "sip.udp = [\"5060\"]: \"5060\" is not an address and port, such as [::]:5060 or 192.168.1.10:5060"),
            ("[http]\ntrusted = [\"office\"]",     "http.trusted = [\"office\"]: \"office\" is not a network or address, such as 192.168.1.0/24 or 203.0.113.5"),
            ("[log]\nlevel = \"loud\"",             "log.level = \"loud\": must be error, warn, info, debug or trace"),
            ("[database]\nurl = \"postgres://u:p@h/d\"", "database.url = ***: postgres is not supported by this version; use sqlite"),
            ("[media]\nadvertise = \"office\"",     "media.advertise = \"office\": must be auto, an address, or a table of network = address"),
            ("sip = 1",                             "sip: is a section: write [sip]"),
        ];
        for (text, expected) in table {
            assert_eq!(load_text(text, &[], &[]).err().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn every_problem_is_named() {
        let error = load_text("[guard]\nrate = 0\nburst = 0", &[], &[]).err().unwrap();
        assert!(error.contains("guard.rate") && error.contains("guard.burst"), "{error}");
    }

    #[test]
    fn flag_beats_environment_beats_file() {
        let file = "[guard]\nrate = 60\nburst = 300\nknown_rate = 700";
        let environment = [("DIALTONE_GUARD__RATE", "70"), ("DIALTONE_GUARD__BURST", "400")];
        let loaded = load_text(file, &environment, &[("guard.rate", "80")]).unwrap();
        assert_eq!(loaded.config.guard_rate.0, 80);
        assert_eq!(loaded.config.guard_burst.0, 400);
        assert_eq!(loaded.config.guard_known_rate.0, 700);
        assert_eq!(loaded.given["guard.rate"].source, "flag");
        assert_eq!(loaded.config.data_dir, PathBuf::from("/srv/office"));
        assert_eq!(loaded.given["guard.burst"].source, "DIALTONE_GUARD__BURST");
        assert_eq!(loaded.given["guard.known_burst"].source, "default");
        let loaded = load_text("data_dir = \"/tmp/office\"", &[], &[]).unwrap();
        assert_eq!(loaded.config.data_dir, PathBuf::from("/tmp/office"));
    }

    #[test]
    fn environment_table() {
        #[rustfmt::skip]
        let table: [(&str, &str, Result<&str, &str>); 5] = [
            ("DIALTONE_SIP__UDP", "127.0.0.1:0, [::1]:5070", Ok("[127.0.0.1:0, [::1]:5070]")),
            ("DIALTONE_SIP__UPD", "127.0.0.1:0",             Err("sip.upd: there is no such key; the nearest is sip.udp")),
            ("DIALTONE_DATA_DIR", "x",                       Ok("[[::]:5060]")),
            ("DIALTONE_CONFIG",   "",                        Ok("[[::]:5060]")),
            ("DIALTONE_BIN",      "x",                       Ok("[[::]:5060]")),
        ];
        for (name, value, expected) in table {
            let got = load_text("", &[(name, value)], &[]);
            let got = got.map(|it| format!("{:?}", it.config.sip_udp));
            assert_eq!(got, expected.map(str::to_owned).map_err(str::to_owned), "{name}={value}");
        }
    }

    #[test]
    fn drop_ins_come_in_name_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dialtone.toml");
        let drop_ins = folder.path().join("conf.d");
        std::fs::create_dir(&drop_ins).unwrap();
        std::fs::write(&file, "[guard]\nrate = 1").unwrap();
        std::fs::write(drop_ins.join("20.toml"), "[guard]\nrate = 3").unwrap();
        std::fs::write(drop_ins.join("10.toml"), "[guard]\nrate = 2\nburst = 9").unwrap();
        let loaded = load(&Sources { file: Some(file), ..Sources::default() });
        let loaded = loaded.map_err(|it| format!("{it:?}")).unwrap();
        assert_eq!((loaded.config.guard_rate.0, loaded.config.guard_burst.0), (3, 9));
        assert_eq!(loaded.files.len(), 3);
    }
}
