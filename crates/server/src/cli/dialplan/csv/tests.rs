//! Random tables through their files and back, what spreadsheets make of files, and what is refused.

#![allow(clippy::unwrap_used)]

use super::*;
use pbx::dialplan::feature::Feature;
use pbx::dialplan::feature_codes::OFF;
use pbx::dialplan::levels::Levels;
use pbx::dialplan::rows::{
    BlockRow, CalledRow, CallerRow, LineChoice, RefineRow, RouteType, TrunkChoice,
};
use pbx::dialplan::time::TimeCondition;
use pbx::dialplan::transition::{Transition, TransitionKind};
use pbx::directory::Relay;
use pbx::interop::{CallLimit, Reliable};
use pbx::line::config::{CallerNumber, Incoming};
use pbx::trunk::Trunk;
use pbx::trunk::config::TrunkAddress;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

struct Dice(ChaCha8Rng);

impl Dice {
    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.0.next_u32() as usize % from.len()].clone()
    }

    fn maybe<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        self.0.next_u32().is_multiple_of(2).then(|| self.pick(from))
    }

    /// Everything that a spreadsheet, a separator or a quote could spoil.
    fn words(&mut self) -> Box<str> {
        const WORDS: [&str; 24] = [
            "",
            "plain",
            "接待处",
            "a,b",
            "say \"hi\"",
            "=cmd|' /C calc'!A0",
            "+86",
            "-1",
            "@SUM(A1)",
            "\tx",
            "'quoted",
            "''",
            "a\r\nb",
            " spaces ",
            "0086",
            "13800138000",
            "075512345678",
            "1e5",
            "1-2",
            "2026-12-25",
            "TRUE",
            "",
            "\"",
            "＝1+1",
        ];
        self.pick(&WORDS).into()
    }

    fn number(&mut self) -> Box<str> {
        const NUMBERS: [&str; 12] = [
            "",
            "0",
            "9",
            "00",
            "0086",
            "+86",
            "*43",
            "#",
            "1-2",
            "13800138000",
            "075512345678",
            "1.5",
        ];
        self.pick(&NUMBERS).into()
    }

    fn plan(&mut self) -> Box<str> {
        self.pick(&["default", "guest", "8"]).into()
    }

    fn small(&mut self) -> u32 {
        self.pick(&[0, 1, 7, u32::MAX])
    }

    fn time(&mut self) -> Option<TimeCondition> {
        const TIMES: [&str; 4] =
            ["mon-fri 09:00-18:00; !2026-10-01..2026-10-07", "2026-12-25", "09:00-12:00", "sat"];
        self.maybe(&TIMES).map(|it| it.parse().unwrap())
    }

    fn route(&mut self) -> RouteType {
        let (number, small) = (self.pick(&["5678", "075512345678"]).into(), self.small());
        self.pick(&[
            RouteType::LocalUser,
            RouteType::ExternalLine(LineChoice::Line(number)),
            RouteType::ExternalLine(LineChoice::Group(small)),
            RouteType::ExternalLine(LineChoice::Rotation),
            RouteType::SipTrunk(TrunkChoice::Listed(vec![1, small])),
            RouteType::SipTrunk(TrunkChoice::Group(small)),
            RouteType::Service("operator".into()),
            RouteType::FeatureCode(Feature::ForwardNoAnswerOff),
            RouteType::Reject(403),
        ])
    }

    fn refine(&mut self, id: u32) -> RefineRow {
        let (group, prefix, transition) = (self.small(), self.number(), self.small());
        RefineRow { id, group, prefix, transition, time: self.time(), description: self.words() }
    }

    fn line(&mut self, id: u32) -> Line {
        let mut line = Line {
            account: format!("0755{id}").into(),
            description: self.words(),
            enabled: self.pick(&[true, false]),
            auth_user: self.words(),
            domain: self.pick(&["sip.example.com", "10.0.0.1"]).into(),
            expires_s: self.small(),
            owner: self.maybe(&["101".into(), "00".into()]),
            incoming: self.pick(&[
                Incoming::Owner,
                Incoming::Number("+86".into()),
                Incoming::Extension("0".into()),
            ]),
            plan: self.plan(),
            calls_out_max: CallLimit(self.maybe(&[0, 1, u16::MAX])),
            caller_number: self.pick(&[CallerNumber::Account, CallerNumber::Fixed("0755".into())]),
            ..Line::default()
        };
        line.interop.reliable = self.pick(&[Reliable::Auto, Reliable::Off]);
        line.interop.relay = self.pick(&[Relay::Always, Relay::Never]);
        line.interop.codecs =
            self.pick(&[vec![], vec!["PCMA".into(), "G729".into()], vec!["0".into(), "=1".into()]]);
        line.interop.session_expires_s.0 = self.pick(&[0, 1800]);
        line
    }

    fn trunk(&mut self, id: u32) -> Trunk {
        let address =
            |host: &str, port, priority| TrunkAddress { host: host.into(), port, priority };
        let addresses = [
            vec![],
            vec![address("10.23.0.1", 5060, 0)],
            vec![
                address("[2001:db8::1]", 5070, 1),
                address("::1", 5060, 0),
                address("a.example.com", 1, 9),
            ],
        ];
        Trunk {
            id,
            addresses: self.pick(&addresses),
            sources: self.pick(&[
                vec![],
                vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            ]),
            levels: Levels::new(&self.pick(&[vec![], vec![1, 16]])).unwrap(),
            calls_in_max: CallLimit(self.maybe(&[0, 30])),
            caller_number: self.number(),
            tel_uri: self.pick(&[true, false]),
            ..Trunk::default()
        }
    }

    fn tables(&mut self) -> Tables {
        let most = self.pick(&[0, 1, 5]);
        let ids = || 1..=most;
        Tables {
            plans: self.pick(&[vec![], vec!["guest".into(), "8".into()]]),
            transitions: ids()
                .map(|id| Transition {
                    id,
                    kind: self.pick(&[
                        TransitionKind::Delete,
                        TransitionKind::Replace,
                        TransitionKind::Insert,
                    ]),
                    start: self.pick(&[0, 255]),
                    length: self.pick(&[0, 1]),
                    string: self.number(),
                    description: self.words(),
                })
                .collect(),
            callers: ids()
                .map(|id| CallerRow {
                    id,
                    plan: self.plan(),
                    prefix: self.number(),
                    to_plan: self.maybe(&["guest".into(), "8".into()]),
                    transition: self.maybe(&[1, 2]),
                    time: self.time(),
                    description: self.words(),
                })
                .collect(),
            called: ids()
                .map(|id| CalledRow {
                    id,
                    plan: self.plan(),
                    prefix: self.number(),
                    route: self.route(),
                    transition: self.maybe(&[1, 2]),
                    reanalyze: self.pick(&[true, false]),
                    level: self.maybe(&[1, 16]),
                    time: self.time(),
                    description: self.words(),
                })
                .collect(),
            refine_caller: ids().map(|id| self.refine(id)).collect(),
            refine_called: ids().map(|id| self.refine(id)).collect(),
            black_list: ids()
                .map(|id| BlockRow {
                    id,
                    caller: self.pick(&["*", "anonymous", "00"]).into(),
                    called: self.pick(&["*", "+86"]).into(),
                    rate: self.pick(&[0, 100]),
                    description: self.words(),
                })
                .collect(),
            features: self.pick(&[
                vec![],
                vec![
                    FeatureRow { feature: Feature::Echo, code: "0086".into() },
                    FeatureRow { feature: Feature::PickUp, code: OFF.into() },
                ],
            ]),
            lines: ids().map(|id| self.line(id)).collect(),
            trunks: ids().map(|id| self.trunk(id)).collect(),
        }
    }
}

fn files(tables: &Tables) -> Vec<CsvFile> {
    let file = |table: TableName| {
        let name = format!("{}.csv", table.as_str());
        CsvFile { table, name, bytes: write(tables, table).unwrap() }
    };
    TABLES.into_iter().map(file).collect()
}

#[test]
fn random_tables_read_back_as_they_were_written() {
    for seed in 0..2_000 {
        let tables = Dice(ChaCha8Rng::seed_from_u64(seed)).tables();
        let mut given = read(&files(&tables)).unwrap_or_else(|it| panic!("seed {seed}: {it:?}"));
        // Codes that are as usual are written too, and say nothing.
        given.tables.features.retain(|it| !it.is_usual());
        assert_eq!(given.tables, tables, "seed {seed}");
        assert_eq!(given.only, TABLES);
    }
}

/// What starts a cell here, no spreadsheet takes for something else.
#[test]
fn no_cell_begins_a_formula() {
    for seed in 0..500 {
        let tables = Dice(ChaCha8Rng::seed_from_u64(seed)).tables();
        for file in files(&tables) {
            let text = String::from_utf8(file.bytes).unwrap();
            let mut reader = csv::Reader::from_reader(text.strip_prefix(MARK).unwrap().as_bytes());
            for record in reader.records().map(Result::unwrap) {
                for cell in &record {
                    assert!(
                        !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝']),
                        "{cell:?}"
                    );
                }
            }
        }
    }
}

fn one(table: TableName, text: impl Into<Vec<u8>>) -> Result<Given, Vec<Text>> {
    read(&[CsvFile { table, name: format!("{}.csv", table.as_str()), bytes: text.into() }])
}

#[test]
fn what_spreadsheets_and_people_make_of_it_is_read_too() {
    let expected =
        one(TableName::Called, "id,prefix,route,reanalyze\n5,90,local-user,true\n").unwrap();
    let row = &expected.tables.called[0];
    assert_eq!((row.id, &*row.plan, &*row.prefix, row.reanalyze), (5, "default", "90", true));
    for text in [
        "\u{feff}id,prefix,route,reanalyze\r\n5,90,local-user,TRUE\r\n",
        "\"ID\",\"Prefix\",\"Route\",\"Reanalyze\"\r\n\"5\",\"90\",\"local-user\",\"True\"",
        "route,reanalyze,id,prefix,,\nlocal-user,true,5,'90,,\n,,,,,\n\n",
        "id,prefix,route,reanalyze,plan,time,level\n 5 ,90, local-user ,true\n",
    ] {
        assert_eq!(one(TableName::Called, text).unwrap().tables, expected.tables, "{text}");
    }
    let trunk = |addresses: &str| {
        let text = format!("id,addresses\n1,\"{addresses}\"");
        one(TableName::Trunks, text).unwrap().tables.trunks.remove(0).addresses
    };
    assert_eq!(trunk("10.23.0.1 b:5070"), trunk("10.23.0.1:5060,0 b:5070,0"));
    assert_eq!(&*trunk("2001:db8::1")[0].host, "2001:db8::1");
    assert_eq!((&*trunk("[::1]:5070,2")[0].host, trunk("[::1]:5070,2")[0].port), ("[::1]", 5070));
}

#[test]
fn error_table() {
    use TableName::{Called, Lines, Plans, Transitions, Trunks};
    #[rustfmt::skip]
    let table: [(TableName, &str, &str); 20] = [
        (Called,      "id,prefx,route\n5,9,local-user",      "called.csv, line 1, column 2 (prefx): there is no such column; the nearest is prefix."),
        (Called,      "id,route,id\n5,local-user,5",         "called.csv, line 1, column 3 (id): the column is there twice. Delete one."),
        (Called,      "id;route\n5;local-user",              "called.csv, line 1, column 1 (id;route): commas must be between the columns. Put them there."),
        (Called,      "",                                    "called.csv, line 1: the names of the columns are missing. Export the table to see them."),
        (Called,      "id,route\n\n5,",                      "called.csv, line 3, column 2 (route): the cell is empty. Fill it in."),
        (Called,      "id\n5",                               "called.csv, line 2: route: the cell is empty. Fill it in."),
        (Called,      "id,route\nx,local-user",              "called.csv, line 2, column 1 (id): \"x\" is no whole number from 0 to 4294967295. Write one."),
        (Called,      "id,route,level\n5,local-user,300",    "called.csv, line 2, column 3 (level): \"300\" is no whole number from 0 to 255. Write one."),
        (Called,      "id,route\n5,nowhere",                 "called.csv, line 2, column 2 (route): \"nowhere\" is unknown. Write one of local-user, external-line, sip-trunk, service, feature-code, reject."),
        (Called,      "id,route\n5,reject",                  "called.csv, line 2, column 2 (route): reject is not complete. Write what is chosen after it, as reject:…."),
        (Called,      "id,route\n5,local-user:5",            "called.csv, line 2, column 2 (route): nothing may stand after local-user, and there is \"5\". Delete it."),
        (Called,      "id,route,reanalyze\n5,local-user,yes", "called.csv, line 2, column 3 (reanalyze): \"yes\" is neither true nor false. Write one of them."),
        (Called,      "id,route,time\n5,local-user,noon",    "called.csv, line 2, column 3 (time): \"noon\" is no time: write days"),
        (Called,      "id,route\n5,local-user,9",            "called.csv, line 2, column 3 (): the column has no name. Quote a text that contains commas."),
        (Called,      "id,route,description\n5,local-user,\"open\n6,local-user,x\n", "called.csv, line 2: a quote is not closed. Close it, or write two of them for one."),
        (Transitions, "id,type\n1,cut",                      "transitions.csv, line 2, column 2 (type): \"cut\" is unknown. Write one of delete, replace, insert."),
        (Trunks,      "id,sources\n1,office",                "trunks.csv, line 2, column 2 (sources): \"office\" cannot be used: "),
        (Trunks,      "id,levels\n1,17",                     "trunks.csv, line 2, column 2 (levels): \"17\" cannot be used: a call level is a number from 1 to 16. Write another value."),
        (Lines,       "account,interop.session_expires_s\n1,long", "lines.csv, line 2, column 2 (interop.session_expires_s): \"long\" is no whole number from 0 to 65535. Write one."),
        (Plans,       "name\n\"\"\nguest\n\"a,b\",c",        "plans.csv, line 4, column 2 (): the column has no name. Quote a text that contains commas."),
    ];
    for (table, text, expected) in table {
        let problems = one(table, text).unwrap_err();
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(problems[0].en.starts_with(expected), "{text}: {}", problems[0].en);
        assert!(!problems[0].zh.is_ascii(), "{}", problems[0].zh);
    }
}

#[test]
fn every_bad_cell_of_every_row_and_file_is_named() {
    let file = |table: TableName, text: &str| CsvFile {
        table,
        name: table.as_str().to_owned(),
        bytes: text.into(),
    };
    let called =
        file(TableName::Called, "id,route,level\nx,nowhere,y\n5,local-user,1\n6,reject:x,\n");
    let lines = file(TableName::Lines, "account,enabled\n1,perhaps\n");
    let problems = read(&[called, lines]).unwrap_err();
    let places = problems.iter().map(|it| it.en.split(':').next().unwrap()).collect::<Vec<_>>();
    assert_eq!(
        places,
        [
            "called, line 2, column 1 (id)",
            "called, line 2, column 2 (route)",
            "called, line 2, column 3 (level)",
            "called, line 4, column 2 (route)",
            "lines, line 2, column 2 (enabled)",
        ]
    );
    let gbk = [&b"id,type,description\n1,delete,"[..], &[0xb7, 0xd6, 0xbb, 0xfa]].concat();
    let problem = one(TableName::Transitions, gbk).unwrap_err().remove(0);
    assert_eq!(problem.zh, "transitions.csv第2行：文本不是UTF-8编码。请将文件另存为“CSV UTF-8”。");
}

#[test]
fn what_the_server_finds_is_shown_where_it_stands() {
    let given =
        one(TableName::Called, "route,id,prefix\nlocal-user,7,8\nlocal-user,5,9\n").unwrap();
    let finding = |table: &str, row: &str, field: &str| Finding {
        severity: "error".to_owned(),
        table: table.to_owned(),
        row: row.to_owned(),
        field: field.to_owned(),
        what: text!("what", "问题"),
        remedy: text!("Remedy", "办法"),
        text: text!("whole", "全文"),
    };
    let places = &given.places;
    assert_eq!(
        places.text(&finding("called", "5", "prefix")).en,
        "called.csv, line 3, column 3 (prefix): what. Remedy."
    );
    assert_eq!(
        places.text(&finding("called", "7", "time")).zh,
        "called.csv第2行：time：问题。办法。"
    );
    assert_eq!(places.text(&finding("called", "6", "prefix")).en, "whole", "it is in no file");
    assert_eq!(places.text(&finding("extensions", "5", "number")).en, "whole");
}

#[test]
fn a_column_for_each_field() {
    assert_eq!(
        columns(TableName::Transitions),
        ["id", "type", "start", "length", "string", "description"]
    );
    let lines = columns(TableName::Lines);
    assert!(lines.iter().any(|it| it == "interop.codecs") && lines[0] == "account", "{lines:?}");
    let head = String::from_utf8(write(&Tables::default(), TableName::Lines).unwrap()).unwrap();
    assert_eq!(
        head,
        format!(
            "{MARK}{}\r\n",
            lines.into_iter().filter(|it| it != PASSWORD).collect::<Vec<_>>().join(",")
        )
    );
}
