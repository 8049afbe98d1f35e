//! The page that does what the command of a verdict does: the button beside the sentence.

use crate::pages::api::segment;
use crate::pages::query;
use crate::pages::words::words;
use crate::resource::Call;
use pbx::language::Language;

words! {
    Words {
        history: "Show history", "查看注册历史";
        simulator: "Open simulator", "打开拨号模拟";
        doctor: "Trunk doctor", "外线体检";
        line: "Open the line", "查看外线";
        trunk: "Open the trunk", "查看SIP中继";
        extension: "Open the extension", "查看分机";
        live: "Live calls", "实时话单";
    }
}

pub(super) struct Button {
    pub(super) href: String,
    pub(super) label: &'static str,
}

/// Where the command leads to on pages; `None` for one that no page stands for.
pub(super) fn button(command: &str, call: &Call, language: Language) -> Option<Button> {
    let w = Words::of(language);
    let words: Vec<&str> = command.split(' ').map(|it| it.trim_matches('\'')).collect();
    let to = |home: &str, name: &str, more: &str| format!("/{home}/{}{more}", segment(name));
    let (href, label) = match words.get(1..)? {
        ["registrations", "history", number] => (to("registrations", number, ""), w.history),
        ["registrations"] => ("/registrations".to_owned(), w.history),
        ["dialplan", "simulate", ..] => (simulator(call), w.simulator),
        ["line", "doctor", account] => (to("external-lines", account, "/doctor"), w.doctor),
        ["line", "show" | "set", account, ..] => (to("external-lines", account, ""), w.line),
        ["trunk", "show" | "set", id, ..] => (to("sip-trunks", id, ""), w.trunk),
        ["ext", "set", number, ..] => (to("extensions", number, ""), w.extension),
        ["calls"] => ("/calls".to_owned(), w.live),
        _ => return None,
    };
    Some(Button { href, label })
}

fn simulator(call: &Call) -> String {
    let incoming = call.direction == "incoming";
    let way = match (&call.line, &call.trunk) {
        (Some(line), _) if incoming => format!("line:{line}"),
        (None, Some(trunk)) if incoming => format!("trunk:{trunk}"),
        _ => String::new(),
    };
    let fields = [("sim-from", &*call.caller), ("sim-way", &*way), ("sim-dial", &*call.dialled)];
    query("/dial-plan", &fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pbx::event::CallState;
    use pbx::record::CallRecord;

    #[test]
    fn buttons_table() {
        let record = CallRecord {
            caller_number: "102".into(),
            dialled_number: "8 1".into(),
            ..CallRecord::default()
        };
        let outgoing =
            Call { line: Some("5678".to_owned()), ..Call::of(&record, CallState::Released) };
        let outgoing = Call { direction: "outgoing".to_owned(), ..outgoing };
        let incoming = Call { direction: "incoming".to_owned(), ..outgoing.clone() };
        #[rustfmt::skip]
        let table = [
            (&outgoing, "dialtone registrations history 101",        Some("/registrations/101")),
            (&outgoing, "dialtone registrations history '*1'",       Some("/registrations/%2A1")),
            (&outgoing, "dialtone dialplan simulate --from 102 --dial '8#'", Some("/dial-plan?sim-from=102&sim-dial=8+1")),
            (&incoming, "dialtone dialplan simulate --from 102",     Some("/dial-plan?sim-from=102&sim-way=line%3A5678&sim-dial=8+1")),
            (&outgoing, "dialtone line doctor 5678",                 Some("/external-lines/5678/doctor")),
            (&outgoing, "dialtone line set 5678 --from-user account", Some("/external-lines/5678")),
            (&outgoing, "dialtone trunk show 1",                     Some("/sip-trunks/1")),
            (&outgoing, "dialtone ext set 100 --calls 3",            Some("/extensions/100")),
            (&outgoing, "dialtone something else",                   None),
        ];
        for (call, command, expected) in table {
            let button = button(command, call, Language::En);
            assert_eq!(button.map(|it| it.href).as_deref(), expected, "{command}");
        }
    }
}
