//! The rest of the first minute: what the network is like, how many phones there are to be, and their cards.

use super::field;
use crate::pages::extensions::{add_range, cards};
use crate::pages::failure::{PageFailure, sentences};
use crate::pages::form::Sent;
use crate::pages::layout::Layout;
use crate::pages::render;
use crate::pages::viewer::Viewer;
use crate::pages::words::words;
use crate::resource::{Failure, Status};
use askama::Template;
use axum::Form as Body;
use axum::response::Response;
use pbx::text;

/// Phones of a small office, and the number of the first one.
const PHONES: &str = "3";
const FIRST: &str = "100";

words! {
    Words {
        title: "Network and numbers", "网络和号码";
        step: "Step 2 of 3: numbers", "第2步（共3步）：号码";
        network: "Your network", "您的网络";
        ready: "The server is ready: phones reach it at this address.", "服务器已就绪，话机使用以下地址。";
        local: "The server listens on this machine only: phones elsewhere do not reach it.", "服务器只监听本机，其他设备上的话机无法连接。";
        not_ready: "The server does not take calls yet.", "服务器暂不接受呼叫。";
        server: "Server address", "服务器地址";
        listens: "Listens on", "监听端口";
        phones: "How many phones?", "有多少部话机？";
        first: "First number", "起始号码";
        help: "Each number gets a password of its own. More can be added at any time.", "每个号码自动生成密码，以后可以随时添加。";
        next: "Next", "下一步";
        skip: "Skip", "跳过";
    }
}

#[derive(Template)]
#[template(path = "welcome.html")]
struct Page {
    page: Layout,
    w: &'static Words,
    class: &'static str,
    sentence: &'static str,
    server: String,
    listens: String,
    phones: String,
    first: String,
    wrong: Vec<String>,
}

pub(crate) async fn on_welcome_form(viewer: Viewer) -> Result<Response, PageFailure> {
    Ok(page(&viewer, PHONES.to_owned(), FIRST.to_owned(), None).await?)
}

pub(crate) async fn on_welcome(
    viewer: Viewer,
    Body(sent): Body<Sent>,
) -> Result<Response, PageFailure> {
    let (phones, first) = (field(&sent, "phones"), field(&sent, "first"));
    let made = match last(&first, &phones) {
        Some(last) => add_range(&viewer, &first, &last).await,
        None => Err(Failure::new(
            422,
            "invalid",
            text!(
                "How many phones, and which number the first one has, are numbers.",
                "话机数量和起始号码应为数字。"
            ),
        )),
    };
    match made {
        Ok(made) => Ok(cards(&viewer, made, true).await),
        Err(failure) => Ok(page(&viewer, phones, first, Some(&failure)).await?),
    }
}

/// The number of the last of so many phones.
fn last(first: &str, phones: &str) -> Option<String> {
    let number: u64 = first.parse().ok()?;
    let phones: u64 = phones.trim().parse().ok().filter(|it| *it > 0)?;
    let (last, width) = (number.checked_add(phones - 1)?, first.len());
    Some(format!("{last:0width$}"))
}

async fn page(
    viewer: &Viewer,
    phones: String,
    first: String,
    failure: Option<&Failure>,
) -> Result<Response, Failure> {
    let w = Words::of(viewer.language);
    let status: Status = viewer.api.get("/api/v1/status").await?;
    let server = status.server;
    let is_local = server.starts_with("127.") || server.starts_with("[::1]");
    let (class, sentence) = match (status.ready, is_local) {
        (false, _) => ("bad", w.not_ready),
        (true, true) => ("warn", w.local),
        (true, false) => ("good", w.ready),
    };
    let of = |kind: &str, all: &[String]| {
        all.iter().map(|it| format!("{kind} {it}")).collect::<Vec<_>>()
    };
    let listens = [of("UDP", &status.sip_udp), of("TCP", &status.sip_tcp)].concat().join(", ");
    let wrong = failure.map(|it| sentences(it, viewer.language)).unwrap_or_default();
    let page = viewer.layout();
    Ok(render(&Page { page, w, class, sentence, server, listens, phones, first, wrong }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_table() {
        for (first, phones, expected) in [
            ("100", "3", Some("102")),
            ("001", "1", Some("001")),
            ("100", "0", None),
            ("x", "3", None),
            ("100", "", None),
        ] {
            assert_eq!(last(first, phones).as_deref(), expected, "{first} {phones}");
        }
    }
}
