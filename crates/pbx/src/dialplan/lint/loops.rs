//! Finds rows whose numbers are analysed again without an end, by trying.

use super::super::plan::DialPlan;
use super::super::route::REANALYZE_MAX;
use super::super::rows::CalledRow;
use super::super::table::Row;
use std::sync::Arc;

/// What follows the prefix in a number that is tried: nothing, or digits that no row asks for, or
/// one digit before those.
const TAILS: [&str; 12] = [
    "", "~~~~~~~~", "0~~~~~~~", "1~~~~~~~", "2~~~~~~~", "3~~~~~~~", "4~~~~~~~", "5~~~~~~~",
    "6~~~~~~~", "7~~~~~~~", "8~~~~~~~", "9~~~~~~~",
];

/// A number this row matches is analysed more often than the limit allows, if rows with a time
/// hold always, or never.
pub(super) fn repeats(plan: &DialPlan, row: &CalledRow) -> bool {
    if !row.reanalyze || row.transition.is_none() {
        return false;
    }
    let tried = |tail: &&str| {
        [true, false]
            .iter()
            .any(|timed| runs_on(plan, row, format!("{}{tail}", row.prefix), *timed))
    };
    TAILS.iter().any(tried)
}

fn runs_on(plan: &DialPlan, first: &CalledRow, mut number: String, timed: bool) -> bool {
    let mut row = first.clone();
    for _ in 0..=REANALYZE_MAX {
        let transition = row.transition.and_then(|id| plan.transitions.get(&id));
        let Some(transition) = transition.filter(|_| row.reanalyze) else { return false };
        number = transition.apply(&number).into();
        let holds = |it: &&Arc<CalledRow>| timed || it.time().is_none();
        let matching = plan.called.matching(&first.plan, &number);
        match matching.into_iter().find(holds) {
            Some(next) => row = CalledRow::clone(next),
            None => return false,
        }
    }
    true
}
