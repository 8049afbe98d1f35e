//! Everything of the dial plan that belongs to a tenant.

use super::blocklist::BlockList;
use super::feature_codes::FeatureCodes;
use super::rows::{CalledRow, CallerRow, DEFAULT_PLAN, RefineRow};
use super::table::Table;
use super::transition::Transition;
use imbl::{OrdMap, OrdSet};
use std::sync::Arc;

/// The tables of a tenant. Cloning shares everything; a change of one row costs O(log n).
#[derive(Clone, Debug, Default)]
pub struct DialPlan {
    /// Names of the plans besides `default`.
    pub names: OrdSet<Box<str>>,
    pub transitions: OrdMap<u32, Arc<Transition>>,
    /// Analyze caller number.
    pub callers: Table<CallerRow>,
    /// Analyze called number.
    pub called: Table<CalledRow>,
    /// Refine caller number.
    pub refine_caller: Table<RefineRow>,
    /// Refine called number.
    pub refine_called: Table<RefineRow>,
    /// Which code stands for which feature.
    pub features: FeatureCodes,
    /// The black list.
    pub blocked: BlockList,
}

impl DialPlan {
    pub fn has_plan(&self, name: &str) -> bool {
        name == DEFAULT_PLAN || self.names.contains(name)
    }

    /// The name itself where there is such a plan, else `default`: who is in a plan that is gone
    /// can still call.
    pub fn plan_or_default<'a>(&self, name: &'a str) -> &'a str {
        if self.has_plan(name) { name } else { DEFAULT_PLAN }
    }

    pub fn put_transition(&mut self, transition: Transition) {
        self.transitions.insert(transition.id, Arc::new(transition));
    }
}
