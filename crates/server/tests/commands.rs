//! The real binary on free ports: commands against a running server, and on its data without one.

#![allow(clippy::unwrap_used)]

#[path = "commands/dialplan.rs"]
mod dialplan;
#[path = "commands/lines.rs"]
mod lines;
#[path = "commands/offline.rs"]
mod offline;
#[path = "commands/refused.rs"]
mod refused;

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dialtone");

/// Generous: a busy machine is no failure.
const LONG: Duration = Duration::from_secs(60);

/// A server of its own; it ends with the value.
struct Server {
    process: Child,
    folder: tempfile::TempDir,
    /// What it said before it was ready.
    welcome: String,
    ports: Value,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), arguments)
    }

    fn start_in(folder: tempfile::TempDir, arguments: &[&str]) -> Self {
        let (process, welcome) = spawn(folder.path(), arguments);
        let ports = std::fs::read(data(folder.path()).join("ports.json")).unwrap();
        let ports = serde_json::from_slice(&ports).unwrap();
        Self { process, folder, welcome, ports }
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        outcome(&command(self.folder.path()).args(arguments).output().unwrap())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (code, text) = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(code, 0, "{arguments:?}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn address(&self, listener: &str) -> SocketAddr {
        self.ports[listener][0].as_str().unwrap().parse().unwrap()
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address("http")).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Sends one datagram and waits for the answer.
    fn ask(&self, request: &str) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.connect(self.address("sip_udp")).unwrap();
        let request = request.replace("LOCAL", &socket.local_addr().unwrap().to_string());
        socket.send(request.as_bytes()).unwrap();
        let mut answer = [0; 2000];
        let length = socket.recv(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// SIGTERM, and the exit code.
    fn stop(mut self) -> (Option<i32>, tempfile::TempDir) {
        signal(&self.process, "TERM");
        let code = self.process.wait().unwrap().code();
        (code, std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server that is ready, and what it said until then.
fn spawn(folder: &Path, arguments: &[&str]) -> (Child, String) {
    spawn_command(command(folder), arguments)
}

fn spawn_command(mut command: Command, arguments: &[&str]) -> (Child, String) {
    let mut process = command
        .arg("serve")
        .args(arguments)
        .args(["--set", "sip.udp=127.0.0.1:0", "--set", "sip.tcp=127.0.0.1:0"])
        .args([
            "--set",
            "http.listen=127.0.0.1:0",
            "--set",
            "http.tls_listen=127.0.0.1:0",
            "--set",
            "media.ports=40000-40999",
        ])
        .args(["--set", "trace.memory_mib=1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(process.stdout.take().unwrap());
    let mut welcome = String::new();
    while !welcome.contains("\nready ") && !welcome.starts_with("ready ") {
        assert_ne!(out.read_line(&mut welcome).unwrap(), 0, "it ended: {welcome}");
    }
    (process, welcome)
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().arg("--data-dir").arg(data(folder)).current_dir(folder);
    command
}

fn data(folder: &Path) -> std::path::PathBuf {
    folder.join("data")
}

fn outcome(output: &Output) -> (i32, String) {
    let text = if output.status.success() { &output.stdout } else { &output.stderr };
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(text).into_owned())
}

fn signal(process: &Child, name: &str) {
    let status = Command::new("/bin/kill").args(["-s", name, &process.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// Asks again and again, without a limit in time: a busy machine is no failure.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..100_000 {
        if holds() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("{what} never came");
}

fn numbers(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it["number"].as_str().unwrap()).collect()
}

const REGISTER: &str = "REGISTER sip:127.0.0.1 SIP/2.0\r\n\
    Via: SIP/2.0/UDP LOCAL;branch=z9hG4bK1;rport\r\n\
    From: <sip:100@127.0.0.1>;tag=1\r\nTo: <sip:100@127.0.0.1>\r\n\
    Call-ID: commands\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n\
    Contact: <sip:100@LOCAL>\r\nContent-Length: 0\r\n\r\n";

/// Alone it is refused, of a range it is left out and named.
#[test]
fn an_emergency_number_is_no_extension() {
    let server = Server::start(&[]);
    let (code, text) = server.run(&["ext", "add", "112"]);
    assert!(code == 4 && text.contains("calls the emergency number 112"), "{text}");
    let range = command(server.folder.path()).args(["ext", "add", "111-113"]).output().unwrap();
    let told = String::from_utf8_lossy(&range.stderr);
    assert!(range.status.success() && told.ends_with("an emergency number: 112\n"), "{told}");
    assert_eq!(server.run(&["ext", "del", "111-113"]).1, "2 removed; 1 did not exist\n");
}

#[test]
fn extensions_are_edited_online_and_the_core_hears_of_it() {
    let server = Server::start(&[]);
    assert_eq!(numbers(&server.json(&["ext", "list"])), Vec::<&str>::new());

    let made = server.json(&["ext", "add", "100-102", "--name", "Hall", "--calls", "4"]);
    assert_eq!(numbers(&made), ["100", "101", "102"]);
    assert!(made[0]["password"].as_str().unwrap().len() >= 12);
    assert_ne!(made[0]["password"], made[1]["password"]);

    let set = ["ext", "set", "100", "--devices", "3", "--relay", "auto", "--address", "127.0.0.1"];
    let changed = server.json(&set);
    assert_eq!(changed["devices"], 3);
    assert_eq!((&changed["calls"], &changed["name"]), (&4.into(), &"Hall".into()));
    assert_eq!(changed["addresses"][0], "127.0.0.1");

    let again = server.json(&["ext", "passwd", "101"]);
    assert_ne!(again["password"], made[1]["password"]);

    #[rustfmt::skip]
    let refused: [(&[&str], i32, &str); 6] = [
        (&["ext", "add", "100"],                      4, "exists"),
        (&["ext", "add", "200", "--password", "200"], 4, "number"),
        (&["ext", "set", "999", "--name", "x"],       3, "999"),
        (&["ext", "set", "100", "--calls", "0"],      2, "calls"),
        (&["calls", "show", "c-0000000000"],          3, "no call"),
        (&["calls", "hangup", "c-0000000000"],        3, "no call"),
    ];
    for (arguments, code, word) in refused {
        let (got, text) = server.run(arguments);
        assert_eq!(got, code, "{arguments:?}: {text}");
        assert!(text.contains(word), "{arguments:?}: {text}");
    }
    let set =
        ["ext", "set", "100", "--forward-busy", "101", "--forward-always", "90138", "--ring", "15"];
    let set = server.json(&[&set[..], &["--may-forward", "busy"]].concat());
    assert_eq!((&set["forward"]["busy"], &set["ring_s"]), (&"101".into(), &15.into()));
    assert_eq!(set["may_forward"], serde_json::json!(["busy"]));
    until("the forwarding is in the database", || {
        let (_, text) = server.run(&["ext", "list"]);
        text.contains("busy:101 always:90138(no right)")
    });
    let set = [
        "ext",
        "set",
        "101",
        "--do-not-disturb",
        "true",
        "--call-waiting",
        "false",
        "--calls-out",
        "1",
    ];
    let set = server.json(&set);
    let shown =
        ["do_not_disturb", "call_waiting", "calls_in", "calls_out"].map(|it| set[it].clone());
    assert_eq!(Value::from(shown.to_vec()), serde_json::json!([true, false, 100, 1]));
    let own = server.run(&["ext", "set", "100", "--forward-busy", "100"]);
    assert!(own.0 == 4 && own.1.contains("must be another number"), "{own:?}");
    assert_eq!(server.run(&["ext", "add", "104-105"]).0, 0);
    let (code, text) = server.run(&["ext", "del", "102-105"]);
    assert_eq!((code, &*text), (0, "3 removed; 1 did not exist\n"));
    for range in ["102", "102-105"] {
        assert_eq!(server.run(&["ext", "del", range]).0, 3, "{range} is gone");
    }
    assert_eq!(numbers(&server.json(&["ext", "list"])), ["100", "101"]);
    assert_eq!(server.run(&["registrations"]).0, 0);
    assert_eq!(server.json(&["calls"]), Value::Array(vec![]));
}

#[test]
fn sip_is_answered_counted_and_traced() {
    let server = Server::start(&["--demo"]);
    assert!(server.welcome.contains("100  100") && server.welcome.contains("DEMO"));
    let answer = server.ask(REGISTER);
    assert!(answer.starts_with("SIP/2.0 401 "), "{answer}");

    let (code, trace) = server.run(&["trace", "--past", "--ip", "127.0.0.1"]);
    let mut lines = trace.lines();
    let (request, response) = (lines.next().unwrap(), lines.next().unwrap());
    assert_eq!((code, lines.next()), (0, None), "{trace}");
    assert!(request.contains("──▶") && request.contains("REGISTER sip:127.0.0.1"), "{request}");
    assert!(response.contains("◀──") && response.contains("401 "), "{response}");

    assert!(server.get("/healthz").starts_with("HTTP/1.1 200 "));
    assert!(server.get("/readyz").starts_with("HTTP/1.1 200 "));
    let counted =
        r#"dialtone_sip_requests_total{method="REGISTER",transport="udp",direction="in"} 1"#;
    // The core publishes its counts a little later than it answers.
    let seen = (0..10_000).any(|_| server.get("/metrics").lines().any(|it| it == counted));
    assert!(seen, "{}", server.get("/metrics"));
}

#[test]
fn commands_speak_the_language_that_is_asked_for() {
    let server = Server::start(&["--office", "--lang", "zh"]);
    assert!(server.welcome.contains("服务器地址：127.0.0.1"), "{}", server.welcome);
    #[rustfmt::skip]
    let table: [(&[&str], i32, &str); 17] = [
        (&["--help"],                                 0, "用法：dialtone [选项] <命令>"),
        (&["help", "ext", "add"],                     0, "密码自动生成"),
        (&["status"],                                 0, "就绪"),
        (&["ext", "list"],                            0, "并发呼叫数"),
        (&["ext", "add", "103"],                      0, "密码"),
        (&["ext", "del", "103-104"],                  0, "已删除1个分机，另有1个号码不存在"),
        (&["setting", "list"],                        0, "无应答时长"),
        (&["registrations"],                          0, "剩余有效期"),
        (&["calls"],                                  0, "主叫"),
        (&["check-config"],                           0, "默认值"),
        (&["ext", "add", "100"],                      4, "分机100已存在"),
        (&["ext", "add", "103", "--password", "103"], 4, "密码与号码几乎相同"),
        (&["ext", "set", "999", "--name", "x"],       3, "分机999不存在"),
        (&["calls", "show", "c-0000000000"],          3, "呼叫c-0000000000不存在"),
        (&["setting", "set", "no_answer_s", "1"],     4, "no_answer_s = 1：取值应为5至600秒"),
        (&["dance"],                                  2, "没有命令“dance”"),
        (&["serve", "--set", "sip.udp=127.0.0.1:0"],  4, "使用"),
    ];
    for variable in ["DIALTONE_LANG", "LANG"] {
        for (arguments, code, words) in table {
            let mut command = command(server.folder.path());
            let output = command.env(variable, "zh").args(arguments).output().unwrap();
            let (got, text) = outcome(&output);
            assert_eq!(got, code, "{arguments:?}: {text}");
            assert!(text.contains(words), "{arguments:?}: {text}");
        }
    }
    let error = ["ext", "add", "100", "--json", "--lang", "zh"];
    let (_, text) = server.run(&error);
    let error: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&error["exit_code"], &error["error"]), (&4.into(), &"100：分机100已存在".into()));
    assert_eq!(server.json(&["setting", "get", "realm", "--lang", "zh"])["key"], "realm");
}

#[test]
fn settings_are_live_and_stay() {
    let server = Server::start(&[]);
    let all = server.json(&["setting", "list"]);
    assert!(all.as_array().unwrap().iter().any(|it| it["key"] == "no_answer_s"), "{all}");

    let set = server.json(&["setting", "set", "realm", "hall"]);
    assert_eq!((&set["value"], &set["default"]), (&"hall".into(), &"dialtone".into()));
    assert!(server.ask(REGISTER).contains("realm=\"hall\""), "counts at once");
    assert_eq!(server.json(&["setting", "reset", "realm"])["value"], "dialtone");
    assert!(server.ask(REGISTER).contains("realm=\"dialtone\""));
    assert_eq!(server.json(&["setting", "set", "no_answer_s", "30"])["value"], 30);

    let (_, folder) = server.stop();
    let offline =
        |arguments: &[&str]| outcome(&command(folder.path()).args(arguments).output().unwrap());
    #[rustfmt::skip]
    let table: [(&[&str], i32, &str); 6] = [
        (&["setting", "get", "no_answer_s"],        0, "30"),
        (&["setting", "set", "no_answer_s", "20"],  0, "20"),
        (&["setting", "set", "no_answer_s", "1"],   4, "no_answer_s = 1: must be 5 to 600 seconds"),
        (&["setting", "get", "noanswer"],           3, "the nearest is no_answer_s"),
        (&["setting", "set", "noanswer", "1"],      3, "the nearest is no_answer_s"),
        (&["setting", "set", "time_zone", "Mars"],  4, "time_zone = \"Mars\""),
    ];
    for (arguments, code, word) in table {
        let (got, text) = offline(arguments);
        assert_eq!(got, code, "{arguments:?}: {text}");
        assert!(text.contains(word), "{arguments:?}: {text}");
    }
    let server = Server::start_in(folder, &[]);
    assert_eq!(server.json(&["setting", "get", "no_answer_s"])["value"], 20);
    let (code, text) = server.run(&["setting", "set", "no/answer", "1"]);
    assert!(code == 3 && text.contains("no_answer_s"), "{text}");
}

#[test]
fn what_was_made_is_there_after_a_restart_and_editable_in_between() {
    let server = Server::start(&["--office"]);
    let welcome = server.welcome.clone();
    assert!(
        welcome.contains("100  ") && welcome.contains("Server address: 127.0.0.1:"),
        "{welcome}"
    );
    let (code, folder) = server.stop();
    assert_eq!(code, Some(0));

    let offline =
        |arguments: &[&str]| outcome(&command(folder.path()).args(arguments).output().unwrap());
    assert_eq!(offline(&["registrations"]).0, 69);
    assert_eq!(offline(&["ext", "add", "1000-1009", "--csv", "made.csv"]).0, 0);
    assert_eq!(offline(&["ext", "del", "101"]).0, 0);
    let (code, text) = offline(&["ext", "passwd", "102", "--json"]);
    assert!(code == 0 && text.contains("password"), "{text}");
    assert_eq!(offline(&["cdr", "export"]).1.lines().count(), 1);

    let made = std::fs::read_to_string(folder.path().join("made.csv")).unwrap();
    assert_eq!(made.lines().count(), 11);
    assert_eq!(mode(&folder.path().join("made.csv")), 0o600);

    let server = Server::start_in(folder, &["--office"]);
    assert!(!server.welcome.contains("100  "), "the office is made once: {}", server.welcome);
    let list = server.json(&["ext", "list"]);
    assert_eq!(numbers(&list)[..3], ["100", "1000", "1001"]);
    assert!(!numbers(&list).contains(&"101"));
}

#[test]
fn an_import_is_all_or_nothing() {
    let server = Server::start(&[]);
    let file = server.folder.path().join("in.csv");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "number,password,name\n100,k7mfx2pqrs,Hall\n101,101,Desk\n").unwrap();
    let (code, text) = server.run(&["ext", "import", path]);
    assert_eq!(code, 4);
    assert!(text.contains("line 3, column 2:"), "{text}");
    assert_eq!(numbers(&server.json(&["ext", "list"])), Vec::<&str>::new());
    assert_eq!(server.run(&["ext", "import", path, "--allow-weak"]).0, 0);
    let list = server.json(&["ext", "list"]);
    assert_eq!(numbers(&list), ["100", "101"]);
    assert_eq!(
        (&list[0]["weak_password"], &list[1]["weak_password"]),
        (&false.into(), &true.into())
    );
}

#[test]
fn a_second_server_is_refused_and_a_dead_one_leaves_nothing_in_the_way() {
    let server = Server::start(&[]);
    let second = ["serve", "--set", "sip.udp=127.0.0.1:0", "--set", "sip.tcp=127.0.0.1:0"];
    let (code, text) = server.run(&second);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("in use by dialtone serve"), "{text}");

    let mut server = server;
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    assert!(data(folder.path()).join("dialtone.sock").exists(), "kill -9 leaves the socket");
    assert_eq!(outcome(&command(folder.path()).arg("status").output().unwrap()).0, 69);
    let server = Server::start_in(folder, &[]);
    assert_eq!(server.run(&["status"]).0, 0);
    assert_eq!(mode(&data(server.folder.path()).join("dialtone.sock")), 0o660);
}

#[test]
fn files_that_only_tell_others_keep_nobody_from_phoning() {
    let folder = tempfile::tempdir().unwrap();
    // Stands in for a disk on which nothing can be written.
    std::fs::create_dir_all(data(folder.path()).join("ports.json.new")).unwrap();
    let (mut process, _) = spawn(folder.path(), &[]);
    signal(&process, "TERM");
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reload_opens_the_log_anew_and_names_what_waits_for_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dialtone.toml");
    let log = folder.path().join("dialtone.log");
    let text = format!("[log]\nfile = {:?}\n[trace]\nmemory_mib = 1\n", log.to_str().unwrap());
    std::fs::write(&file, &text).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let server = Server::start_in(folder, &config);
    assert_eq!(mode(&log), 0o640);
    std::fs::rename(&log, log.with_extension("1")).unwrap();
    std::fs::write(&file, format!("{text}[media]\nthreads = 3\n[guard]\nrate = 1\nburst = 1\n"))
        .unwrap();
    signal(&server.process, "HUP");
    let said = |what: &str| std::fs::read_to_string(&log).is_ok_and(|it| it.contains(what));
    until("the new file", || said("configuration read again"));
    until("the key", || said("key=media.threads"));
    assert!(!said("key=guard"));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..20 {
        socket.send_to(REGISTER.as_bytes(), server.address("sip_udp")).unwrap();
    }
    // The rates of the start let two hundred pass.
    let throttled =
        |it: &str| it.starts_with("dialtone_sip_throttled_total ") && !it.ends_with(" 0");
    until("a throttled source", || server.get("/metrics").lines().any(throttled));
}

#[test]
fn connections_are_counted_before_they_say_anything() {
    let server = Server::start(&[]);
    let idle: Vec<_> =
        (0..3).map(|_| TcpStream::connect(server.address("sip_tcp")).unwrap()).collect();
    let shows = |what: &str| server.get("/metrics").lines().any(|it| it == what);
    until("three connections", || shows("dialtone_sip_connections 3"));
    drop(idle);
    until("their end", || shows("dialtone_sip_connections 0"));
}

#[test]
fn the_journal_is_told_the_priority_of_each_line() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let stream = std::fs::File::create(&path).unwrap();
    let found = stream.metadata().unwrap();
    let mut serve = command(folder.path());
    serve.args(["serve", "--set", "sip.udp=127.0.0.1:0", "--set", "sip.tcp=127.0.0.1:0"]);
    serve
        .args(["--set", "http.listen=127.0.0.1:0", "--set", "http.tls_listen=127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(stream);
    serve.env("JOURNAL_STREAM", format!("{}:{}", found.dev(), found.ino()));
    let mut process = serve.spawn().unwrap();
    let said = || std::fs::read_to_string(&path).unwrap();
    until("a line", || said().contains(" ready "));
    signal(&process, "TERM");
    process.wait().unwrap();
    let ready = |it: &str| it.starts_with("<6>") && it.contains(" ready ");
    assert!(said().lines().any(ready), "{}", said());
    assert!(said().lines().all(|it| it.starts_with('<')), "{}", said());
}

#[test]
fn the_service_manager_hears_of_the_start_the_life_and_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&name).unwrap();
    manager.set_read_timeout(Some(LONG)).unwrap();
    let mut command = command(folder.path());
    command.env("NOTIFY_SOCKET", &name).env("WATCHDOG_USEC", "100000");
    let (mut process, _) = spawn_command(command, &[]);
    let heard = |what: &str| {
        let mut state = [0; 100];
        for _ in 0..1000 {
            let length = manager.recv(&mut state).unwrap();
            if &state[..length] == what.as_bytes() {
                return;
            }
        }
        panic!("{what} never came");
    };
    for what in ["READY=1", "WATCHDOG=1", "WATCHDOG=1"] {
        heard(what);
    }
    signal(&process, "TERM");
    heard("STOPPING=1");
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[test]
fn the_control_socket_may_be_elsewhere_but_not_where_another_server_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere.sock");
    let socket = ["--socket", elsewhere.to_str().unwrap()];
    let server = Server::start_in(folder, &socket);
    assert_eq!(server.run(&["status"]).0, 69, "not in the data directory");
    assert_eq!(server.run(&[&["status"], &socket[..]].concat()).0, 0);

    let other = tempfile::tempdir().unwrap();
    let serve = ["serve", "--set", "sip.udp=127.0.0.1:0", "--set", "sip.tcp=127.0.0.1:0"];
    let mut second = command(other.path());
    second
        .args(serve)
        .args(["--set", "http.listen=127.0.0.1:0", "--set", "http.tls_listen=127.0.0.1:0"])
        .args(socket);
    let (code, text) = outcome(&second.output().unwrap());
    assert!(code == 1 && text.contains("elsewhere.sock"), "{text}");
    assert_eq!(server.run(&[&["status"], &socket[..]].concat()).0, 0);
}

#[test]
fn without_descriptors_monitors_wait_and_the_processor_rests() {
    let server = Server::start(&[]);
    let process = format!("/proc/{}", server.process.id());
    let limit = |number: &str| {
        let pid = server.process.id().to_string();
        let limit = ["--pid", &pid, &format!("--nofile={number}:")];
        assert!(Command::new("prlimit").args(limit).status().unwrap().success());
    };
    let ticks = || {
        let stat = std::fs::read_to_string(format!("{process}/stat")).unwrap();
        let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11);
        fields.take(2).map(|it| it.parse::<u32>().unwrap()).sum::<u32>()
    };
    limit("3");
    let mut stream = TcpStream::connect(server.address("http")).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let before = ticks();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap_err();
    let spent = ticks() - before;
    assert!(spent < 50, "{spent} hundredths of a second in two seconds");
    limit("1024");
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_bad_configuration_is_exit_78_and_names_the_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.toml"), "[sip]\nupd = []\n").unwrap();
    for arguments in [["check-config", "bad.toml"], ["--config=bad.toml", "serve"]] {
        let (code, text) = outcome(&command(folder.path()).args(arguments).output().unwrap());
        assert_eq!(code, 78, "{text}");
        assert!(text.contains("the nearest is sip.udp"), "{text}");
    }
    let mut check = command(folder.path());
    let check = check.args(["check-config", "--json"]).env("DIALTONE_GUARD__RATE", "77");
    let (code, text) = outcome(&check.output().unwrap());
    let shown: Value = serde_json::from_str(&text).unwrap();
    let rate = shown.as_array().unwrap().iter().find(|it| it["key"] == "guard.rate").unwrap();
    assert_eq!(code, 0);
    assert_eq!(
        (&rate["value"], &rate["source"]),
        (&"\"77\"".into(), &"DIALTONE_GUARD__RATE".into())
    );
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
