//! The first office: extensions 100, 101 and 102, so that two phones can talk at once.

use pbx::id::TenantId;
use pbx::language::{Language, Text};
use pbx::network::{Network, is_private};
use pbx::settings::Settings;
use pbx::text;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use store::db::{ExtensionProfile, NewExtension};
use store::password::NewPassword;
use store::{Db, StoreError};

const NUMBERS: [&str; 3] = ["100", "101", "102"];

/// What `serve` does with a database that has no extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Nothing: a package waits for its administrator.
    Empty,
    /// The office with generated passwords.
    Office,
    /// The office with passwords equal to the numbers, for private sources only.
    Demo,
}

/// Numbers with their passwords, to be shown once.
pub(crate) type Made = Vec<(String, String)>;

/// Makes the office unless there are extensions already. It speaks the language of who starts it,
/// unless somebody has settled that.
pub(crate) async fn make(db: &Db, first: First, language: Language) -> Result<Made, StoreError> {
    let is_demo = match first {
        First::Empty => return Ok(vec![]),
        First::Office => false,
        First::Demo => true,
    };
    if !db.extensions_after(TenantId::default(), "", "", 1).await?.is_empty() {
        return Ok(vec![]);
    }
    let mut made = Made::new();
    let mut rows = Vec::new();
    for number in NUMBERS {
        let password = if is_demo {
            NewPassword::allow_weak(number, number)?
        } else {
            NewPassword::generate()?
        };
        made.push((number.to_owned(), password.reveal().to_owned()));
        let profile = ExtensionProfile::new(number);
        rows.push(NewExtension { profile, password: Some(password) });
    }
    db.insert_extensions(TenantId::default(), rows).await?;
    let settings = db.settings(TenantId::default()).await?;
    if settings == Settings::default() && settings.language != language {
        db.set_settings(TenantId::default(), Settings { language, ..settings }).await?;
    }
    Ok(made)
}

/// The welcome: who can register where.
pub(crate) fn welcome(made: &Made, server: &str, is_demo: bool) -> Text {
    let list: Vec<String> = made.iter().map(|(number, it)| format!("  {number}  {it}")).collect();
    let list = list.join("\n");
    let mut lines = vec![
        Text::same(""),
        text!(
            "Extensions and passwords (shown only now):\n{list}",
            "分机及密码（仅显示一次）：\n{list}"
        ),
        text!("Server address: {server}", "服务器地址：{server}"),
        text!(
            "In a SIP phone enter the server address, the extension as user name, and its password; \
             then dial another extension, or *43 to hear yourself.",
            "在SIP电话中填写服务器地址、分机号（作为账号）和密码，然后拨打另一分机，或拨*43听自己的回声。"
        ),
    ];
    if is_demo {
        lines.push(text!(
            "DEMO: these passwords are known to everybody; they are accepted from loopback and \
             private addresses only.",
            "演示模式：密码众所周知，仅接受来自本机和私网的注册。"
        ));
    }
    Text::lines(lines)
}

/// Nobody administers the server yet: where to begin, and the code that strangers do not know.
pub(crate) fn set_up(http: &[SocketAddr], code: &str) -> Text {
    let port = http.first().map_or(8080, SocketAddr::port);
    let from_elsewhere = match http.iter().all(|it| it.ip().is_loopback()) {
        true => Text::same(""),
        false => text!(
            ", or the same at this machine's address from a private network",
            "，或从私网用本机地址打开"
        ),
    };
    text!(
        "No administrator yet: open http://localhost:{port}/setup on this machine{}.\nSet-up code: {code}",
        "还没有管理员：请在本机打开 http://localhost:{port}/setup {}。\n设置码：{code}",
        from_elsewhere
    )
}

/// The demo was asked for, but there are extensions.
pub(crate) fn no_demo() -> Text {
    text!(
        "There are extensions already, so --demo changes nothing: `ext passwd` makes a new password.",
        "已有分机，--demo未作任何改动；可用`ext passwd`重设密码。"
    )
}

/// What to enter in a phone: the advertised address towards the world, and the port if it is not
/// the usual one.
pub(crate) fn server_address(network: &Network, bound: &[SocketAddr]) -> String {
    let first = bound.iter().find(|it| !it.ip().is_loopback()).or_else(|| bound.first());
    let Some(first) = first else { return "-".to_owned() };
    let ip = if first.ip().is_unspecified() { of_machine(network) } else { first.ip() };
    match (first.port(), ip) {
        (5060, ip) => ip.to_string(),
        (port, ip) => SocketAddr::new(ip, port).to_string(),
    }
}

fn of_machine(network: &Network) -> IpAddr {
    let mut all = network.interfaces.iter().map(ipnet::IpNet::addr);
    let office = all.find(|it| it.is_ipv4() && is_private(*it) && !it.is_loopback());
    network.default_v4.or(office).or(network.default_v6).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn server_address_table() {
        let network = Network {
            interfaces: vec!["192.168.1.10/24".parse().unwrap()],
            default_v4: Some("192.168.1.10".parse().unwrap()),
            ..Network::default()
        };
        #[rustfmt::skip]
        let table = [
            (vec!["[::]:5060"],                        "192.168.1.10"),
            (vec!["0.0.0.0:5070"],                     "192.168.1.10:5070"),
            (vec!["127.0.0.1:5060"],                   "127.0.0.1"),
            (vec!["127.0.0.1:5060", "10.0.0.1:5060"],  "10.0.0.1"),
            (vec!["[2001:db8::1]:5070"],               "[2001:db8::1]:5070"),
            (vec![],                                   "-"),
        ];
        for (bound, expected) in table {
            let bound: Vec<SocketAddr> = bound.iter().map(|it| it.parse().unwrap()).collect();
            assert_eq!(server_address(&network, &bound), expected, "{bound:?}");
        }
    }

    #[test]
    fn the_welcome_says_it_all_in_both_languages() {
        let made = vec![("100".to_owned(), "k7mfx2pq".to_owned())];
        let plain = welcome(&made, "10.0.0.1", false);
        for text in [&plain.en, &plain.zh] {
            assert!(text.contains("100  k7mfx2pq") && text.contains("10.0.0.1"), "{text}");
        }
        assert!(plain.en.is_ascii() && !plain.en.contains("DEMO"));
        let demo = welcome(&made, "10.0.0.1", true);
        assert!(demo.en.contains("DEMO") && demo.zh.contains("演示模式"));
    }

    #[tokio::test]
    async fn the_office_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        assert!(make(&db, First::Empty, Language::Zh).await.unwrap().is_empty());
        let language = async || db.settings(TenantId::default()).await.unwrap().language;
        assert_eq!(language().await, Language::En);
        let made = make(&db, First::Demo, Language::Zh).await.unwrap();
        assert_eq!(language().await, Language::Zh);
        assert_eq!(made[2], ("102".to_owned(), "102".to_owned()));
        assert!(make(&db, First::Office, Language::En).await.unwrap().is_empty());
        assert_eq!(language().await, Language::Zh);
        assert!(db.extension(TenantId::default(), "100").await.unwrap().weak_password);
    }
}
