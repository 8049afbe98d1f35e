//! What is done by the command line while no server runs is in the audit, as what is done by the server.

use super::*;
use serde_json::json;

/// Each entry as `action kind name`, the newest first; all of them by the command line.
fn told(folder: &Path) -> Vec<String> {
    let output = command(folder).args(["audit", "list", "--json"]).output().unwrap();
    let (code, text) = outcome(&output);
    assert_eq!(code, 0, "{text}");
    let page: Value = serde_json::from_str(&text).unwrap();
    let entries = page.as_array().or_else(|| page["entries"].as_array()).unwrap();
    let told = |it: &Value| {
        assert_eq!(json!([it["actor_kind"], it["source"]]), json!(["cli", "offline"]));
        let word = |name: &str| it[name].as_str().unwrap().to_owned();
        format!("{} {} {}", word("action"), word("kind"), word("name"))
    };
    entries.iter().map(told).collect()
}

#[test]
fn acts_on_files_are_told_too_and_only_where_something_was_done() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(data(folder.path())).unwrap();
    let run = |arguments: &[&str]| {
        let (code, text) = outcome(&command(folder.path()).args(arguments).output().unwrap());
        assert_eq!(code, 0, "{arguments:?}: {text}");
        text
    };
    run(&["ext", "add", "100"]);
    run(&["standby", "off"]);
    assert_eq!(told(folder.path()), ["add extensions 100"], "it was not on standby");
    std::fs::write(data(folder.path()).join("standby"), "").unwrap();
    run(&["standby", "off"]);

    run(&["cert", "reset"]);
    // One that the server made itself is as good as any that is installed.
    let own = std::fs::read_to_string(data(folder.path()).join("certs/self-signed.pem")).unwrap();
    let pem = folder.path().join("own.pem");
    std::fs::write(&pem, own).unwrap();
    let pem = pem.to_str().unwrap();
    run(&["cert", "install", pem, pem]);
    run(&["cert", "reset"]);
    let expected = [
        "change certificate https",
        "change certificate https",
        "standby_off backups ",
        "add extensions 100",
    ];
    assert_eq!(told(folder.path()), expected);
}
