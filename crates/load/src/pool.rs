//! Many connections in one thread, over one poll: whoever has something to say
//! is read once a turn, and answered with one write.
//!
//! It is mio and not a runtime with a task for each connection, because what a
//! runtime adds to a read and a write is what a server on one spends too, and
//! the generator has to be cheaper than any server.

use std::{io, mem, time::Duration};

use mio::{Events, Interest, Poll, Token, event::Event};
use tokio::time::Instant;

use crate::{
    LoadError,
    alarm::Alarm,
    error::Fault,
    link::{Link, Went},
    reader::Tally,
};

/// Octets of a read. What is larger does not stay in the nearest caches.
const READ: usize = 64 << 10;

/// Events of a turn.
const EVENTS: usize = 1024;

const ALARM: Token = Token(usize::MAX);

/// What a scenario does about its connections.
pub(crate) trait Act {
    /// The opening of number `id` is done. Whether the connection is kept.
    fn opened(&mut self, id: usize, link: &mut Link, now: Instant) -> bool;

    /// Messages came; what is queued now is written at once.
    ///
    /// # Errors
    /// They should not have.
    fn received(
        &mut self,
        id: usize,
        link: &mut Link,
        tally: &Tally,
        now: Instant,
    ) -> Result<(), Fault>;

    /// Number `id` is gone.
    ///
    /// # Errors
    /// There can be no result without it.
    fn failed(&mut self, id: usize, link: &Link, fault: Fault) -> Result<(), LoadError>;
}

/// The connections of one thread.
pub(crate) struct Pool {
    poll: Poll,
    events: Events,
    links: Vec<Option<Link>>,
    buffer: Box<[u8]>,
    tally: Tally,
    alarm: Alarm,
    /// What connections that are gone have written and read.
    octets: (u64, u64),
    /// Openings that were done.
    pub(crate) opened: usize,
}

impl Pool {
    /// With room for so many.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn new(links: usize) -> Result<Self, LoadError> {
        let failed = |source| LoadError::System {
            what: "cannot wait for sockets",
            source,
        };
        let poll = Poll::new().map_err(failed)?;
        let alarm = Alarm::new(poll.registry(), ALARM).map_err(failed)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            links: (0..links).map(|_| None).collect(),
            buffer: vec![0; READ].into(),
            tally: Tally::new(),
            alarm,
            octets: (0, 0),
            opened: 0,
        })
    }

    /// Takes a connection on as number `id`, and begins its opening.
    ///
    /// # Errors
    /// Those of [`Act::failed`].
    pub(crate) fn add(
        &mut self,
        id: usize,
        mut link: Link,
        act: &mut impl Act,
    ) -> Result<(), LoadError> {
        let both = Interest::READABLE | Interest::WRITABLE;
        let registered = self
            .poll
            .registry()
            .register(link.socket().tcp(), Token(id), both);
        if let Err(error) = registered {
            return act.failed(id, &link, Fault::Connect(error));
        }
        let went = link.open(&mut self.buffer, false);
        let done = match went {
            Ok(Went::Opened) => {
                self.opened += 1;
                Ok(act.opened(id, &mut link, Instant::now()))
            }
            Ok(Went::On) => Ok(true),
            Err(fault) => Err(fault),
        };
        let done = done.and_then(|kept| match link.is_open() {
            true => link.write().map(|()| kept),
            false => Ok(kept),
        });
        match done {
            Ok(true) => self.links[id] = Some(link),
            Ok(false) => self.forget(&link),
            Err(fault) => {
                self.forget(&link);
                return act.failed(id, &link, fault);
            }
        }
        Ok(())
    }

    /// Waits until something comes, at most so long, and deals with it.
    ///
    /// # Errors
    /// Those of [`Act::failed`], and the poll's.
    pub(crate) fn turn(
        &mut self,
        most: Duration,
        due: Option<Instant>,
        act: &mut impl Act,
    ) -> Result<(), LoadError> {
        let most = self.alarm.set(due, most);
        match self.poll.poll(&mut self.events, Some(most)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(source) => {
                return Err(LoadError::System {
                    what: "cannot wait for sockets",
                    source,
                });
            }
            Ok(()) => {}
        }
        // The events are lent to the loop while the links are changed.
        let events = mem::replace(&mut self.events, Events::with_capacity(0));
        let done = events.iter().try_for_each(|event| self.event(event, act));
        self.events = events;
        done
    }

    fn event(&mut self, event: &Event, act: &mut impl Act) -> Result<(), LoadError> {
        if event.token() == ALARM {
            // A timer that is set again is quiet until then.
            return Ok(());
        }
        let Token(id) = event.token();
        let Some(link) = self.links.get_mut(id).and_then(Option::as_mut) else {
            return Ok(());
        };
        let was_open = link.is_open();
        let went = go_on(link, event, &mut self.buffer, &mut self.tally, id, act);
        self.opened += usize::from(!was_open && link.is_open());
        let fault = match went {
            Ok(true) => return Ok(()),
            Ok(false) => None,
            Err(fault) => Some(fault),
        };
        let Some(link) = self.links[id].take() else {
            return Ok(());
        };
        self.forget(&link);
        fault.map_or(Ok(()), |fault| act.failed(id, &link, fault))
    }

    fn forget(&mut self, link: &Link) {
        self.octets.0 += link.octets.0;
        self.octets.1 += link.octets.1;
    }

    /// Lets number `id` write what it has in line.
    ///
    /// # Errors
    /// Those of [`Act::failed`].
    pub(crate) fn write(&mut self, id: usize, act: &mut impl Act) -> Result<(), LoadError> {
        let Some(link) = &mut self.links[id] else {
            return Ok(());
        };
        let Err(fault) = link.write() else {
            return Ok(());
        };
        let Some(link) = self.links[id].take() else {
            return Ok(());
        };
        self.forget(&link);
        act.failed(id, &link, fault)
    }

    /// Number `id`, if it is there.
    pub(crate) fn link(&mut self, id: usize) -> Option<&mut Link> {
        self.links[id].as_mut()
    }

    /// Closes number `id` as it stands.
    pub(crate) fn drop_link(&mut self, id: usize) -> Option<Link> {
        let link = self.links[id].take()?;
        self.forget(&link);
        Some(link)
    }

    /// All that are there.
    pub(crate) fn all(&mut self) -> impl Iterator<Item = (usize, &mut Link)> {
        let links = self.links.iter_mut().enumerate();
        links.filter_map(|(id, link)| Some((id, link.as_mut()?)))
    }

    /// Octets written and read so far.
    pub(crate) fn octets(&self) -> (u64, u64) {
        let links = self.links.iter().flatten();
        links.fold(self.octets, |sum, link| {
            (sum.0 + link.octets.0, sum.1 + link.octets.1)
        })
    }

    /// Ends all connections, as their drafts say it.
    pub(crate) fn farewell(&mut self) {
        for (_, link) in self.all() {
            link.farewell();
        }
    }
}

/// Whether the connection is kept.
fn go_on(
    link: &mut Link,
    event: &Event,
    buffer: &mut [u8],
    tally: &mut Tally,
    id: usize,
    act: &mut impl Act,
) -> Result<bool, Fault> {
    if event.is_writable() {
        link.has_room();
    }
    let ends = event.is_read_closed() || event.is_error();
    let readable = event.is_readable() || ends;
    if !link.is_open() {
        if link.open(buffer, readable)? == Went::On {
            return Ok(true);
        }
        let kept = act.opened(id, link, Instant::now());
        if kept {
            link.write()?;
        }
        return Ok(kept);
    }
    if readable {
        tally.clear();
        let read = link.read(buffer, ends, tally);
        if !tally.is_empty() {
            act.received(id, link, tally, Instant::now())?;
        }
        read?;
    }
    link.write()?;
    Ok(true)
}
