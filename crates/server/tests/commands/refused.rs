//! A dial plan that is wrong is refused whole, with row, field and remedy; and calls that are up hear of no change.

use super::*;

/// Every fault beside a row that is good, which is not taken over either.
const GOOD: &str = r#"
[[transitions]]
id = 1
type = "delete"
length = 1

[[transitions]]
id = 2
type = "replace"
length = 1
string = "8"

[[transitions]]
id = 3
type = "replace"
length = 1
string = "7"

[[called]]
id = 1
prefix = "5"
route = "local-user"
"#;

/// A row of what is analysed of called numbers.
fn row(id: u32, rest: &str) -> String {
    format!("[[called]]\nid = {id}\n{rest}\n")
}

#[test]
fn what_is_wrong_is_refused_with_row_field_and_remedy_and_nothing_is_taken_over() {
    let server = Server::start(&["--demo"]);
    let plan = server.folder.path().join("plan.toml").to_str().unwrap().to_owned();
    let export = || server.run(&["dialplan", "export", "-"]).1;
    let before = export();
    let again = |id, prefix: &str, transition: u32| {
        let rest = format!("prefix = \"{prefix}\"\nroute = \"local-user\"\nreanalyze = true");
        row(id, &format!("{rest}\ntransition = {transition}"))
    };
    let local = |id, prefix: &str, time: &str| {
        let time = if time.is_empty() { String::new() } else { format!("\ntime = \"{time}\"") };
        row(id, &format!("prefix = \"{prefix}\"\nroute = \"local-user\"{time}"))
    };
    #[rustfmt::skip]
    let table = [
        // unknown line, and whatever else a row can name
        (row(7, "prefix = \"9\"\nroute = { external-line = { line = \"99\" } }"), "Analyze called number, row 7, route: there is no external line 99. Add it, or name another."),
        (row(7, "prefix = \"9\"\nroute = { external-line = { group = 4 } }"),     "Analyze called number, row 7, route: no shared external line is in outgoing group 4. Set the outgoing group of a line first."),
        (row(7, "prefix = \"9\"\nroute = { sip-trunk = { listed = [4] } }"),      "Analyze called number, row 7, route: there is no SIP trunk 4. Add it, or name another."),
        (row(7, "prefix = \"9\"\nroute = \"local-user\"\ntransition = 9"),        "Analyze called number, row 7, transition: there is no transition 9. Add it, or name another."),
        (row(7, "plan = \"guest\"\nprefix = \"9\"\nroute = \"local-user\""),      "Analyze called number, row 7, plan: there is no dial plan guest. Add it, or name another."),
        // loops
        (again(7, "7", 2) + &again(8, "8", 3),                                       "Analyze called number, row 8, reanalyze: the number is analysed again and again. Turn re-analyze off, or let the transition lead to another prefix."),
        // overlapping prefixes
        (local(7, "9", "") + &local(8, "9", ""),                                     "Analyze called number, row 8, prefix: row 7 has the same prefix. Change the prefix, or give one of them a time."),
        (local(7, "9", "mon-fri") + &local(8, "9", "fri-sat"),                       "Analyze called number, row 8, time: row 7 has the same prefix and a time that overlaps. Part the times."),
        (local(7, "9", "") + &local(7, "8", ""),                                     "Analyze called number, row 7, id: the number is given twice. Give each row a number of its own."),
        // wrong number format
        (local(7, "9 0", ""),                                                        "Analyze called number, row 7, prefix: \"9 0\" is no number. Use at most 64 digits, letters, +, *, #, -, . and _, without spaces."),
        ("[[black_list]]\nid = 3\ncaller = \"13 8\"\n".into(),                        "Black list, row 3, caller: \"13 8\" is no number. Use at most 64"),
        ("[[transitions]]\nid = 4\ntype = \"insert\"\nstring = \"(0)\"\n".into(),     "Transition, row 4, string: \"(0)\" is no number. Use at most 64"),
        ("[[lines]]\naccount = \"56 78\"\ndomain = \"x\"\n".into(),                   "External line, row 56 78, account: \"56 78\" is no number. Use at most 64"),
        ("[[features]]\nfeature = \"echo\"\ncode = \"*78\"\n".into(),                 "Feature code, row echo, code: it cannot be told from *78, the code of do-not-disturb."),
    ];
    for (rows, expected) in table {
        std::fs::write(&plan, format!("{GOOD}{rows}")).unwrap();
        for more in [&["--dry-run"][..], &[]] {
            let (code, text) = server.run(&[&["dialplan", "import", &plan], more].concat());
            assert!(code == 4 && text.contains(expected), "{rows}: {text}");
        }
        let (_, text) = server.run(&["dialplan", "import", &plan, "--lang", "zh"]);
        assert!(text.contains("没有导入任何记录") && text.contains("，记录"), "{text}");
        assert_eq!(export(), before, "{rows}");
    }
    // All of it is named at once.
    let rows = local(7, "9 0", "") + &row(8, "prefix = \"8\"\nroute = { reject = 200 }");
    std::fs::write(&plan, format!("{GOOD}{rows}")).unwrap();
    let (_, text) = server.run(&["dialplan", "import", &plan]);
    assert!(text.contains("row 7, prefix") && text.contains("row 8, route"), "{text}");
    std::fs::write(&plan, GOOD).unwrap();
    assert_eq!(server.run(&["dialplan", "import", &plan]).0, 0);
    assert_ne!(export(), before, "what is good is taken over");
}

/// Who speaks SIP with the server, in as few words as will do.
struct Peer {
    socket: UdpSocket,
    server: SocketAddr,
}

impl Peer {
    fn new(server: &Server) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        Self { socket, server: server.address("sip_udp") }
    }

    fn address(&self) -> String {
        self.socket.local_addr().unwrap().to_string()
    }

    fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.server).unwrap();
    }

    /// What comes next that begins so.
    fn hear(&self, beginning: &str) -> String {
        let mut bytes = [0; 4000];
        loop {
            let length = self.socket.recv(&mut bytes).unwrap();
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if text.starts_with(beginning) {
                return text;
            }
        }
    }

    /// A request of the one dialog of extension 100.
    fn request(&self, method: &str, uri: &str, to: &str, sdp: &str) {
        let (address, length) = (self.address(), sdp.len());
        let sequence = if method == "BYE" { 2 } else { 1 };
        self.send(&format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{method}\r\n\
             From: <sip:100@127.0.0.1>;tag=1\r\nTo: {to}\r\nCall-ID: up\r\nCSeq: {sequence} {method}\r\n\
             Max-Forwards: 70\r\nContact: <sip:100@{address}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {length}\r\n\r\n{sdp}"
        ));
    }

    /// 200 to a request, with the same headers and this description.
    fn accept(&self, request: &str, sdp: &str) {
        let copied = ["Via:", "From:", "Call-ID:", "CSeq:"];
        let lines = request.lines().filter(|line| copied.iter().any(|it| line.starts_with(it)));
        let copied: String = lines.map(|it| format!("{it}\r\n")).collect();
        let (to, address, length) = (header(request, "To: "), self.address(), sdp.len());
        self.send(&format!(
            "SIP/2.0 200 OK\r\n{copied}To: {to};tag=2\r\nContact: <sip:200@{address}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}"
        ));
    }
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    message.lines().find_map(|it| it.strip_prefix(name)).unwrap()
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 45000 RTP/AVP 8\r\n";

#[test]
fn a_call_that_is_up_goes_on_whatever_is_imported() {
    let server = Server::start(&["--demo"]);
    let (phone, branch) = (Peer::new(&server), Peer::new(&server));
    server.json(&["ext", "set", "100", "--address", "127.0.0.1"]);
    server.json(&["trunk", "add", "1", "--address", &branch.address(), "--health-check", "0"]);
    let tables = server.folder.path().join("tables");
    let path = |name: &str| tables.join(name).to_str().unwrap().to_owned();
    assert_eq!(server.run(&["dialplan", "export", "--csv", tables.to_str().unwrap()]).0, 0);
    let import = |name: &str, rows: &str| {
        std::fs::write(path(name), rows).unwrap();
        let (code, text) = server.run(&["dialplan", "import", &path(name)]);
        assert_eq!(code, 0, "{text}");
    };
    import("called.csv", "id,prefix,route\n5,2,sip-trunk:listed:1\n");

    phone.request("INVITE", "sip:200@127.0.0.1", "<sip:200@127.0.0.1>", SDP);
    let invite = branch.hear("INVITE sip:200@");
    branch.accept(&invite, SDP);
    branch.hear("ACK ");
    let answer = phone.hear("SIP/2.0 200 ");
    let to = header(&answer, "To: ");
    let contact = header(&answer, "Contact: ").trim_start_matches('<');
    let contact = contact.split('>').next().unwrap();
    phone.request("ACK", contact, to, "");
    let calls = || server.json(&["calls"]);
    until("the call is up", || calls()[0]["state"] == "answered");
    let id = calls()[0]["id"].clone();

    // Its row, its trunk and the right to call at all are gone.
    import("black_list.csv", "id,caller,called,rate\n1,*,*,100\n");
    import("called.csv", "id,prefix,route\n6,2,reject:403\n");
    import("trunks.csv", "id\n");
    import("features.csv", "feature,code\necho,off\n");
    let refused = server.json(&["dialplan", "simulate", "--from", "100", "--dial", "200"]);
    assert_eq!(refused["refusal"]["code"], "security.blocked");
    let still = calls();
    assert_eq!((&still[0]["id"], &still[0]["state"]), (&id, &"answered".into()), "{still}");

    phone.request("BYE", contact, to, "");
    phone.hear("SIP/2.0 200 ");
    branch.accept(&branch.hear("BYE "), "");
    until("the record is there", || {
        let (_, records) = server.run(&["cdr", "export", "--json"]);
        records.contains("caller.hangup") && records.contains(id.as_str().unwrap())
    });
}
