//! Lines and trunks: ranges, and names that must exist.

use super::super::number::is_number;
use super::Linter;
use super::finding::{Rule, TableName};
use super::reach::reaches_nobody;
use crate::interop::{Interop, SessionExpires};
use crate::language::Text;
use crate::line::Line;
use crate::line::config::{CallerNumber, Incoming};
use crate::trunk::Trunk;
use crate::trunk::config::{ADDRESSES_MAX, SOURCES_MAX};

impl Linter<'_> {
    pub(super) fn outward(&mut self) {
        let tenant = self.tenant;
        for line in tenant.lines.iter() {
            for (field, rule) in line_rules(line) {
                self.find(TableName::Lines, &line.account, field, rule);
            }
            self.line_names(line);
        }
        for trunk in tenant.trunks.values() {
            for (field, rule) in trunk_rules(trunk) {
                self.find(TableName::Trunks, trunk.id, field, rule);
            }
            if !tenant.dial_plan.has_plan(&trunk.plan) {
                let rule = Rule::UnknownPlan(trunk.plan.clone());
                self.find(TableName::Trunks, trunk.id, "plan", rule);
            }
        }
    }

    fn line_names(&mut self, line: &Line) {
        let (tenant, table) = (self.tenant, TableName::Lines);
        if !tenant.dial_plan.has_plan(&line.plan) {
            self.find(table, &line.account, "plan", Rule::UnknownPlan(line.plan.clone()));
        }
        let incoming = match &line.incoming {
            Incoming::Extension(number) => Some(number),
            Incoming::Owner | Incoming::Number(_) | Incoming::Service(_) => None,
        };
        for (field, number) in [("owner", line.owner.as_ref()), ("incoming", incoming)] {
            if let Some(number) = number.filter(|it| tenant.extension(it).is_none()) {
                self.find(table, &line.account, field, Rule::UnknownExtension(number.clone()));
            }
        }
        if line.owner.is_none() && !line.shared {
            self.find(table, &line.account, "shared", Rule::NobodyMayUse);
        }
        if let Some(number) = reaches_nobody(tenant, line) {
            let field = if line.incoming == Incoming::Owner { "owner" } else { "incoming" };
            self.find(table, &line.account, field, Rule::NobodyAnswers(number.into()));
        }
    }
}

type Rules = Vec<(&'static str, Rule)>;

fn line_rules(line: &Line) -> Rules {
    let mut rules = vec![];
    number(&mut rules, "account", &line.account, true);
    host(&mut rules, "domain", &line.domain, true);
    host(&mut rules, "outbound_proxy", &line.outbound_proxy, false);
    host(&mut rules, "from_domain", &line.from_domain, false);
    word(&mut rules, "auth_user", &line.auth_user);
    word(&mut rules, "uri_parameters", &line.uri_parameters);
    if line.password.0.len() > 255 || line.password.0.contains(char::is_control) {
        let rule = "at most 255 characters on one line";
        range(&mut rules, "password", rule, "一行，最多255个字符");
    }
    match &line.incoming {
        Incoming::Number(it) => number(&mut rules, "incoming", it, true),
        Incoming::Service(name) => {
            rules.push(("incoming", Rule::UnknownService(name.clone())));
        }
        Incoming::Owner | Incoming::Extension(_) => {}
    }
    if let CallerNumber::Fixed(it) = &line.caller_number {
        number(&mut rules, "caller_number", it, true);
    }
    if !(60..=86_400).contains(&line.expires_s) {
        range(&mut rules, "expires_s", "60 to 86400 seconds", "60至86400秒");
    }
    no_answer(&mut rules, line.no_answer_s);
    if !matches!(line.keep_alive_s, 0 | 10..=600) {
        let rule = "10 to 600 seconds, or 0 for none";
        range(&mut rules, "keep_alive_s", rule, "10至600秒，或0（关闭）");
    }
    interop(&mut rules, &line.interop);
    rules
}

fn trunk_rules(trunk: &Trunk) -> Rules {
    let mut rules = vec![];
    if trunk.id == 0 {
        range(&mut rules, "id", "1 or more", "不小于1");
    }
    if !(1..=ADDRESSES_MAX).contains(&trunk.addresses.len()) {
        range(&mut rules, "addresses", "1 to 16 addresses", "1至16个地址");
    }
    for address in &trunk.addresses {
        host(&mut rules, "addresses", &address.host, true);
        if address.port == 0 {
            range(
                &mut rules,
                "addresses",
                "addresses with ports from 1 to 65535",
                "端口为1至65535的地址",
            );
        }
    }
    if trunk.sources.len() > SOURCES_MAX {
        range(&mut rules, "sources", "at most 64 networks", "最多64个网络");
    }
    number(&mut rules, "caller_number", &trunk.caller_number, false);
    word(&mut rules, "uri_parameters", &trunk.uri_parameters);
    no_answer(&mut rules, trunk.no_answer_s);
    if !matches!(trunk.options_s, 0 | 5..=600) {
        let rule = "5 to 600 seconds, or 0 for none";
        range(&mut rules, "options_s", rule, "5至600秒，或0（关闭）");
    }
    interop(&mut rules, &trunk.interop);
    rules
}

fn interop(rules: &mut Rules, it: &Interop) {
    let SessionExpires(expires_s) = it.session_expires_s;
    if expires_s != 0 && !SessionExpires::RANGE.contains(&expires_s) {
        let rule = "90 to 7200 seconds, or 0 for none";
        range(rules, "session_expires_s", rule, "90至7200秒，或0（关闭）");
    }
    for codec in &it.codecs {
        if codec.is_empty() {
            range(rules, "codecs", "names of codecs", "编码名称");
        }
        word(rules, "codecs", codec);
    }
}

fn no_answer(rules: &mut Rules, seconds: u16) {
    if !matches!(seconds, 0 | 5..=600) {
        let rule = "5 to 600 seconds, or 0 for the system's";
        range(rules, "no_answer_s", rule, "5至600秒，或0（采用系统值）");
    }
}

fn number(rules: &mut Rules, field: &'static str, text: &str, needed: bool) {
    if !is_number(text) || (needed && text.is_empty()) {
        rules.push((field, Rule::NotANumber(text.into())));
    }
}

/// What goes into a header of SIP as it is.
fn word(rules: &mut Rules, field: &'static str, text: &str) {
    let legal = |it: u8| it.is_ascii_graphic() && !b"<>\"\\".contains(&it);
    if text.len() > 255 || !text.bytes().all(legal) {
        let rule = "at most 255 characters without spaces, <, >, \" and \\";
        range(rules, field, rule, "最多255个字符，不含空格和<>\"\\");
    }
}

/// A name or an address, with or without a port.
fn host(rules: &mut Rules, field: &'static str, text: &str, needed: bool) {
    let legal = |it: u8| it.is_ascii_alphanumeric() || b"-._:[]".contains(&it);
    if text.len() > 255 || !text.bytes().all(legal) || (needed && text.is_empty()) {
        let rule = "the name or the address of a server";
        range(rules, field, rule, "服务器的域名或地址");
    }
}

fn range(rules: &mut Rules, field: &'static str, english: &'static str, chinese: &'static str) {
    rules.push((field, Rule::Range(Text::fixed(english, chinese))));
}
