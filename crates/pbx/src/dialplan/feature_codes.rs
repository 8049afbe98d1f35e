//! Which code stands for which feature (业务码): the usual ones, but where the administrator chose others.

use super::feature::{DialledFeature, Feature};
use super::prefix::PrefixMap;
use imbl::OrdMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// In the place of a code: the feature has none.
pub const OFF: &str = "off";

/// Longest code. Unit: octets.
pub const CODE_LENGTH_MAX: usize = 16;

/// The code of one feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureRow {
    pub feature: Feature,
    /// What is dialled, a number following where the feature takes one; [`OFF`]: nothing.
    pub code: Box<str>,
}

impl FeatureRow {
    pub fn usual(feature: Feature) -> Self {
        Self { feature, code: feature.usual_code().into() }
    }

    /// It says nothing that is not so without it.
    pub fn is_usual(&self) -> bool {
        *self.code == *self.feature.usual_code()
    }

    /// The code, where there is one.
    pub fn code(&self) -> Option<&str> {
        Some(&*self.code).filter(|it| *it != OFF)
    }
}

/// The codes of a tenant. Cloning shares everything.
#[derive(Clone, Debug)]
pub struct FeatureCodes {
    /// Every feature, in its order.
    rows: OrdMap<Feature, FeatureRow>,
    by_code: PrefixMap<Feature>,
}

impl Default for FeatureCodes {
    fn default() -> Self {
        std::iter::empty().collect()
    }
}

impl FromIterator<FeatureRow> for FeatureCodes {
    fn from_iter<I: IntoIterator<Item = FeatureRow>>(chosen: I) -> Self {
        let usual = Feature::ALL.iter().map(|it| FeatureRow::usual(*it));
        let rows: OrdMap<Feature, FeatureRow> =
            usual.chain(chosen).map(|it| (it.feature, it)).collect();
        let mut by_code = PrefixMap::default();
        for row in rows.values() {
            if let Some(code) = row.code() {
                by_code.insert(code, row.feature);
            }
        }
        Self { rows, by_code }
    }
}

impl FeatureCodes {
    /// Every feature with its code.
    pub fn all(&self) -> impl Iterator<Item = &FeatureRow> {
        self.rows.values()
    }

    /// Those that the administrator chose.
    pub fn chosen(&self) -> impl Iterator<Item = &FeatureRow> {
        self.all().filter(|it| !it.is_usual())
    }

    pub fn code(&self, feature: Feature) -> Option<&str> {
        self.rows.get(&feature).and_then(FeatureRow::code)
    }

    /// The feature whose code this number is or, where a number follows it, begins with.
    pub fn dialled(&self, number: &str) -> Option<DialledFeature> {
        let codes = self.by_code.along(number);
        codes.into_iter().rev().find_map(|&it| DialledFeature::by(it, self.code(it)?, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(feature: Feature, code: &str) -> FeatureRow {
        FeatureRow { feature, code: code.into() }
    }

    #[test]
    fn usual_code_table() {
        let codes = FeatureCodes::default();
        #[rustfmt::skip]
        let table = [
            ("*43",       Some((Feature::Echo, ""))),
            ("*43*",      None),
            ("*90*102",   Some((Feature::ForwardBusy, "102"))),
            ("*90*",      None),
            ("*90#",      Some((Feature::ForwardBusyOff, ""))),
            ("*93*90138", Some((Feature::ForwardAlways, "90138"))),
            ("*94*1",     None),
            ("*40*101",   Some((Feature::PickUp, "101"))),
            ("*50*",      Some((Feature::PickUpInGroup, ""))),
            ("102",       None),
            ("",          None),
        ];
        for (dialled, expected) in table {
            let found = codes.dialled(dialled);
            let found = found.as_ref().map(|it| (it.feature, &*it.number));
            assert_eq!(found, expected, "{dialled}");
        }
    }

    #[test]
    fn what_is_chosen_takes_the_place_of_the_usual() {
        let chosen = [
            row(Feature::Echo, "8800"),
            row(Feature::PickUp, "*4"),
            row(Feature::DoNotDisturb, OFF),
            row(Feature::DoNotDisturbOff, "*78"),
            row(Feature::ForwardBusy, "*90*"),
        ];
        let codes: FeatureCodes = chosen.iter().cloned().collect();
        #[rustfmt::skip]
        let table = [
            ("8800",    Some((Feature::Echo, ""))),
            ("*43",     Some((Feature::PickUp, "3"))),
            ("*4101",   Some((Feature::PickUp, "101"))),
            ("*40*101", Some((Feature::PickUp, "0*101"))),
            ("*78",     Some((Feature::DoNotDisturbOff, ""))),
            ("*79",     None),
            ("off",     None),
            ("*50*",    Some((Feature::PickUpInGroup, ""))),
        ];
        for (dialled, expected) in table {
            let found = codes.dialled(dialled);
            let found = found.as_ref().map(|it| (it.feature, &*it.number));
            assert_eq!(found, expected, "{dialled}");
        }
        assert_eq!(codes.chosen().cloned().collect::<Vec<_>>().len(), 4, "one of them is as usual");
        assert_eq!(
            (codes.code(Feature::Echo), codes.code(Feature::DoNotDisturb)),
            (Some("8800"), None)
        );
        assert_eq!(codes.all().count(), Feature::ALL.len());
    }
}
