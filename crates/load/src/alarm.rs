//! Wakes the poll at the instant at which a message is due. The poll's own
//! timeout is rounded up to a millisecond, which would be most of what a rate of
//! ten thousand a second measures.

use std::{io, time::Duration};

use mio::{Registry, Token};
use tokio::time::Instant;

#[cfg(target_os = "linux")]
pub(crate) struct Alarm(nix::sys::timerfd::TimerFd);

#[cfg(target_os = "linux")]
impl Alarm {
    /// Rings as `token`.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        use std::os::fd::{AsFd, AsRawFd};

        use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let raw = timer.as_fd().as_raw_fd();
        registry.register(
            &mut mio::unix::SourceFd(&raw),
            token,
            mio::Interest::READABLE,
        )?;
        Ok(Self(timer))
    }

    /// How long the poll may wait, at most `most`, if something is `due`.
    pub(crate) fn set(&self, due: Option<Instant>, most: Duration) -> Duration {
        use nix::sys::{
            time::TimeSpec,
            timerfd::{Expiration, TimerSetTimeFlags},
        };

        let Some(due) = due else {
            return most;
        };
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return left;
        }
        let after = Expiration::OneShot(TimeSpec::from_duration(left));
        match self.0.set(after, TimerSetTimeFlags::empty()) {
            Ok(()) => most,
            Err(_) => left.min(most),
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    /// Nothing rings.
    ///
    /// # Errors
    /// None.
    pub(crate) fn new(_: &Registry, _: Token) -> io::Result<Self> {
        Ok(Self)
    }

    /// How long the poll may wait.
    pub(crate) fn set(&self, due: Option<Instant>, most: Duration) -> Duration {
        due.map_or(most, |due| {
            due.saturating_duration_since(Instant::now()).min(most)
        })
    }
}
