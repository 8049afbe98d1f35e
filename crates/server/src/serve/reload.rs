//! SIGHUP: what can change while calls are up is read again, the rest is named.
//!
//! Beside [`crate::serve`]. Nothing here touches a call.

use crate::cli::Common;
use crate::config::{self, Advertised, Config, Given, Loaded, RELOADED};
use crate::drive::Order;
use crate::logs;
use crate::running::Live;
use pbx::core::Command;
use pbx::guard::Rate;
use std::collections::BTreeMap;
use tokio::sync::watch;

/// What the server was started with, and the way to what it watches.
pub(super) struct Reload {
    common: Common,
    given: BTreeMap<&'static str, Given>,
    advertised: watch::Sender<Advertised>,
}

impl Reload {
    pub(super) fn new(
        common: &Common,
        started: &Loaded,
        advertised: watch::Sender<Advertised>,
    ) -> Self {
        Self { common: common.clone(), given: started.given.clone(), advertised }
    }

    /// Reads the configuration and the database again. A bad configuration changes nothing.
    pub(super) async fn run(&self, live: &Live) {
        match config::load(&self.common.sources()) {
            Ok(loaded) => self.take(live, &loaded),
            Err(problems) => {
                for problem in problems {
                    tracing::warn!(%problem, "the configuration stays as it is");
                }
            }
        }
        if let Err(failure) = live.read_again().await {
            tracing::warn!(error = &*failure.detail_en, "the directory stays as it is");
        }
    }

    fn take(&self, live: &Live, loaded: &Loaded) {
        let config = &loaded.config;
        if let Err(error) = logs::reopen(&config.log_file) {
            tracing::warn!(%error, "the log goes on where it was");
        }
        logs::set_level(config.log_level);
        // Received by the watch on the network, which lasts as long as the server.
        let _ = self.advertised.send(config.media_advertise.clone());
        live.orders.give(Order::Command(guard(config)));
        tracing::info!(level = config.log_level.as_str(), "configuration read again");
        for key in waiting(&self.given, &loaded.given) {
            tracing::warn!(key, "changed in the configuration; in force from the next start on");
        }
    }
}

fn guard(config: &Config) -> Command {
    let rate = |per_second, burst| Rate { per_second, burst };
    Command::Guard {
        stranger: rate(config.guard_rate.0, config.guard_burst.0),
        known: rate(config.guard_known_rate.0, config.guard_known_burst.0),
    }
}

/// The keys that differ from those of the start and are read only there.
fn waiting(
    started: &BTreeMap<&'static str, Given>,
    now: &BTreeMap<&'static str, Given>,
) -> Vec<&'static str> {
    let differs = |(key, given): &(&&'static str, &Given)| {
        !RELOADED.contains(key) && started.get(*key).map(|it| &it.value) != Some(&given.value)
    };
    now.iter().filter(differs).map(|(key, _)| *key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waits_for_a_start_is_named() {
        let given = |pairs: &[(&'static str, &str)]| -> BTreeMap<&'static str, Given> {
            let given = |text: &str| Given { value: text.into(), source: String::new() };
            pairs.iter().map(|(key, value)| (*key, given(value))).collect()
        };
        let started = given(&[("log.level", "info"), ("sip.udp", "a"), ("sip.tcp", "b")]);
        let now = given(&[("log.level", "debug"), ("sip.udp", "c"), ("sip.tcp", "b")]);
        assert_eq!(waiting(&started, &now), ["sip.udp"]);
    }
}
