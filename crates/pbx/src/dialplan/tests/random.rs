//! Random plans and numbers: the decision is that of a plain model, and the printed steps name it.

use super::super::plan::DialPlan;
use super::super::rows::*;
use super::super::table::{Row, Table};
use super::super::time::{LocalTime, TimeCondition, Zone};
use super::super::transition::TransitionKind;
use super::super::{REANALYZE_MAX, explain, print, route};
use super::{AT, Present, ask, change, directory, extension, line, trunk, words};
use crate::dialplan::levels::Levels;
use crate::directory::{Directory, Extension, Tenant};
use crate::interop::CallLimit;
use crate::language::Language;
use crate::line::Line;
use crate::line::config::CallerNumber;
use crate::settings::Settings;
use std::cmp::Reverse;
use std::sync::Arc;

const PLANS: usize = 10_000;
const CALLER: &str = "10";
const PLAN_NAMES: [&str; 3] = ["default", "guest", "night"];
const ACCOUNTS: [&str; 3] = ["1", "2", "3"];
/// AT is a Thursday.
const TIMES: [&str; 4] = ["thu", "sat-sun", "2026-11-26", "2026-11-27"];

/// Knuth's MMIX generator: enough to draw plans.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn digits(&mut self, most: usize) -> String {
        let length = self.below(most + 1);
        (0..length).map(|_| self.pick(&['0', '1', '2', '9'])).collect()
    }

    fn id(&mut self, most: usize) -> u32 {
        u32::try_from(self.below(most)).unwrap() + 1
    }

    fn time(&mut self) -> Option<TimeCondition> {
        self.one_in(3).then(|| self.pick(&TIMES).parse().unwrap())
    }

    fn route(&mut self) -> RouteType {
        match self.below(8) {
            0 | 1 => RouteType::LocalUser,
            2 => RouteType::ExternalLine(LineChoice::Line(self.pick(&ACCOUNTS).into())),
            3 => RouteType::ExternalLine(LineChoice::Group(self.id(2))),
            4 => RouteType::ExternalLine(LineChoice::Rotation),
            5 => RouteType::SipTrunk(TrunkChoice::Listed(vec![self.id(3), self.id(3)])),
            6 => RouteType::SipTrunk(TrunkChoice::Group(self.id(2))),
            _ => RouteType::Reject(403),
        }
    }

    fn plan(&mut self) -> DialPlan {
        let mut plan = DialPlan::default();
        plan.names.extend(PLAN_NAMES[1..].iter().map(|it| Box::<str>::from(*it)));
        for id in 1..=3 {
            let kinds = [TransitionKind::Delete, TransitionKind::Replace, TransitionKind::Insert];
            let (start, length) = (self.below(3), self.below(3));
            let small = |it: usize| u8::try_from(it).unwrap();
            let (kind, string) = (self.pick(&kinds), self.digits(2));
            plan.put_transition(change(id, kind, small(start), small(length), &string));
        }
        for id in 1..=self.id(4) {
            plan.callers.put(CallerRow {
                id,
                plan: self.pick(&PLAN_NAMES).into(),
                prefix: self.digits(2).into(),
                to_plan: self.one_in(2).then(|| self.pick(&PLAN_NAMES).into()),
                transition: self.one_in(2).then(|| self.id(4)),
                time: self.time(),
                description: "".into(),
            });
        }
        for id in 1..=self.id(16) {
            plan.called.put(CalledRow {
                id,
                plan: self.pick(&PLAN_NAMES).into(),
                prefix: self.digits(3).into(),
                route: self.route(),
                transition: self.one_in(2).then(|| self.id(4)),
                reanalyze: self.one_in(3),
                level: self.one_in(4).then(|| self.pick(&[1, 2])),
                time: self.time(),
                description: "".into(),
            });
        }
        for table in [&mut plan.refine_caller, &mut plan.refine_called] {
            for id in 1..=self.id(4) {
                table.put(RefineRow {
                    id,
                    group: self.id(3) - 1,
                    prefix: self.digits(2).into(),
                    transition: self.id(4),
                    time: self.time(),
                    description: "".into(),
                });
            }
        }
        plan
    }

    fn office(&mut self) -> (Tenant, Present) {
        // Emergency numbers have tests of their own: none of those drawn is one.
        let emergency_numbers = vec!["5".to_owned()];
        let settings = Arc::new(Settings { emergency_numbers, ..Settings::default() });
        let mut tenant = Tenant { dial_plan: self.plan(), settings, ..Tenant::default() };
        for number in [CALLER, "11", "12", "201"] {
            let levels = Levels::new(&[1]).unwrap();
            let plan = self.one_in(2).then(|| self.pick(&PLAN_NAMES).into());
            tenant.put(Extension { levels, plan, ..extension(number) });
        }
        for account in ACCOUNTS {
            tenant.lines.put(Line {
                group: self.id(3) - 1,
                shared: !self.one_in(4),
                owner: self.one_in(3).then(|| CALLER.into()),
                calls_out_max: CallLimit(self.pick(&[None, Some(0), Some(2)])),
                caller_number: if self.one_in(2) {
                    CallerNumber::Caller
                } else {
                    CallerNumber::Account
                },
                ..line(account)
            });
        }
        for id in 1..=2 {
            let mut trunk = trunk(id, "192.0.2.1");
            trunk.group = self.id(3) - 1;
            tenant.put_trunk(trunk);
        }
        let mut live = Present {
            last: self.one_in(2).then(|| self.pick(&ACCOUNTS)),
            // He may dial his own number.
            with_two_phones: vec![CALLER],
            ..Present::default()
        };
        for account in ACCOUNTS {
            if self.one_in(4) {
                live.unregistered.push(account);
            }
            if self.one_in(4) {
                live.calls.push((account, 2));
            }
        }
        if self.one_in(3) {
            live.silent.push(1);
        }
        (tenant, live)
    }
}

/// The decision again, with lists and scans; `None` is a refusal.
struct Model<'a> {
    tenant: &'a Tenant,
    live: &'a Present,
    caller: String,
    called: String,
}

impl Model<'_> {
    fn find<R: Row>(
        &self,
        table: &Table<R>,
        fits: impl Fn(&R) -> bool,
        number: &str,
    ) -> Option<Arc<R>> {
        let at = LocalTime::new(AT, &Zone::default());
        let holds = |it: &R| it.time().is_none_or(|time| time.holds(at));
        let rank = |it: &R| match it.time() {
            Some(time) => u8::from(!time.names_dates()),
            None => 2,
        };
        let rows =
            table.rows().filter(|it| number.starts_with(it.prefix()) && fits(it) && holds(it));
        rows.min_by_key(|it| (Reverse(it.prefix().len()), rank(it), it.id())).cloned()
    }

    fn change(&self, id: Option<u32>, number: &str) -> Option<String> {
        self.tenant.dial_plan.transitions.get(&id?).map(|it| it.apply(number).into())
    }

    fn run(&mut self) -> Option<Vec<String>> {
        let tenant = self.tenant;
        let mut plan = tenant.extension(CALLER)?.plan.as_deref().unwrap_or(DEFAULT_PLAN).to_owned();
        let plans = &tenant.dial_plan;
        if let Some(row) = self.find(&plans.callers, |it| *it.plan == *plan, &self.caller) {
            self.caller =
                self.change(row.transition, &self.caller).unwrap_or_else(|| self.caller.clone());
            plan = row.to_plan.as_deref().unwrap_or(&plan).to_owned();
        }
        for _ in 0..=REANALYZE_MAX {
            let row = self.find(&plans.called, |it| *it.plan == *plan, &self.called);
            let Some(row) = row else { return self.no_row() };
            if row.level.is_some_and(|it| it != 1) {
                return None;
            }
            let changed = self.change(row.transition, &self.called);
            let again = changed.is_some() && row.reanalyze;
            self.called = changed.unwrap_or_else(|| self.called.clone());
            if !again {
                return self.take(&row.route);
            }
        }
        None
    }

    fn no_row(&mut self) -> Option<Vec<String>> {
        if self.tenant.extension(&self.called).is_some() {
            return self.take(&RouteType::LocalUser);
        }
        self.called = self.called.strip_prefix('9').filter(|it| !it.is_empty())?.to_owned();
        self.take(&RouteType::ExternalLine(LineChoice::Rotation))
    }

    fn take(&self, route: &RouteType) -> Option<Vec<String>> {
        let tenant = self.tenant;
        let found = match route {
            RouteType::LocalUser => tenant
                .extension(&self.called)
                .map(|it| format!("extension {}", it.number))
                .into_iter()
                .collect(),
            RouteType::ExternalLine(LineChoice::Line(account)) => {
                self.lines(vec![tenant.lines.get(account)?.clone()])
            }
            RouteType::ExternalLine(LineChoice::Group(group)) => {
                self.turns(|it| it.group == *group)
            }
            RouteType::ExternalLine(LineChoice::Rotation) => self.turns(|_| true),
            RouteType::SipTrunk(TrunkChoice::Listed(ids)) => self.trunks(ids),
            RouteType::SipTrunk(TrunkChoice::Group(group)) => {
                let group: Vec<u32> = tenant
                    .trunks
                    .values()
                    .filter(|it| it.group == *group)
                    .map(|it| it.id)
                    .collect();
                self.trunks(&group)
            }
            RouteType::Service(_) | RouteType::FeatureCode(_) | RouteType::Reject(_) => vec![],
        };
        (!found.is_empty()).then_some(found)
    }

    fn turns(&self, fits: impl Fn(&Line) -> bool) -> Vec<String> {
        let all: Vec<Arc<Line>> = self.tenant.lines.iter().filter(|it| fits(it)).cloned().collect();
        let own = all.iter().filter(|it| it.owner.as_deref() == Some(CALLER));
        let shared = || all.iter().filter(|it| it.shared);
        let last = self.live.last.unwrap_or("");
        let later = shared().filter(|it| &*it.account > last);
        let mut order: Vec<Arc<Line>> = own.chain(later).chain(shared()).cloned().collect();
        let mut seen = vec![];
        order.retain(|it| {
            let new = !seen.contains(&it.account);
            seen.push(it.account.clone());
            new
        });
        self.lines(order)
    }

    fn lines(&self, lines: Vec<Arc<Line>>) -> Vec<String> {
        let usable = |it: &&Arc<Line>| {
            let calls = self
                .live
                .calls
                .iter()
                .find(|(name, _)| *name == &*it.account)
                .map_or(0, |(_, calls)| *calls);
            (it.shared || it.owner.is_some())
                && !self.live.unregistered.contains(&&*it.account)
                && it.calls_out_max.0.is_none_or(|most| calls < most)
        };
        let words = |it: &Arc<Line>| {
            let caller =
                if it.caller_number == CallerNumber::Account { &it.account } else { &*self.caller };
            format!("line {}: {}", it.account, self.numbers(it.group, caller))
        };
        lines.iter().filter(usable).map(words).collect()
    }

    fn trunks(&self, ids: &[u32]) -> Vec<String> {
        let mut ids = ids.to_vec();
        ids.dedup();
        let known = ids.iter().filter_map(|it| self.tenant.trunks.get(it));
        let healthy = known.filter(|it| !self.live.silent.contains(&it.id));
        healthy
            .map(|it| format!("trunk {}: {}", it.id, self.numbers(it.group, &self.caller)))
            .collect()
    }

    fn numbers(&self, group: u32, caller: &str) -> String {
        let plan = &self.tenant.dial_plan;
        let refined = |table: &Table<RefineRow>, number: &str| {
            let row = self.find(table, |it| it.group == group, number);
            let changed = row.and_then(|it| self.change(Some(it.transition), number));
            changed.unwrap_or_else(|| number.to_owned())
        };
        let called = refined(&plan.refine_called, &self.called);
        format!("{called} as {}", refined(&plan.refine_caller, caller))
    }
}

/// What the last line of the English text says, in the words of the model.
fn result_of(text: &str) -> Option<Vec<String>> {
    let result = text.lines().last()?.strip_prefix("Result: ")?;
    if result.starts_with("refused") {
        return None;
    }
    let words = |it: &str| match it.strip_prefix("would ring ") {
        Some(extension) => extension.to_owned(),
        None => {
            let (numbers, way) =
                it.strip_prefix("would send ").unwrap().split_once(" on ").unwrap();
            format!("{way}: {numbers}")
        }
    };
    Some(result.strip_suffix('.')?.split(", then ").map(words).collect())
}

#[test]
fn the_printed_steps_name_the_route_of_the_plain_model() {
    let mut dice = Dice(1);
    let mut outcomes = [0; 4];
    for round in 0..PLANS {
        let (tenant, live) = dice.office();
        let dialled = match dice.below(3) {
            0 => dice.pick(&["11", "12", "201"]).to_owned(),
            _ => dice.digits(6),
        };
        let directory: Directory = directory(tenant.clone());
        let query = ask(CALLER, &dialled);
        let chosen = route(&directory, &live, &query);
        let explained = explain(&directory, &live, &query);
        assert_eq!(explained.route, chosen, "{round}");
        let mut model = Model {
            tenant: &tenant,
            live: &live,
            caller: CALLER.to_owned(),
            called: dialled.clone(),
        };
        let expected = model.run();
        let text = print(&explained, Language::En);
        let got = chosen.outcome.is_ok().then(|| words(&chosen));
        assert_eq!(got, expected.as_ref().map(|it| it.join(", ")), "{round} {dialled}\n{text}");
        assert_eq!(result_of(&text), expected, "{round} {dialled}\n{text}");
        let chinese = print(&explained, Language::Zh);
        assert_eq!(chinese.lines().count(), text.lines().count());
        outcomes[match expected.as_deref() {
            None => 0,
            Some([first, ..]) if first.starts_with("line") => 1,
            Some([first, ..]) if first.starts_with("trunk") => 2,
            Some(_) => 3,
        }] += 1;
    }
    // The draw is of all kinds.
    assert!(outcomes.iter().all(|it| *it > PLANS / 50), "{outcomes:?}");
}
