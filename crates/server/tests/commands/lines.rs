//! `dialtone line` and `dialtone trunk`, on a running server and without one.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A registrar that takes whoever comes.
struct Carrier {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Carrier {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (address, ends) = (socket.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let of_thread = Arc::clone(&ends);
        let serve = move || {
            let mut datagram = [0; 4000];
            while !of_thread.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut datagram) else { continue };
                let request = String::from_utf8_lossy(&datagram[..length]).into_owned();
                if request.starts_with("REGISTER ") {
                    socket.send_to(granted(&request).as_bytes(), from).unwrap();
                }
            }
        };
        let thread = std::thread::Builder::new().name("carrier".into()).spawn(serve).unwrap();
        Self { address, ends, thread: Some(thread) }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// 200 to a REGISTER, for ten minutes, or for as long as it says.
fn granted(request: &str) -> String {
    let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:"];
    let mut answer = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.lines().filter(|line| copied.iter().any(|it| line.starts_with(it))) {
        let more = if line.starts_with("Contact:") { ";expires=600" } else { "" };
        answer += &format!("{line}{more}\r\n");
    }
    answer + "Content-Length: 0\r\n\r\n"
}

/// The files of a folder that hold this text.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let holds = |bytes: Vec<u8>| bytes.windows(text.len()).any(|it| it == text.as_bytes());
    let found = files.filter(|it| it.is_file() && holds(std::fs::read(it).unwrap()));
    found.map(|it| it.display().to_string()).collect()
}

const PASSWORD: &str = "k7mfx2pqrs";

#[test]
fn a_line_lives_from_add_to_del() {
    let (server, carrier) = (Server::start(&["--demo"]), Carrier::start());
    assert_eq!(server.run(&["setting", "set", "language", "zh"]).0, 0);
    let proxy = carrier.address.to_string();
    #[rustfmt::skip]
    let added = server.json(&["line", "add", "5678", "--domain", "sip.example.com", "--outbound-proxy", &proxy,
        "--password", PASSWORD, "--owner", "101", "--calls-out", "4", "--100rel", "off"]);
    assert_eq!((&added["has_password"], &added["calls_out_max"]), (&true.into(), &4.into()));
    assert_eq!(
        (&added["interop"]["reliable"], &added["uri_parameters"]),
        (&"off".into(), &"user=phone".into())
    );
    let registered = server.json(&["line", "register", "5678"]);
    assert_eq!(registered["state"]["standing"], "registered", "{registered}");
    let said = &registered["state"]["last_request"]["what"]["en"];
    assert!(
        said.as_str().unwrap().starts_with("REGISTER sip:sip.example.com;user=phone to 127.0.0.1:")
    );

    let (code, text) = server.run(&["line", "list"]);
    assert_eq!(code, 0, "{text}");
    for part in ["5678", "registered until ", "0/4", "200 OK"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (_, text) = server.run(&["line", "list", "--lang", "zh"]);
    assert!(text.contains("已注册，有效期至"), "{text}");
    let (_, text) = server.run(&["line", "show", "5678"]);
    for part in ["password      set", "--calls-out", "--100rel", "The extension it belongs to"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (_, text) = server.run(&["line", "show", "5678", "--lang", "zh"]);
    assert!(text.contains("所属分机") && !text.contains("belongs"), "{text}");

    let set = ["line", "set", "5678"];
    let changed = server.json(&[&set[..], &["--incoming", "number:102", "--calls-out="]].concat());
    assert_eq!(changed["incoming"], serde_json::json!({ "number": "102" }));
    assert_eq!((&changed["calls_out_max"], &changed["owner"]), (&Value::Null, &"101".into()));
    assert_eq!(changed["has_password"], true, "what is not named stays");
    #[rustfmt::skip]
    let table: [(&[&str], i32, &str); 7] = [
        (&["set", "5678", "--owner", "555"],         4, "External line, row 5678, owner: there is no extension 555. Add it, or name another."),
        (&["set", "5678", "--expires", "59"],        4, "External line, row 5678, expires_s: it must be 60 to 86400 seconds."),
        (&["set", "5678", "--uri-parameters", "a b"], 4, "External line, row 5678, uri_parameters: it must be"),
        (&["add", "5678", "--domain", "x"],          4, "external line 5678 exists already"),
        (&["add", "56 78", "--domain", "x"],         4, "\"56 78\" is no number"),
        (&["add", "1234"],                           4, "External line, row 1234, domain: it must be"),
        (&["del", "9"],                              3, "there is no external line 9"),
    ];
    for (arguments, expected, part) in table {
        let (code, text) = server.run(&[&["line"], arguments].concat());
        assert!(code == expected && text.contains(part), "{arguments:?}: {code} {text}");
    }
    let all = server.json(&["line", "list"]);
    assert_eq!((all.as_array().unwrap().len(), &all[0]["expires_s"]), (1, &3600.into()));
    assert_eq!(all[0]["state"]["standing"], "registered", "a change of no concern asks nobody");
    assert!(!all.to_string().contains(PASSWORD));

    let (_, folder) = server.stop();
    assert_eq!(files_with(&data(folder.path()), PASSWORD), [""; 0]);
    let offline =
        |arguments: &[&str]| outcome(&command(folder.path()).args(arguments).output().unwrap());
    assert_eq!(offline(&["line", "set", "5678", "--description", "Telecom"]).0, 0);
    let (code, text) = offline(&["line", "list"]);
    assert!(code == 0 && text.contains("Telecom") && !text.contains("registered"), "{text}");
    assert_eq!(offline(&["line", "register", "5678"]).0, 69);
    assert_eq!(offline(&["line", "del", "5678"]).0, 0);
    assert_eq!(offline(&["line", "show", "5678"]).0, 3);
}

#[test]
fn trunks_and_lines_that_are_named_stay() {
    let server = Server::start(&["--demo"]);
    #[rustfmt::skip]
    let added = server.json(&["trunk", "add", "1", "--address", "127.0.0.1:9", "--address", "127.0.0.2:9,7",
        "--source", "127.9.0.0/16", "--calls-in", "0", "--caller-number", "0755", "--health-check", "0"]);
    assert_eq!(added["addresses"][0]["priority"], 0);
    assert_eq!(added["addresses"][1]["priority"], 7);
    assert_eq!((&added["calls_in_max"], &added["calls_out_max"]), (&0.into(), &Value::Null));
    server.json(&["line", "add", "5678", "--domain", "127.0.0.1:9", "--register", "false"]);
    let plan = server.folder.path().join("plan.toml");
    let path = plan.to_str().unwrap();
    assert_eq!(server.run(&["dialplan", "export", path]).0, 0);
    let rows = r#"
        [[called]]
        id = 5
        prefix = "8"
        route = { external-line = { line = "5678" } }
        [[called]]
        id = 6
        prefix = "2"
        route = { sip-trunk = { listed = [1] } }
    "#;
    std::fs::write(&plan, std::fs::read_to_string(&plan).unwrap() + rows).unwrap();
    server.json(&["dialplan", "import", path]);

    for (arguments, name, row) in [
        (["line", "del", "5678"], "External line 5678", "row 5, route"),
        (["trunk", "del", "1"], "SIP trunk 1", "row 6, route"),
    ] {
        let (code, text) = server.run(&arguments);
        let expected = format!("{name} is in use. Change or delete these first:");
        assert!(code == 4 && text.contains(&expected) && text.contains(row), "{code} {text}");
    }
    let (code, text) = server.run(&["trunk", "list"]);
    assert!(code == 0 && text.contains("127.0.0.2:9 (up)") && text.contains("closed"), "{text}");
    let (_, text) = server.run(&["trunk", "show", "1", "--lang", "zh"]);
    assert!(text.contains("统一主叫号码") && text.contains("0755"), "{text}");
    let (code, text) = server.run(&["trunk", "set", "1", "--health-check", "4"]);
    assert!(code == 4 && text.contains("SIP trunk, row 1, options_s"), "{text}");
    assert_eq!(server.run(&["trunk", "add", "1", "--address", "x"]).0, 4);
    assert_eq!(server.run(&["trunk", "add", "2"]).0, 4, "without an address");
    assert_eq!(
        server.json(&["trunk", "set", "1", "--no-source"])["sources"],
        serde_json::json!([])
    );
    let (code, text) = server.run(&["line", "register", "5678"]);
    assert!(code == 4 && text.contains("is not to be registered"), "{text}");
}

#[test]
fn the_variables_of_another_server_become_switches_of_lines() {
    let server = Server::start(&["--demo"]);
    let file = server.folder.path().join("mss_var_param.ini");
    std::fs::write(&file, "[sip]\r\ngVarSipRegSameDialog=0\r\ngVarSipTCPPort=1234\r\ngVarX=1\r\n")
        .unwrap();
    let import = ["import", "mss", file.to_str().unwrap()];
    let (code, text) = server.run(&import);
    assert!(code == 0 && text.contains("there is no external line yet"), "{text}");
    server.json(&["line", "add", "5678", "--domain", "127.0.0.1:9", "--password", PASSWORD]);
    let switch = || server.json(&["line", "show", "5678"])["new_call_id"].clone();
    let (_, text) = server.run(&[&import[..], &["--dry-run"]].concat());
    assert!(text.contains("Nothing was changed (dry run)."), "{text}");
    assert_eq!(switch(), false);
    let (_, text) = server.run(&import);
    #[rustfmt::skip]
    let parts = ["gVarSipRegSameDialog = 0: a new Call-ID", "[sip] tcp = [\"[::]:1234\"]", "gVarX = 1: not known here"];
    assert!(parts.iter().all(|it| text.contains(it)), "{text}");
    assert_eq!(switch(), true);
    assert_eq!(server.json(&["line", "show", "5678"])["has_password"], true);
    let (_, text) = server.run(&[&import[..], &["--lang", "zh"]].concat());
    assert!(text.contains("外线已是如此设置"), "{text}");
    let (code, text) = server.run(&[&import[..], &["--line", "9"]].concat());
    assert!(code == 3 && text.contains("there is no external line 9"), "{text}");
    let page = server.get("/metrics");
    assert!(page.contains("dialtone_line_registered{line=\"5678\"} 0"), "{page}");
}
