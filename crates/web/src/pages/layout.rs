//! What stands around every page: menu, top bar and the switch of the language.

use super::assets;
use super::help;
use super::viewer::word;
use super::words::Frame;
use axum::http::Uri;
use pbx::language::{Language, Text};

/// A menu as miniSIPServer's users know it.
struct Menu {
    title: Text,
    pages: &'static [(&'static str, Text)],
}

/// Only pages that there are.
const MENUS: &[Menu] = &[
    Menu {
        title: Text::fixed("Home", "首页"),
        pages: &[
            ("/", Text::fixed("Dashboard", "总览")),
            ("/calls", Text::fixed("Live calls", "实时话单")),
        ],
    },
    Menu {
        title: Text::fixed("Data", "数据"),
        pages: &[
            ("/extensions", Text::fixed("Extensions", "分机")),
            ("/external-lines", Text::fixed("External lines", "外线")),
            ("/sip-trunks", Text::fixed("SIP trunks", "SIP中继")),
            ("/settings", Text::fixed("System", "系统信息")),
        ],
    },
    Menu {
        title: Text::fixed("Dial plan", "拨号规则"),
        pages: &[
            ("/dial-plan/analyze-caller", Text::fixed("Analyze caller number", "分析主叫号码")),
            ("/dial-plan/analyze-called", Text::fixed("Analyze called number", "分析被叫号码")),
            ("/dial-plan/transitions", Text::fixed("Transitions", "变换")),
            ("/dial-plan/refine-caller", Text::fixed("Refine caller number", "规整主叫号码")),
            ("/dial-plan/refine-called", Text::fixed("Refine called number", "规整被叫号码")),
            ("/dial-plan", Text::fixed("Simulator", "拨号模拟")),
            ("/dial-plan/document", Text::fixed("Export and import", "导出与导入")),
        ],
    },
    Menu {
        title: Text::fixed("Services", "业务"),
        pages: &[
            ("/dial-plan/black-list", Text::fixed("Black list", "系统黑名单")),
            ("/feature-codes", Text::fixed("Feature codes", "业务码")),
        ],
    },
    Menu {
        title: Text::fixed("Records", "记录"),
        pages: &[
            ("/call-records", Text::fixed("Call records", "话单")),
            ("/audit", Text::fixed("Audit log", "操作日志")),
        ],
    },
    Menu {
        title: Text::fixed("Maintain", "维护"),
        pages: &[
            ("/registrations", Text::fixed("Registrations", "注册状态")),
            ("/trace", Text::fixed("Trace and capture", "信令跟踪与抓包")),
        ],
    },
    Menu {
        title: Text::fixed("Settings", "设置"),
        pages: &[
            ("/administrators", Text::fixed("Administrators", "管理员")),
            ("/api-keys", Text::fixed("API keys", "API密钥")),
            ("/webhooks", Text::fixed("Webhooks", "Webhook端点")),
            ("/certificate", Text::fixed("Certificate", "证书")),
            ("/backups", Text::fixed("Backups", "备份")),
        ],
    },
];

pub(crate) struct Layout {
    pub(crate) language: &'static str,
    pub(crate) frame: &'static Frame,
    pub(crate) groups: Vec<Group>,
    /// The same page in the other language.
    pub(crate) other: Other,
    /// The address of the page.
    pub(crate) here: String,
    /// Where the manual explains the page.
    pub(crate) help: String,
    pub(crate) calls: u64,
    /// Lines and trunks are silent after a restore.
    pub(crate) standby: bool,
    pub(crate) csrf: String,
    /// Empty: nobody is signed in.
    pub(crate) user: String,
    pub(crate) css: String,
    pub(crate) htmx: String,
    pub(crate) script: String,
    pub(crate) icon: String,
}

/// Who looks, what his forms bring back, and what everybody is to know.
pub(crate) struct Who {
    pub(crate) standby: bool,
    pub(crate) user: String,
    pub(crate) csrf: String,
}

pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) entries: Vec<Entry>,
}

pub(crate) struct Entry {
    pub(crate) href: &'static str,
    pub(crate) title: &'static str,
    pub(crate) current: bool,
}

pub(crate) struct Other {
    pub(crate) href: String,
    pub(crate) language: &'static str,
    pub(crate) name: &'static str,
}

impl Layout {
    pub(crate) fn new(language: Language, uri: &Uri, calls: u64, who: Who) -> Self {
        let entry = |(href, title): &'static (&'static str, Text)| Entry {
            href,
            title: title.get(language),
            current: is_current(uri.path(), href),
        };
        let group = |menu: &'static Menu| Group {
            title: menu.title.get(language),
            entries: menu.pages.iter().map(entry).collect(),
        };
        Self {
            language: word(language),
            frame: Frame::of(language),
            groups: MENUS.iter().map(group).collect(),
            other: other(language, uri),
            here: uri.path_and_query().map_or_else(String::new, ToString::to_string),
            help: help::of_page(uri.path()),
            calls,
            standby: who.standby,
            csrf: who.csrf,
            user: who.user,
            css: assets::url("dialtone.css"),
            htmx: assets::url("htmx.js"),
            script: assets::url("dialtone.js"),
            icon: assets::url("icon.svg"),
        }
    }
}

/// A page belongs to the entry that its path begins with, and to the longest of them.
fn is_current(path: &str, href: &str) -> bool {
    let is_below = |href: &str| {
        let rest = path.strip_prefix(href);
        rest.is_some_and(|it| it.is_empty() || (href != "/" && it.starts_with('/')))
    };
    let all = MENUS.iter().flat_map(|it| it.pages).map(|it| it.0);
    let longest = all.filter(|it| is_below(it)).max_by_key(|it| it.len());
    longest == Some(href)
}

fn other(language: Language, uri: &Uri) -> Other {
    let (language, name) = match language {
        Language::En => (Language::Zh, "中文"),
        Language::Zh => (Language::En, "English"),
    };
    let kept = uri.query().unwrap_or_default().split('&');
    let kept = kept.filter(|it| !it.is_empty() && !it.starts_with("lang="));
    let query: Vec<_> =
        kept.map(str::to_owned).chain([format!("lang={}", word(language))]).collect();
    let href = format!("{}?{}", uri.path(), query.join("&"));
    Other { href, language: word(language), name }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_switch_of_the_language_keeps_the_page() {
        #[rustfmt::skip]
        let table = [
            (Language::En, "/",                   "/?lang=zh"),
            (Language::Zh, "/a?q=1&lang=zh&p=2",  "/a?q=1&p=2&lang=en"),
        ];
        for (language, uri, expected) in table {
            assert_eq!(other(language, &uri.parse().unwrap()).href, expected);
        }
    }

    #[test]
    fn entry_table() {
        #[rustfmt::skip]
        let table = [
            ("/",               "/",           true),
            ("/extensions",     "/",           false),
            ("/extensions/101", "/extensions", true),
            ("/extensions-x",   "/extensions", false),
            ("/dial-plan",      "/dial-plan",  true),
            ("/dial-plan/transitions", "/dial-plan", false),
        ];
        for (path, href, expected) in table {
            assert_eq!(is_current(path, href), expected, "{path} {href}");
        }
    }
}
