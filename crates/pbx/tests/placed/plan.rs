//! Random dial plans with their lines and trunks, as an administrator might have them, if a strange
//! one.

use pbx::dialplan::feature::Feature;
use pbx::dialplan::feature_codes::FeatureRow;
use pbx::dialplan::levels::Levels;
use pbx::dialplan::plan::DialPlan;
use pbx::dialplan::rows::*;
use pbx::dialplan::transition::{Transition, TransitionKind};
use pbx::directory::{AllowedAddress, Extension, Tenant};
use pbx::interop::CallLimit;
use pbx::line::Line;
use pbx::line::config::{CallerNumber, FromUser, Incoming};
use pbx::settings::Settings;
use pbx::supplementary::{Forwarding, Forwardings, PhoneChange, Services};
use pbx::trunk::Trunk;
use pbx::trunk::config::TrunkAddress;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use std::net::{Ipv4Addr, SocketAddr};
use testkit::office::extension;

pub(crate) const CALLER: &str = "10";
/// Reached at their addresses; the last one has no phone.
pub(crate) const EXTENSIONS: [&str; 5] = [CALLER, "11", "12", "201", "202"];
pub(crate) const WITHOUT_PHONE: &str = "202";
pub(crate) const ACCOUNTS: [&str; 3] = ["1", "2", "3"];
pub(crate) const TRUNKS: [u32; 2] = [1, 2];
pub(crate) const EMERGENCY: &str = "5";
const PLAN_NAMES: [&str; 3] = [DEFAULT_PLAN, "guest", "night"];
/// The clock of the tests begins on a Monday.
const TIMES: [&str; 3] = ["mon", "sat-sun", "2020-01-01"];

pub(crate) struct Dice(pub(crate) ChaCha8Rng);

/// Where a carrier, another server or a phone is.
pub(crate) fn address_of_line(account: &str) -> SocketAddr {
    (Ipv4Addr::new(203, 0, 113, account.parse().unwrap()), 5060).into()
}

pub(crate) fn address_of_trunk(id: u32) -> SocketAddr {
    (Ipv4Addr::new(10, 23, 0, id.try_into().unwrap()), 5060).into()
}

pub(crate) fn address_of_extension(number: &str) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 1, number.parse().unwrap()), 5060).into()
}

impl Dice {
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0.next_u32() as usize % most
    }

    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn digits(&mut self, least: usize, most: usize) -> String {
        let length = least + self.below(most + 1 - least);
        (0..length).map(|_| self.pick(&['0', '1', '2', '9'])).collect()
    }

    /// From 1.
    fn number(&mut self, most: usize) -> u32 {
        u32::try_from(self.below(most)).unwrap() + 1
    }

    /// From 0.
    fn small(&mut self, below: usize) -> u8 {
        u8::try_from(self.below(below)).unwrap()
    }

    fn time(&mut self) -> Option<pbx::dialplan::time::TimeCondition> {
        self.one_in(3).then(|| self.pick(&TIMES).parse().unwrap())
    }

    fn limit(&mut self) -> CallLimit {
        CallLimit(self.pick(&[None, None, Some(0), Some(1), Some(2)]))
    }

    fn route(&mut self) -> RouteType {
        match self.below(20) {
            0..5 => RouteType::LocalUser,
            5..8 => RouteType::ExternalLine(LineChoice::Line(self.pick(&ACCOUNTS).into())),
            8..10 => RouteType::ExternalLine(LineChoice::Group(self.number(2))),
            10..13 => RouteType::ExternalLine(LineChoice::Rotation),
            13..16 => {
                RouteType::SipTrunk(TrunkChoice::Listed(vec![self.number(3), self.number(3)]))
            }
            16 => RouteType::SipTrunk(TrunkChoice::Group(self.number(2))),
            17 => RouteType::Service("operator".into()),
            18 => RouteType::FeatureCode(Feature::Echo),
            _ => RouteType::Reject(self.pick(&[403, 404, 486, 600])),
        }
    }

    fn tables(&mut self) -> DialPlan {
        let mut plan = DialPlan::default();
        plan.names.extend(PLAN_NAMES[1..].iter().map(|it| Box::<str>::from(*it)));
        for id in 1..=3 {
            let kinds = [TransitionKind::Delete, TransitionKind::Replace, TransitionKind::Insert];
            let kind = self.pick(&kinds);
            let (start, length) = (self.small(3), self.small(3));
            let (string, description) = (self.digits(0, 2).into(), "".into());
            plan.put_transition(Transition { id, kind, start, length, string, description });
        }
        for id in 1..self.number(4) {
            plan.callers.put(CallerRow {
                id,
                plan: self.pick(&PLAN_NAMES).into(),
                prefix: self.digits(0, 2).into(),
                to_plan: self.one_in(2).then(|| self.pick(&PLAN_NAMES).into()),
                transition: self.one_in(2).then(|| self.number(4)),
                time: self.time(),
                description: "".into(),
            });
        }
        for id in 1..self.number(16) {
            plan.called.put(CalledRow {
                id,
                plan: self.pick(&PLAN_NAMES).into(),
                prefix: self.digits(0, 3).into(),
                route: self.route(),
                transition: self.one_in(2).then(|| self.number(4)),
                reanalyze: self.one_in(3),
                level: self.one_in(4).then(|| self.pick(&[1, 2])),
                time: self.time(),
                description: "".into(),
            });
        }
        for table in [&mut plan.refine_caller, &mut plan.refine_called] {
            for id in 1..self.number(4) {
                table.put(RefineRow {
                    id,
                    group: self.number(3) - 1,
                    prefix: self.digits(0, 2).into(),
                    transition: self.number(4),
                    time: self.time(),
                    description: "".into(),
                });
            }
        }
        let code = self.pick(&["*43", "*44", "*1", "off"]).into();
        plan.features = [FeatureRow { feature: Feature::Echo, code }].into_iter().collect();
        for id in 1..self.number(3) {
            plan.blocked.put(BlockRow {
                id,
                caller: self.pick(&["*", "1", "10", "anonymous"]).into(),
                called: self.pick(&["*", "0", "9", "92"]).into(),
                // Chance is the core's own.
                rate: self.pick(&[0, 0, 100]),
                description: "".into(),
            });
        }
        plan
    }

    fn line(&mut self, account: &str) -> Line {
        Line {
            account: account.into(),
            enabled: !self.one_in(8),
            domain: address_of_line(account).ip().to_string().into(),
            register: self.one_in(5),
            keep_alive_s: 0,
            group: self.number(3) - 1,
            shared: !self.one_in(4),
            owner: self.one_in(3).then(|| self.pick(&EXTENSIONS).into()),
            plan: self.pick(&PLAN_NAMES).into(),
            incoming: match self.below(6) {
                0 => Incoming::Extension(self.pick(&EXTENSIONS).into()),
                1 => Incoming::Number(self.digits(1, 4).into()),
                2 => Incoming::Service("operator".into()),
                _ => Incoming::Owner,
            },
            calls_out_max: self.limit(),
            caller_number: match self.below(3) {
                0 => CallerNumber::Account,
                1 => CallerNumber::Fixed(self.digits(1, 4).into()),
                _ => CallerNumber::Caller,
            },
            from_user: if self.one_in(6) { FromUser::Account } else { FromUser::Caller },
            uri_parameters: self.pick(&["", "user=phone"]).into(),
            ..Line::default()
        }
    }

    fn trunk(&mut self, id: u32) -> Trunk {
        let host = address_of_trunk(id).ip().to_string().into();
        Trunk {
            id,
            enabled: !self.one_in(8),
            addresses: vec![TrunkAddress { host, port: 5060, priority: 0 }],
            plan: self.pick(&PLAN_NAMES).into(),
            levels: Levels::new(self.pick(&[&[] as &[u8], &[1]])).unwrap(),
            group: self.number(3) - 1,
            calls_out_max: self.limit(),
            caller_number: self.pick(&["", "", "4930"]).into(),
            uri_parameters: self.pick(&["", "user=phone"]).into(),
            tel_uri: self.one_in(5),
            // Nobody answers.
            options_s: self.pick(&[0, 0, 0, 30]),
            ..Trunk::default()
        }
    }

    /// Puts a random plan into an office.
    pub(crate) fn furnish(&mut self, tenant: &mut Tenant) {
        let emergency_numbers = vec![EMERGENCY.to_owned()];
        let settings = Settings { emergency_numbers, ..Settings::default() };
        let may_forward = Forwardings::from(Forwarding::ALL.to_vec());
        for number in EXTENSIONS {
            let address = address_of_extension(number);
            let (network, port) = (address.ip().into(), Some(address.port()));
            let addresses = match number {
                WITHOUT_PHONE => vec![],
                _ => vec![AllowedAddress { network, port }],
            };
            tenant.put(Extension {
                levels: Levels::new(&[1]).unwrap(),
                plan: self.one_in(2).then(|| self.pick(&PLAN_NAMES).into()),
                secret: None,
                addresses,
                calls_max: 100,
                services: Services { may_forward, ..Services::default() },
                ..extension(number, "", "", &settings)
            });
        }
        tenant.settings = settings.into();
        tenant.dial_plan = self.tables();
        for account in ACCOUNTS {
            let line = self.line(account);
            tenant.lines.put(line);
        }
        for id in TRUNKS {
            let trunk = self.trunk(id);
            tenant.put_trunk(trunk);
        }
    }

    /// What the phones of an extension have set, if anything.
    pub(crate) fn set_by_phones(&mut self, number: &str) -> Vec<PhoneChange> {
        let to = match self.below(3) {
            0 => self.digits(1, 5),
            _ => self.pick(&EXTENSIONS).to_owned(),
        };
        let forward = |when| PhoneChange::Forward(when, Some(to.as_str().into()));
        // A phone of the test that is called may say that it is busy.
        match self.below(12) {
            0 | 1 => vec![forward(Forwarding::Always)],
            2 if number != CALLER => vec![forward(Forwarding::Unreachable)],
            3 => vec![PhoneChange::DoNotDisturb(true)],
            4 => vec![PhoneChange::DoNotDisturb(true), forward(Forwarding::Busy)],
            5 => vec![forward(Forwarding::NoAnswer)],
            _ => vec![],
        }
    }
}
