//! Waiting for many sockets at once (epoll), and waking the waiter from another thread (eventfd).
//!
//! The loops of the core thread and of the media threads stand on it.

use crate::calls::count;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// Watches sockets for something to read. Level-triggered: what was not read is reported again.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
}

/// The tokens reported by one [`Poller::wait`].
pub struct Events {
    list: Vec<libc::epoll_event>,
    filled: usize,
}

/// Wakes a [`Poller`] from any thread. Clones wake the same one.
#[derive(Clone, Debug)]
pub struct Waker {
    eventfd: Arc<OwnedFd>,
}

impl Poller {
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        Ok(Self { epoll: owned(fd)? })
    }

    /// Reports `token` whenever `socket` has something to read.
    pub fn add(&self, socket: impl AsFd, token: usize) -> io::Result<()> {
        self.register(socket.as_fd().as_raw_fd(), libc::EPOLLIN, token)
    }

    /// Stops reporting. A socket that is closed stops by itself.
    pub fn remove(&self, socket: impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, socket.as_fd().as_raw_fd(), 0, 0)
    }

    /// A waker that makes a wait end with `token` among the events.
    pub fn waker(&self, token: usize) -> io::Result<Waker> {
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        let eventfd = owned(fd)?;
        // Edge-triggered: each wake is reported once, and its counter need not be read.
        self.register(eventfd.as_raw_fd(), libc::EPOLLIN | libc::EPOLLET, token)?;
        Ok(Waker { eventfd: Arc::new(eventfd) })
    }

    /// Waits until something is ready or `timeout` has passed (`None`: for ever). Rounds up to
    /// milliseconds. A signal ends it early without events.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.filled = 0;
        count(|it| it.waits += 1);
        let milliseconds = timeout.map_or(-1, |it| {
            let rounded = it.as_nanos().div_ceil(1_000_000);
            libc::c_int::try_from(rounded).unwrap_or(libc::c_int::MAX)
        });
        let room = libc::c_int::try_from(events.list.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the list is valid for `room` entries, which the kernel overwrites.
        let ready = unsafe {
            libc::epoll_wait(self.epoll.as_raw_fd(), events.list.as_mut_ptr(), room, milliseconds)
        };
        match usize::try_from(ready) {
            Ok(ready) => events.filled = ready,
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn register(&self, fd: RawFd, interest: libc::c_int, token: usize) -> io::Result<()> {
        #[expect(clippy::cast_sign_loss, reason = "a set of flags")]
        let interest = interest as u32;
        self.control(libc::EPOLL_CTL_ADD, fd, interest, token as u64)
    }

    fn control(&self, what: libc::c_int, fd: RawFd, interest: u32, token: u64) -> io::Result<()> {
        count(|it| it.watches += 1);
        let mut event = libc::epoll_event { events: interest, u64: token };
        // SAFETY: the event outlives the call.
        let result = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), what, fd, &raw mut event) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl Events {
    /// Room for `count` events per wait, at least one; more are reported by the next.
    pub fn new(count: usize) -> Self {
        Self { list: vec![libc::epoll_event { events: 0, u64: 0 }; count.max(1)], filled: 0 }
    }

    /// The tokens that are ready.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        // Tokens were given as `usize` and come back as they were.
        self.list[..self.filled].iter().filter_map(|it| usize::try_from(it.u64).ok())
    }
}

impl Waker {
    /// Ends the wait under way, or else the next one at once.
    pub fn wake(&self) {
        count(|it| it.wakes += 1);
        let one: u64 = 1;
        // A full counter is the only failure, and a full counter has woken already.
        // SAFETY: the eight octets outlive the call.
        let _ = unsafe {
            libc::write(self.eventfd.as_raw_fd(), (&raw const one).cast(), size_of_val(&one))
        };
    }
}

fn owned(fd: libc::c_int) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened it for us, and nobody else knows the number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn sockets_and_wakers_are_reported_by_their_tokens() {
        let poller = Poller::new().expect("epoll");
        let mut events = Events::new(8);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        poller.add(&socket, 7).expect("added");
        let waker = poller.waker(9).expect("a waker");

        poller.wait(&mut events, Some(Duration::ZERO)).expect("waited");
        assert_eq!(events.iter().count(), 0);

        let from_elsewhere = waker.clone();
        std::thread::scope(|it| {
            it.spawn(move || from_elsewhere.wake());
        });
        poller.wait(&mut events, None).expect("waited");
        assert_eq!(events.iter().collect::<Vec<_>>(), [9]);
        poller.wait(&mut events, Some(Duration::ZERO)).expect("waited");
        assert_eq!(events.iter().count(), 0, "a wake is reported once");

        waker.wake();
        waker.wake();
        socket.send_to(b"x", socket.local_addr().expect("bound")).expect("sent");
        poller.wait(&mut events, None).expect("waited");
        let mut tokens: Vec<_> = events.iter().collect();
        tokens.sort_unstable();
        assert_eq!(tokens, [7, 9]);
        poller.wait(&mut events, None).expect("waited");
        assert_eq!(events.iter().collect::<Vec<_>>(), [7], "unread is reported again");

        poller.remove(&socket).expect("removed");
        poller.wait(&mut events, Some(Duration::ZERO)).expect("waited");
        assert_eq!(events.iter().count(), 0);
    }
}
