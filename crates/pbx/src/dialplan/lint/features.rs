//! Feature codes: each one can be dialled, and means one thing.

use super::super::feature::DialledFeature;
use super::super::feature_codes::{CODE_LENGTH_MAX, FeatureRow};
use super::Linter;
use super::finding::{Rule, TableName};
use crate::directory::Tenant;
use crate::language::Text;
use std::ops::Bound;

impl Linter<'_> {
    pub(super) fn features(&mut self) {
        let tenant = self.tenant;
        let codes = &tenant.dial_plan.features;
        for row in codes.all() {
            let Some(code) = row.code() else { continue };
            let is_legal = (1..=CODE_LENGTH_MAX).contains(&code.len())
                && code.bytes().all(|it| it.is_ascii_digit() || b"*#".contains(&it));
            if !is_legal {
                let rule =
                    Text::fixed("1 to 16 of 0-9, * and #, or off", "1至16个0-9、*和#，或off");
                self.code(row, Rule::Range(rule));
                continue;
            }
            for other in codes.all().filter(|it| is_to_blame(row, it)) {
                if hides(row, other) || hides(other, row) {
                    let rule = Rule::SameCode(other.code.clone(), other.feature.as_str().into());
                    self.code(row, rule);
                }
            }
            if let Some(number) = emergency(tenant, row) {
                self.code(row, Rule::CodeIsEmergency(number));
            }
            if let Some(number) = extension(tenant, row) {
                self.code(row, Rule::CodeIsExtension(number));
            }
        }
    }

    fn code(&mut self, row: &FeatureRow, rule: Rule) {
        self.find(TableName::Features, row.feature.as_str(), "code", rule);
    }
}

/// Of two that meet it is the one that was chosen, else the later one.
fn is_to_blame(row: &FeatureRow, other: &FeatureRow) -> bool {
    match (row.is_usual(), other.is_usual()) {
        (false, true) => true,
        (true, false) => false,
        (true, true) | (false, false) => row.feature > other.feature,
    }
}

/// The one is dialled where the other is meant, though maybe not always.
fn hides(one: &FeatureRow, other: &FeatureRow) -> bool {
    let (Some(code), Some(other)) = (one.code(), other.code()) else { return false };
    code == other || (one.feature.takes_number() && other.starts_with(code))
}

/// An emergency number, with or without the out-group prefix, that would be this feature.
fn emergency(tenant: &Tenant, row: &FeatureRow) -> Option<Box<str>> {
    let code = row.code()?;
    let is_dialled = |it: &str| DialledFeature::by(row.feature, code, it).is_some();
    let prefix = &tenant.settings.out_group_prefix;
    let mut numbers = tenant.settings.emergency_numbers();
    let number = numbers.find(|it| is_dialled(it) || is_dialled(&format!("{prefix}{it}")));
    number.map(Into::into)
}

/// An extension that could not be called, if there is one.
fn extension(tenant: &Tenant, row: &FeatureRow) -> Option<Box<str>> {
    let code = row.code()?;
    let from = tenant.extensions.range::<_, str>((Bound::Included(code), Bound::Unbounded));
    let mut numbers = from.map(|it| it.0).take_while(|it| it.starts_with(code));
    numbers.find(|it| DialledFeature::by(row.feature, code, it).is_some()).map(|it| (**it).into())
}
