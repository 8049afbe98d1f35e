//! A port that a setting opens, moves and closes while the server runs; 0 is none.

use super::{Changes, settings};
use crate::Office;
use pbx::settings::Settings;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};

/// How long after a failure the port is tried again: the program that has it may end.
const RETRY: Duration = Duration::from_secs(10);

/// What listens on a port.
pub(super) trait Socket: Sized {
    fn open(at: SocketAddr) -> io::Result<Self>;
}

impl Socket for TcpListener {
    fn open(at: SocketAddr) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(at)?;
        socket.set_nonblocking(true)?;
        Self::from_std(socket)
    }
}

impl Socket for UdpSocket {
    fn open(at: SocketAddr) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(at)?;
        socket.set_nonblocking(true)?;
        Self::from_std(socket)
    }
}

/// For both versions of IP, where there are both.
fn bind<S: Socket>(port: u16) -> io::Result<S> {
    S::open((Ipv6Addr::UNSPECIFIED, port).into())
        .or_else(|_| S::open((Ipv4Addr::UNSPECIFIED, port).into()))
}

/// The port that the settings name, and when they name another one.
pub(super) struct Port<'a> {
    office: &'a Office,
    /// What is served on it.
    name: &'static str,
    of: fn(&Settings) -> u16,
    changes: Changes,
    now: u16,
}

impl<'a> Port<'a> {
    pub(super) fn of(office: &'a Office, name: &'static str, of: fn(&Settings) -> u16) -> Self {
        Self { office, name, of, changes: Changes::of(office), now: 0 }
    }

    /// Waits until there is a port and it can be opened.
    pub(super) async fn open<S: Socket>(&mut self) -> S {
        let mut told = 0;
        loop {
            self.now = (self.of)(&settings(self.office));
            let port = self.now;
            if port == 0 {
                self.moved().await;
                continue;
            }
            match bind(port) {
                Ok(socket) => return socket,
                Err(error) if told != port => {
                    let name = self.name;
                    tracing::error!(%error, port, "no {name}: the port cannot be opened yet");
                    told = port;
                }
                // It has been said.
                Err(_) => {}
            }
            tokio::select! {
                () = self.moved() => {}
                () = pause() => {}
            }
        }
    }

    /// Waits until the settings name another port than the one that is open.
    pub(super) async fn moved(&mut self) {
        self.changes.away_from(self.office, &self.now, self.of).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing tells when a port is free")]
async fn pause() {
    tokio::time::sleep(RETRY).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Edit;
    use crate::events::Fact;
    use crate::scene::{NOW, Scene};
    use axum::http::Method;
    use serde_json::json;
    use std::pin::pin;

    async fn name_port(scene: &Scene, port: u16) {
        let path = "/api/v1/settings/call_back_port";
        let asking = scene.ask(Method::PATCH, path).json(&json!({ "value": port }));
        assert_eq!(asking.by_socket().status().await, 200);
        let events = scene.office.running.events();
        events.push(NOW, Fact::Changed(Edit::Settings));
        events.wake();
    }

    /// The port is another program's, then free, then none. Time is passed over only where no database waits.
    #[tokio::test]
    async fn a_port_is_opened_when_it_can_be_and_follows_the_settings() {
        let scene = Scene::new().await;
        let other = std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
        let taken = other.local_addr().unwrap().port();
        name_port(&scene, taken).await;
        let mut port = Port::of(&scene.office, "call-back", |it| it.call_back_port);
        tokio::time::pause();
        {
            let mut opening = pin!(port.open::<UdpSocket>());
            let in_vain = tokio::time::timeout(RETRY * 2, &mut opening).await;
            assert!(in_vain.is_err(), "it is another program's");
            drop(other);
            let socket = tokio::time::timeout(RETRY * 2, opening).await.unwrap();
            assert_eq!(socket.local_addr().unwrap().port(), taken);
        }
        tokio::time::resume();
        name_port(&scene, 0).await;
        port.moved().await;
        tokio::time::pause();
        let closed = tokio::time::timeout(RETRY * 2, port.open::<UdpSocket>()).await;
        assert!(closed.is_err(), "0 is none");
    }
}
