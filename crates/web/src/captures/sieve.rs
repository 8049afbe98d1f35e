//! Which messages are meant: the filter of a trace, with what it names looked up where it begins.

use crate::Running;
use crate::live::{TraceFilter, names};
use crate::resource::{Failure, Traced};
use pbx::text;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// No number is longer. What is followed is named in the audit.
const EXT_BYTES_MAX: usize = 128;

/// A filter and what it means.
#[derive(Debug)]
pub(crate) struct Sieve {
    filter: TraceFilter,
    /// The whole id of its call.
    call: Option<String>,
    line: Option<Way>,
    trunk: Option<Way>,
}

/// How messages of a line or trunk are known.
#[derive(Debug)]
struct Way {
    addresses: Vec<IpAddr>,
    /// The account of a line.
    account: Option<String>,
}

impl Way {
    fn admits(&self, message: &Traced) -> bool {
        let remote = message.remote.parse::<SocketAddr>().map(|it| it.ip().to_canonical());
        let by_address = remote.is_ok_and(|it| self.addresses.contains(&it));
        by_address || self.account.as_deref().is_some_and(|it| names(&message.text, it))
    }
}

impl Sieve {
    /// `call` is the whole id of the filter's call.
    pub(crate) fn of(
        filter: TraceFilter,
        call: Option<String>,
        running: &dyn Running,
    ) -> Result<Self, Failure> {
        if filter.ext.as_ref().is_some_and(|it| it.len() > EXT_BYTES_MAX) {
            let text = text!(
                "a number has at most {EXT_BYTES_MAX} characters",
                "号码最长{EXT_BYTES_MAX}个字符"
            );
            return Err(Failure::new(422, "invalid", text).at("ext"));
        }
        let addresses = |it: &mut dyn Iterator<Item = Option<SocketAddr>>| {
            it.flatten().map(|it| it.ip().to_canonical()).collect()
        };
        let line = match filter.line.as_deref() {
            None => None,
            Some(account) => {
                let found = running.lines().into_iter().find(|it| *it.account == *account);
                let found = found.ok_or_else(|| {
                    let text = text!("there is no external line {account}", "外线{account}不存在");
                    Failure::new(422, "invalid", text).at("line")
                })?;
                let addresses = addresses(&mut std::iter::once(found.target));
                Some(Way { addresses, account: Some(account.to_owned()) })
            }
        };
        let trunk = match filter.trunk {
            None => None,
            Some(id) => {
                let found = running.trunks().into_iter().find(|it| it.id == id);
                let found = found.ok_or_else(|| {
                    let text = text!("there is no SIP trunk {id}", "SIP中继{id}不存在");
                    Failure::new(422, "invalid", text).at("trunk")
                })?;
                let addresses = addresses(&mut found.servers.iter().map(|it| it.address));
                Some(Way { addresses, account: None })
            }
        };
        Ok(Self { filter, call, line, trunk })
    }

    pub(crate) fn admits(&self, message: &Traced) -> bool {
        let ways = [&self.line, &self.trunk].into_iter().flatten();
        self.filter.admits(message, self.call.as_deref())
            && ways.into_iter().all(|it| it.admits(message))
    }
}

/// What is followed, as `ext=100 ip=10.0.0.1`; empty: everything.
impl fmt::Display for Sieve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TraceFilter { ext, ip, line, trunk, .. } = &self.filter;
        let ip = ip.map(|it| it.to_string());
        let trunk = trunk.map(|it| it.to_string());
        let each = [("ext", ext), ("ip", &ip), ("line", line), ("trunk", &trunk)];
        let mut first = true;
        for (name, value) in each {
            let Some(value) = value else { continue };
            let space = if std::mem::take(&mut first) { "" } else { " " };
            write!(f, "{space}{name}={value}")?;
        }
        Ok(())
    }
}
