//! What the dial plan asks of the present, as the board shows it: for decisions on calls that nobody places.

use crate::board::Board;
use pbx::SmolStr;
use pbx::dialplan::Live;
use pbx::id::TenantId;
use pbx::line::live::LineStatus;
use pbx::line::table::Pool;
use pbx::trunk::live::TrunkStatus;
use std::collections::{BTreeMap, BTreeSet};

/// The picture at one moment.
pub(crate) struct Present {
    extensions: BTreeSet<(TenantId, SmolStr)>,
    lines: BTreeMap<(TenantId, Box<str>), LineStatus>,
    trunks: BTreeMap<(TenantId, u32), TrunkStatus>,
}

impl Present {
    pub(crate) fn new(board: &Board) -> Self {
        let bindings = board.bindings();
        let whose = bindings.iter().map(|it| (it.key.tenant, it.key.extension.clone()));
        let lines = board.lines().into_iter().map(|it| ((it.tenant, it.account.clone()), it));
        let trunks = board.trunks().into_iter().map(|it| ((it.tenant, it.id), it));
        Self { extensions: whose.collect(), lines: lines.collect(), trunks: trunks.collect() }
    }

    fn line(&self, tenant: TenantId, account: &str) -> Option<&LineStatus> {
        self.lines.get(&(tenant, account.into()))
    }
}

impl Live for Present {
    fn line_is_registered(&self, tenant: TenantId, account: &str) -> bool {
        self.line(tenant, account).is_some_and(|it| it.until.is_some())
    }

    fn line_calls_out(&self, tenant: TenantId, account: &str) -> u16 {
        self.line(tenant, account).map_or(0, |it| it.calls_out)
    }

    // Whose turn it is only the core knows: a rotation is shown from its beginning.
    fn last_taken(&self, _: TenantId, _: Pool) -> Option<&str> {
        None
    }

    fn trunk_is_healthy(&self, tenant: TenantId, id: u32) -> bool {
        self.trunks.get(&(tenant, id)).is_some_and(TrunkStatus::is_up)
    }

    fn trunk_calls_out(&self, tenant: TenantId, id: u32) -> u16 {
        self.trunks.get(&(tenant, id)).map_or(0, |it| it.calls_out)
    }

    fn extension_is_registered(&self, tenant: TenantId, number: &str) -> bool {
        self.extensions.contains(&(tenant, number.into()))
    }
}
