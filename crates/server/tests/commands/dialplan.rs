//! `dialtone dialplan`, on a running server and without one.

use super::*;

#[test]
fn a_call_is_simulated_on_the_running_server_and_without_it() {
    let server = Server::start(&["--demo"]);
    let simulate = ["dialplan", "simulate", "--from", "102", "--dial"];
    let (code, text) = server.run(&[&simulate[..], &["101", "--at", "2026-11-26T10:15"]].concat());
    assert_eq!(code, 0, "{text}");
    let first = "Dialled 101  from 102  plan \"default\"  at Thu 2026-11-26 10:15\n";
    assert!(text.starts_with(first), "{text}");
    let result = "Result: would ring extension 101 - no phone of it is registered now.\n";
    assert!(text.ends_with(result), "{text}");

    let call = server.json(&[&simulate[..], &["101"]].concat());
    let candidates = &call["candidates"];
    assert_eq!(
        (&candidates[0]["kind"], &candidates[0]["name"]),
        (&"extension".into(), &"101".into())
    );
    let out = server.json(&[&simulate[..], &["90138"]].concat());
    assert_eq!(out["refusal"]["code"], "route.no_line");
    let (_, text) = server.run(&[&simulate[..], &["*43", "--lang", "zh"]].concat());
    assert!(text.contains("*43") && !text.contains("Result"), "{text}");
    let (code, text) = server.run(&["dialplan", "simulate", "--from", "555", "--dial", "101"]);
    assert!(code == 3 && text.contains("there is no extension 555"), "{text}");
    assert_eq!(
        server.run(&["dialplan", "lint"]),
        (0, "Nothing is wrong with the dial plan.\n".into())
    );

    let (_, folder) = server.stop();
    let output = command(folder.path()).args(simulate).arg("101").output().unwrap();
    let (code, text) = outcome(&output);
    assert!(code == 0 && text.ends_with("Result: would ring extension 101.\n"), "{text}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("No server is running"));
}

const PLAN: &str = r#"
[[transitions]]
id = 1
type = "delete"
length = 1

[[called]]
id = 5
prefix = "90"
route = { external-line = { line = "5678" } }
transition = 1

[[lines]]
account = "5678"
domain = "sip.example.com"
outbound_proxy = "127.0.0.1:9"
password = "k7mfx2pqrs"
"#;

#[test]
fn a_plan_is_imported_live_or_not_at_all() {
    let server = Server::start(&["--demo"]);
    let path = |name: &str| server.folder.path().join(name).to_str().unwrap().to_owned();
    let (plan, out) = (path("plan.toml"), path("out.toml"));
    std::fs::write(&plan, PLAN).unwrap();
    let import = |more: &[&str]| server.run(&[&["dialplan", "import", &plan], more].concat());
    let simulate = || {
        let line = "dialplan simulate --from 102 --dial 90138 --all-up --at 2026-11-26T10:15";
        server.json(&line.split(' ').collect::<Vec<_>>())
    };
    let (code, text) = import(&["--dry-run"]);
    assert!(code == 0 && text.contains("Nothing was changed (dry run)."), "{text}");
    assert_eq!(simulate()["refusal"]["code"], "route.no_line");

    assert_eq!(import(&[]).0, 0);
    let call = simulate();
    let (line, text) = (&call["candidates"][0], call["text"]["en"].as_str().unwrap());
    assert_eq!((&line["kind"], &line["name"]), (&"line".into(), &"5678".into()));
    assert_eq!(line["called"], "0138");
    #[rustfmt::skip]
    let steps = ["Called analysis    row 5", "Transition 1       delete (0,1)   90138 -> 0138", "Send"];
    assert!(steps.iter().all(|it| text.contains(it)), "{text}");
    // Nobody answers there, and the running server knows.
    let (_, text) = server.run(&["dialplan", "simulate", "--from", "102", "--dial", "90138"]);
    assert!(text.contains("not registered") && text.contains("refused"), "{text}");

    std::fs::write(&plan, PLAN.replace("id = 5", "id = 5\nlevel = 2")).unwrap();
    assert_eq!(import(&[]).0, 0);
    assert_eq!(simulate()["refusal"]["code"], "route.denied_level");
    let set = server.json(&["ext", "set", "102", "--levels", "1,2"]);
    assert_eq!((&set["plan"], &set["levels"]), (&"default".into(), &vec![1, 2].into()));
    assert_eq!(simulate()["candidates"][0]["name"], "5678", "the level counts at once");
    let (code, text) = server.run(&["ext", "set", "102", "--plan", "guest"]);
    assert!(code == 4 && text.contains("plan = guest: there is no such dial plan"), "{text}");

    assert_eq!(server.run(&["dialplan", "export", &out]).0, 0);
    assert_eq!(server.run(&["dialplan", "export", &out]).0, 4, "no file is written over");
    let exported = std::fs::read_to_string(&out).unwrap();
    assert!(exported.contains("account = \"5678\"") && !exported.contains("k7mfx2pqrs"));
    let again = server.json(&["dialplan", "import", &out]);
    assert!(!is_changed(&again), "{again}");

    #[rustfmt::skip]
    let table = [
        ("prefix = \"90\"", "prefx = \"90\"", "Analyze called number, row 5, prefx: there is no such field; the nearest is prefix."),
        ("transition = 1",  "transition = 2",   "Analyze called number, row 5, transition: there is no transition 2. Add it, or name another."),
        ("id = 5",          "id == 5",          "line 8"),
    ];
    for (from, to, expected) in table {
        std::fs::write(&plan, PLAN.replace(from, to)).unwrap();
        let (code, text) = import(&[]);
        assert!(code == 4 && text.contains("nothing was imported"), "{text}");
        assert!(text.contains(expected), "{text}");
        assert_eq!(simulate()["candidates"][0]["name"], "5678");
    }

    let (_, folder) = server.stop();
    let offline =
        |arguments: &[&str]| outcome(&command(folder.path()).args(arguments).output().unwrap());
    let (code, text) = offline(&["dialplan", "export", "-", "--lang", "zh"]);
    assert!(code == 0 && text.contains("# 外线") && text.contains("5678"), "{text}");
    assert_eq!(offline(&["dialplan", "import", &out, "--dry-run"]).0, 0);
    // Who deletes the owner of a line would break it.
    std::fs::write(&plan, PLAN.replace("domain", "owner = \"101\"\ndomain")).unwrap();
    assert_eq!(offline(&["dialplan", "import", &plan]).0, 0);
    let (code, text) = offline(&["ext", "del", "101"]);
    assert!(code == 4 && text.contains("External line, row 5678, owner"), "{text}");
    assert_eq!((offline(&["dialplan", "lint"]).0, offline(&["ext", "del", "100"]).0), (0, 0));
}

fn is_changed(imported: &Value) -> bool {
    let is_full = |it: &Value| !it.as_array().unwrap().is_empty();
    let changed = |it: &Value| ["added", "changed", "removed"].iter().any(|key| is_full(&it[key]));
    imported["changes"].as_array().unwrap().iter().any(changed)
}

/// As a spreadsheet is used: exported, changed in places, and put in again, table by table.
#[test]
fn tables_go_out_to_csv_and_come_in_again_live_or_not_at_all() {
    let server = Server::start(&["--demo"]);
    let path = |name: &str| server.folder.path().join(name).to_str().unwrap().to_owned();
    let (plan, out, called) = (path("plan.toml"), path("tables"), path("tables/called.csv"));
    std::fs::write(&plan, PLAN).unwrap();
    assert_eq!(server.run(&["dialplan", "import", &plan]).0, 0);
    assert_eq!(server.run(&["dialplan", "export", "--csv", &out]).0, 0);
    let (code, text) = server.run(&["dialplan", "export", "--csv", &out]);
    assert!(code == 4 && text.contains("plans.csv"), "no file is written over: {text}");
    let lines = std::fs::read_to_string(path("tables/lines.csv")).unwrap();
    assert!(lines.contains("5678") && !lines.contains("k7mfx2pqrs"), "{lines}");
    let (code, text) = server.run(&["dialplan", "import", &out, "--dry-run"]);
    assert!(code == 0 && text.contains("0 changes") && text.contains("dry run"), "{text}");

    // Only the table that there is a file of.
    let rows = "\u{feff}id,prefix,route,transition\r\n5,90,external-line:rotation,1\r\n6,'00,reject:403,\r\n";
    std::fs::write(&called, rows).unwrap();
    let (code, text) = server.run(&["dialplan", "import", &called, "--dry-run"]);
    assert_eq!(code, 0, "{text}");
    for line in [
        "added to Analyze called number: 6\n",
        "changed in Analyze called number: 5\n",
        "2 changes\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let reject = || server.json(&["dialplan", "simulate", "--from", "102", "--dial", "0049"]);
    assert_eq!(reject()["refusal"]["code"], "route.no_match");
    assert_eq!(server.run(&["dialplan", "import", &called]).0, 0);
    assert_eq!(reject()["refusal"]["row"], 6);
    let lines = server.json(&["line", "list"]);
    assert_eq!((&lines[0]["account"], &lines[0]["has_password"]), (&"5678".into(), &true.into()));

    let (_, text) = server.run(&["dialplan", "export", "--table", "called", "-"]);
    assert!(text.contains("6,default,'00,reject:403,,false,,,\r\n"), "{text}");
    #[rustfmt::skip]
    let table = [
        ("5,90,external-line:line:99,1", "called.csv, line 2, column 3 (route): there is no external line 99. Add it, or name another."),
        ("5,9 0,local-user,",            "called.csv, line 2, column 2 (prefix): \"9 0\" is no number. Use at most 64"),
        ("5,90,local-user,8",            "called.csv, line 2, column 4 (transition): there is no transition 8. Add it, or name another."),
        ("5,90,local-user,x",            "called.csv, line 2, column 4 (transition): \"x\" is no whole number from 0 to 4294967295. Write one."),
    ];
    for (row, expected) in table {
        std::fs::write(&called, format!("id,prefix,route,transition\n{row}\n7,8,local-user,\n"))
            .unwrap();
        let (code, text) = server.run(&["dialplan", "import", &called]);
        assert!(code == 4 && text.contains("nothing was imported"), "{text}");
        assert!(text.contains(expected), "{text}");
        assert_eq!(reject()["refusal"]["row"], 6, "nothing of it is there");
    }
    let (code, text) = server.run(&["dialplan", "import", &path("tables"), "--lang", "zh"]);
    assert!(
        code == 4
            && text.contains("called.csv第2行第4列（transition）：“x”不是0至4294967295的整数。"),
        "{text}"
    );
    std::fs::rename(&called, path("caled.csv")).unwrap();
    let (code, text) = server.run(&["dialplan", "import", &path("caled.csv")]);
    assert!(code == 4 && text.contains("the nearest is called"), "{text}");

    let (_, folder) = server.stop();
    let offline =
        |arguments: &[&str]| outcome(&command(folder.path()).args(arguments).output().unwrap());
    let again = folder.path().join("again").to_str().unwrap().to_owned();
    assert_eq!(offline(&["dialplan", "export", "--csv", &again]).0, 0);
    let (code, text) = offline(&["dialplan", "import", &again, "--json"]);
    assert!(code == 0 && !is_changed(&serde_json::from_str(&text).unwrap()), "{text}");
}

/// The server knows what its phones have set, which no table of the dial plan tells.
#[test]
fn a_simulated_call_is_followed_to_where_it_is_sent_on() {
    let server = Server::start(&["--demo"]);
    let simulate = || server.json(&["dialplan", "simulate", "--from", "102", "--dial", "100"]);
    assert_eq!(simulate()["refusal"]["code"], "callee.not_registered", "no phone is there");

    assert_eq!(server.run(&["ext", "set", "100", "--forward-unreachable", "101"]).0, 0);
    assert_eq!(server.run(&["ext", "set", "101", "--forward-always", "*43"]).0, 0);
    let call = simulate();
    assert_eq!(call["forwarded_by"], serde_json::json!(["100", "101"]));
    assert_eq!(call["refusal"]["code"], "caller.forbidden", "a code in the place of another");
    let text = call["text"]["en"].as_str().unwrap();
    let way = "Result: extension 100 forwards to 101 (unreachable).";
    assert!(text.contains(way), "{text}");

    assert_eq!(
        server.run(&["ext", "set", "101", "--forward-always", "", "--do-not-disturb", "true"]).0,
        0
    );
    assert_eq!(simulate()["refusal"]["code"], "callee.do_not_disturb");
    let (_, text) =
        server.run(&["dialplan", "simulate", "--from", "102", "--dial", "100", "--lang", "zh"]);
    assert!(text.contains("结果：分机 100 不可达时转移到 101。"), "{text}");
    assert!(text.contains("结果：分机 101 振铃，但该分机已设置免打扰。"), "{text}");
}

#[test]
fn feature_codes_are_changed_live_and_checked_at_save() {
    let server = Server::start(&["--demo"]);
    let simulate = |server: &Server, number: &str| {
        server.json(&["dialplan", "simulate", "--from", "102", "--dial", number])
    };
    let list = server.json(&["feature", "list"]);
    assert_eq!((&list[0]["feature"], &list[0]["code"]), (&"echo".into(), &"*43".into()));
    assert_eq!(simulate(&server, "*43")["candidates"][0]["kind"], "echo");

    let set = server.json(&["feature", "set", "echo", "8800"]);
    assert_eq!((&set["code"], &set["usual"]), (&"8800".into(), &"*43".into()));
    assert_eq!(simulate(&server, "8800")["candidates"][0]["name"], "8800");
    assert_eq!(simulate(&server, "*43")["refusal"]["code"], "feature.unknown");
    assert_eq!(server.run(&["feature", "off", "do-not-disturb"]).0, 0);
    assert_eq!(simulate(&server, "*78")["refusal"]["code"], "feature.unknown");

    #[rustfmt::skip]
    let table: [(&[&str], i32, &str); 9] = [
        (&["feature", "set", "echo", "*79"],          4, "Feature code, row echo, code: it cannot be told from *79, the code of do-not-disturb-off. Choose a code"),
        (&["feature", "set", "pick-up", "*9"],        4, "row pick-up, code: it cannot be told from *90*, the code of forward-busy."),
        (&["feature", "set", "echo", "102"],          4, "row echo, code: who calls extension 102 would start the feature. Choose another code, or"),
        (&["feature", "set", "echo", "112"],          4, "row echo, code: it stands in the way of the emergency number 112."),
        (&["feature", "set", "echo", "echo"],         4, "row echo, code: it must be 1 to 16 of 0-9, * and #, or off."),
        (&["feature", "set", "ecko", "*44"],          3, "there is no feature ecko; the nearest is echo"),
        (&["ext", "add", "8800"],                     4, "Extension, row 8800, number: who calls it would start the feature echo."),
        (&["setting", "set", "emergency_numbers", "8800"], 4, "row echo, code: it stands in the way of the emergency number 8800."),
        (&["feature", "off", "nothing", "--lang", "zh"], 3, "没有功能nothing"),
    ];
    for (arguments, code, expected) in table {
        let (got, text) = server.run(arguments);
        assert!(got == code && text.contains(expected), "{arguments:?}: {text}");
    }
    assert_eq!(simulate(&server, "8800")["candidates"][0]["name"], "8800");

    let (_, csv) = server.run(&["dialplan", "export", "--table", "features", "-"]);
    assert!(csv.contains("echo,8800\r\n") && csv.contains("do-not-disturb,off\r\n"), "{csv}");
    let (_, toml) = server.run(&["dialplan", "export", "-"]);
    assert!(toml.contains("[[features]]\nfeature = \"echo\"\ncode = \"8800\"\n"), "{toml}");
    let features = server.folder.path().join("features.csv").to_str().unwrap().to_owned();
    std::fs::write(&features, &csv).unwrap();
    let again = server.json(&["dialplan", "import", &features, "--dry-run"]);
    assert!(!is_changed(&again), "{again}");
    std::fs::write(&features, "feature,code\necho,*79\n").unwrap();
    let (code, text) = server.run(&["dialplan", "import", &features]);
    assert!(
        code == 4
            && text.contains("features.csv, line 2, column 2 (code): it cannot be told from *79"),
        "{text}"
    );

    assert_eq!(server.json(&["feature", "reset", "echo"])["code"], "*43");
    let (_, folder) = server.stop();
    let offline =
        |arguments: &[&str]| outcome(&command(folder.path()).args(arguments).output().unwrap());
    let (code, text) = offline(&["feature", "list"]);
    assert!(
        code == 0 && text.contains("do-not-disturb           off") && text.contains("*93*NUMBER"),
        "{text}"
    );
    assert_eq!(offline(&["feature", "set", "echo", "*44"]).0, 0);
    let (_, text) = offline(&["dialplan", "simulate", "--from", "102", "--dial", "*44"]);
    assert!(text.contains("*44 -> echo"), "{text}");
}
