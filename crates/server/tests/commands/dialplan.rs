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
