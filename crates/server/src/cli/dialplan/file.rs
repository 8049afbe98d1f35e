//! All tables of the dial plan as a TOML file: written for people, read with every fault named.

use pbx::dialplan::Tables;
use pbx::dialplan::lint::finding::TableName;
use pbx::language::{Language, Text};
use pbx::text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};
use web::nearest::nearest;

/// What a row of each table always shows; all else only where it differs from its default. The first names the row.
const ALWAYS: [(TableName, &[&str]); 9] = [
    (TableName::Transitions, &["id", "type"]),
    (TableName::Callers, &["id", "prefix"]),
    (TableName::Called, &["id", "prefix", "route"]),
    (TableName::RefineCaller, &["id", "group", "prefix", "transition"]),
    (TableName::RefineCalled, &["id", "group", "prefix", "transition"]),
    (TableName::BlackList, &["id", "caller", "called", "rate"]),
    (TableName::Features, &["feature", "code"]),
    (TableName::Lines, &["account", "domain"]),
    (TableName::Trunks, &["id", "addresses"]),
];

const HEAD_EN: &str = r#"# Dial plan, external lines and SIP trunks.
#
# `dialtone dialplan import FILE` puts these tables in the place of the server's, all of them or none: what does not
# stand here is removed. `--dry-run` only says what would change and what is wrong.
#
# - Numbers, prefixes and accounts are texts: prefix = "90". The longest prefix wins; "" matches every number.
# - What a row does not name has its default. A row without `plan` is in the plan "default".
# - route = "local-user"
#           { external-line = "rotation" }       { external-line = { line = "5678" } }   { external-line = { group = 2 } }
#           { sip-trunk = { listed = [1, 2] } }  { sip-trunk = { group = 2 } }
#           { feature-code = "echo" }            { reject = 403 }
# - A transition changes a number: type = "delete", "replace" or "insert", with start (from 0), length and string.
#   reanalyze = true analyses the number again after it.
# - time = "mon-fri 09:00-18:00; 2026-12-25; !2026-10-01..2026-10-07", by the clock of the office.
# - A feature without a row has its usual code; code = "off" takes it away.
# - Passwords of lines are not written here. A line without `password` keeps the one it has on the server.
"#;

const HEAD_ZH: &str = r#"# 拨号规则、外线和SIP中继。
#
# `dialtone dialplan import 文件`用这些表替换服务器上的表，要么全部替换，要么都不替换；此处没有的记录会被删除。
# `--dry-run`只显示将有哪些变化和问题，不做修改。
#
# - 号码、前缀和账号都写成文本：prefix = "90"。最长的前缀优先；""匹配所有号码。
# - 未写的字段取默认值。没有plan的记录属于计划"default"。
# - route = "local-user"
#           { external-line = "rotation" }       { external-line = { line = "5678" } }   { external-line = { group = 2 } }
#           { sip-trunk = { listed = [1, 2] } }  { sip-trunk = { group = 2 } }
#           { feature-code = "echo" }            { reject = 403 }
#   依次为：本地用户；外线（轮选、指定外线、出呼叫群）；SIP中继（按次序、出呼叫群）；业务码；拒绝。
# - 变换：type = "delete"（删除）、"replace"（替换）或"insert"（插入），以及start（起始位置，从0起）、length（长度）和
#   string（字符串）。reanalyze = true表示变换后重分析。
# - time = "mon-fri 09:00-18:00; 2026-12-25; !2026-10-01..2026-10-07"，以系统的时区为准。
# - 没有记录的功能使用默认的业务码；code = "off"表示关闭。
# - 不导出外线的密码。没有password的外线保留服务器上的密码。
"#;

/// The tables as a file of this language.
pub(super) fn write(tables: &Tables, language: Language) -> Result<String, anyhow::Error> {
    let head = match language {
        Language::En => HEAD_EN,
        Language::Zh => HEAD_ZH,
    };
    let mut text = format!("{head}\nplans = {}\n", Value::try_from(&tables.plans)?);
    let mut put = |table: TableName, rows: Result<Vec<Table>, anyhow::Error>| {
        for (index, row) in rows?.iter().enumerate() {
            if index == 0 {
                text += &format!("\n# {}\n", table.text().get(language));
            }
            text += &format!("\n[[{}]]\n", table.as_str());
            for (key, value) in row {
                text += &format!("{key} = {value}\n");
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    put(TableName::Transitions, short(TableName::Transitions, &tables.transitions))?;
    put(TableName::Callers, short(TableName::Callers, &tables.callers))?;
    put(TableName::Called, short(TableName::Called, &tables.called))?;
    put(TableName::RefineCaller, short(TableName::RefineCaller, &tables.refine_caller))?;
    put(TableName::RefineCalled, short(TableName::RefineCalled, &tables.refine_called))?;
    put(TableName::BlackList, short(TableName::BlackList, &tables.black_list))?;
    put(TableName::Features, short(TableName::Features, &tables.features))?;
    put(TableName::Lines, short(TableName::Lines, &tables.lines))?;
    put(TableName::Trunks, short(TableName::Trunks, &tables.trunks))?;
    Ok(text)
}

fn always(table: TableName) -> &'static [&'static str] {
    ALWAYS.iter().find(|(it, _)| *it == table).map_or(&[], |(_, keys)| keys)
}

/// The rows without what is as it is by default.
fn short<T>(table: TableName, rows: &[T]) -> Result<Vec<Table>, anyhow::Error>
where
    T: Serialize + DeserializeOwned,
{
    let keys = always(table);
    let one = |row: &T| {
        let full = Table::try_from(row)?;
        let named = |key: &str| keys.contains(&key);
        let bare: Table = full.clone().into_iter().filter(|(key, _)| named(key)).collect();
        // Reading a row that names nothing else gives it all the defaults.
        let default = Table::try_from(bare.try_into::<T>()?)?;
        let kept = |(key, value): (String, Value)| match named(&key) {
            true => Some((key, value)),
            false => different(value, default.get(&key)).map(|it| (key, it)),
        };
        Ok(full.into_iter().filter_map(kept).collect())
    };
    rows.iter().map(one).collect()
}

/// What of the value is not so by default.
fn different(value: Value, default: Option<&Value>) -> Option<Value> {
    match (value, default) {
        (value, Some(default)) if value == *default => None,
        (Value::Table(value), Some(Value::Table(default))) => {
            let kept =
                |(key, it): (String, Value)| different(it, default.get(&key)).map(|it| (key, it));
            Some(Value::Table(value.into_iter().filter_map(kept).collect()))
        }
        (value, _) => Some(value),
    }
}

/// The tables of a file, or everything in it that cannot be read.
pub(super) fn read(text: &str) -> Result<Tables, Vec<Text>> {
    let file = text.parse::<Table>();
    let mut file = file.map_err(|error| vec![Text::same(error.to_string().trim_end())])?;
    let mut reader = Reader { problems: vec![] };
    let plans = file.remove(TableName::Plans.as_str());
    let tables = Tables {
        plans: plans.map(|it| reader.plans(it)).unwrap_or_default(),
        transitions: reader.rows(&mut file, TableName::Transitions),
        callers: reader.rows(&mut file, TableName::Callers),
        called: reader.rows(&mut file, TableName::Called),
        refine_caller: reader.rows(&mut file, TableName::RefineCaller),
        refine_called: reader.rows(&mut file, TableName::RefineCalled),
        black_list: reader.rows(&mut file, TableName::BlackList),
        features: reader.rows(&mut file, TableName::Features),
        lines: reader.rows(&mut file, TableName::Lines),
        trunks: reader.rows(&mut file, TableName::Trunks),
    };
    for name in file.keys() {
        let names = ALWAYS.iter().map(|(it, _)| it.as_str()).chain([TableName::Plans.as_str()]);
        let nearest = nearest(name, names);
        reader.problems.push(text!("there is no table {name}{}", "没有表{name}{}", nearest));
    }
    if reader.problems.is_empty() { Ok(tables) } else { Err(reader.problems) }
}

struct Reader {
    problems: Vec<Text>,
}

impl Reader {
    fn plans(&mut self, value: Value) -> Vec<Box<str>> {
        value.try_into().unwrap_or_else(|_| {
            self.problems.push(text!(
                "plans must be a list of names, as plans = [\"guest\"]",
                "plans应为名称的列表，例如plans = [\"guest\"]"
            ));
            vec![]
        })
    }

    fn rows<T: DeserializeOwned>(&mut self, file: &mut Table, table: TableName) -> Vec<T> {
        let name = table.as_str();
        let Some(value) = file.remove(name) else { return vec![] };
        let Value::Array(rows) = value else {
            let what = text!(
                "{name}: write each row below [[{name}]]",
                "{name}：每条记录应写在[[{name}]]之下"
            );
            self.problems.push(what);
            return vec![];
        };
        let mut good = Vec::with_capacity(rows.len());
        for (index, row) in rows.into_iter().enumerate() {
            match row.clone().try_into() {
                Ok(row) => good.push(row),
                Err(error) => {
                    let row = row.as_table().cloned().unwrap_or_default();
                    self.problems.push(problem::<T>(table, index, &row, error.message()));
                }
            }
        }
        good
    }
}

/// `Analyze called number, row 5, prefx: there is no such field; the nearest is prefix.`
fn problem<T: DeserializeOwned>(
    table: TableName,
    index: usize,
    row: &Table,
    message: &str,
) -> Text {
    let id = always(table).first().and_then(|key| row.get(*key));
    let id = match id {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        // It names none: the place in the file.
        None => format!("#{}", index + 1),
    };
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (field, what) = if message.starts_with("missing field") {
        let what = text!("the field is missing. Add it", "缺少该字段。请补上");
        (quoted.first().copied().unwrap_or_default(), what)
    } else {
        let field = culprit::<T>(row, message);
        let value = row.get(field).map(Value::to_string).unwrap_or_default();
        let what = if message.starts_with("unknown field") && quoted.first() == Some(&field) {
            let nearest = nearest(field, quoted.iter().skip(1).copied());
            text!("there is no such field{}", "没有该字段{}", nearest)
        } else {
            text!(
                "{value} cannot be used: {message}. Choose such a value",
                "{value}不可用：{message}。请修改该值"
            )
        };
        (field, what)
    };
    text!("{}, row {id}, {field}: {}.", "{}，记录{id}，{field}：{}。", table.text(), what)
}

/// The field without which the row would have another fault, or none.
fn culprit<'a, T: DeserializeOwned>(row: &'a Table, message: &str) -> &'a str {
    let is_to_blame = |key: &&String| {
        let others = row.clone().into_iter().filter(|(it, _)| it != *key);
        let without = others.collect::<Table>().try_into::<T>();
        without.err().is_none_or(|it| it.message() != message)
    };
    row.keys().find(is_to_blame).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pbx::dialplan::rows::RouteType;

    /// Something in every table, and much that is not as by default.
    const FILE: &str = r#"
plans = ["guest"]

[[transitions]]
id = 1
type = "replace"
length = 1
string = "0086"

[[callers]]
id = 1
prefix = "10"
to_plan = "guest"

[[called]]
id = 2
prefix = "9"
route = { external-line = { line = "5678" } }
transition = 1
level = 1
time = "mon-fri 09:00-18:00"

[[called]]
id = 5
plan = "guest"
prefix = ""
route = { sip-trunk = { listed = [1] } }

[[refine_caller]]
id = 1
group = 1
prefix = "1"
transition = 1

[[refine_called]]
id = 1
group = 1
prefix = "0"
transition = 1

[[black_list]]
id = 1
caller = "anonymous"
called = "*"
rate = 30

[[features]]
feature = "echo"
code = "*44"

[[lines]]
account = "5678"
domain = "sip.example.com"
transport = "tcp"
owner = "102"
incoming = { number = "100" }
calls_out_max = 4
interop = { privacy = true, codecs = ["PCMA"] }

[[trunks]]
id = 1
addresses = [{ host = "10.23.0.1", port = 5070, priority = 0 }]
sources = ["192.0.2.0/24"]
transport = "auto"
levels = [1, 3]
calls_in_max = 0
"#;

    #[test]
    fn what_is_written_reads_back_and_shows_no_defaults() {
        let tables = read(FILE).unwrap();
        assert_eq!(tables.lines[0].interop.codecs, ["PCMA".into()]);
        for language in [Language::En, Language::Zh] {
            let text = write(&tables, language).unwrap();
            assert_eq!(read(&text).unwrap(), tables, "{text}");
            let shown = |it: &&str| !it.is_empty() && !it.starts_with('#');
            let lines =
                |text: &str| text.lines().filter(shown).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(lines(&text), lines(FILE));
        }
        let empty = write(&Tables::default(), Language::En).unwrap();
        assert_eq!(read(&empty).unwrap(), Tables::default());
    }

    #[test]
    fn the_routes_named_at_the_top_are_routes() {
        for head in [HEAD_EN, HEAD_ZH] {
            let lines = head.lines().skip_while(|it| !it.starts_with("# - route"));
            let lines = lines.take_while(|it| it.contains("route") || it.starts_with("#     "));
            let mut routes = 0;
            for it in lines.flat_map(|it| it.trim_start_matches(['#', ' ', '-']).split("  ")) {
                let text = it.trim().trim_start_matches("route = ");
                if !text.is_empty() {
                    let table = format!("route = {text}").parse::<Table>().unwrap();
                    table["route"].clone().try_into::<RouteType>().unwrap();
                    routes += 1;
                }
            }
            assert_eq!(routes, 8, "{head}");
        }
    }

    #[test]
    fn error_table() {
        #[rustfmt::skip]
        let table = [
            ("[[called]]\nid = 5\nprefx = \"9\"\nroute = \"local-user\"",   "Analyze called number, row 5, prefx: there is no such field; the nearest is prefix."),
            ("[[called]]\nid = 5",                                         "Analyze called number, row 5, route: the field is missing. Add it."),
            ("[[called]]\nroute = \"local-user\"",                          "Analyze called number, row #1, id: the field is missing. Add it."),
            ("[[lines]]\naccount = \"56\"\nexpires_s = \"long\"",           "External line, row 56, expires_s: \"long\" cannot be used: invalid type: string \"long\", expected u32. Choose such a value."),
            ("[[callers]]\nid = 1\ntime = \"noon\"",                       "Analyze caller number, row 1, time:"),
            ("[called]\nid = 1",                                           "called: write each row below [[called]]"),
            ("plans = \"guest\"",                                          "plans must be a list of names, as plans = [\"guest\"]"),
            ("[[caled]]\nid = 1",                                          "there is no table caled; the nearest is called"),
        ];
        for (text, expected) in table {
            let problems = read(text).unwrap_err();
            assert_eq!(problems.len(), 1, "{text}");
            assert!(problems[0].en.starts_with(expected), "{text}: {}", problems[0].en);
            assert!(!problems[0].zh.is_ascii());
        }
        let all = read("[[called]]\nid = 1\n[[called]]\nid = 2\n[[trunks]]\nid = \"x\"");
        assert_eq!(all.unwrap_err().len(), 3, "every fault is named");
    }
}
