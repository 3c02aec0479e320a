//! One process takes the place of another without refusing anybody: the new
//! one inherits the listening sockets, and the old one accepts until the new one
//! says that it does.
//!
//! The sockets travel as those of a service manager do (`sd_listen_fds(3)`:
//! from 3 on, their number in `LISTEN_FDS`), so that a successor reads them as
//! it would systemd's. Behind them comes one end of a pair of datagram sockets,
//! by which the successor says that it is ready: a path, or a name that any
//! process can use, would let others say so.

use std::{
    env,
    ffi::OsString,
    io,
    net::TcpListener,
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use command_fds::{CommandFdExt, FdMapping};
use listenfd::ListenFd;
use tokio::time::{Instant, sleep};

use crate::exit::Failure;

/// The number of the first socket that is passed on.
const FIRST: i32 = 3;

/// How long a successor may take until it accepts connections: the time that
/// systemd gives a service by default is a minute and a half.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often is looked whether it still lives.
const LOOK: Duration = Duration::from_millis(20);

/// What the successor says when it accepts connections.
const READY: &[u8] = b"READY=1";

/// The process whose place this one takes.
#[derive(Debug)]
pub(super) struct Predecessor(UnixDatagram);

impl Predecessor {
    /// Tells it that connections are accepted here.
    ///
    /// # Errors
    /// It is gone, which leaves nobody to tell, or listens no more.
    pub(super) fn tell(self) -> Result<(), Failure> {
        self.0.send(READY).map(drop).map_err(|error| {
            Failure::new(format_args!(
                "the process that started this one cannot be told that it may go: {error}"
            ))
        })
    }
}

/// The sockets that this process was started with, and who waits for word that
/// they are used.
///
/// # Errors
/// Something else was passed.
pub(super) fn inherited() -> Result<(Vec<TcpListener>, Option<Predecessor>), Failure> {
    let mut passed = ListenFd::from_env();
    let (mut sockets, mut predecessor) = (Vec::new(), None);
    for index in 0..passed.len() {
        if let Ok(Some(socket)) = passed.take_tcp_listener(index) {
            sockets.push(socket);
        } else if let Ok(Some(waits)) = passed.take_unix_datagram(index) {
            predecessor = Some(Predecessor(waits));
        } else {
            let number = FIRST as usize + index;
            return Err(Failure::new(format_args!(
                "file descriptor {number}, which this process was started with (LISTEN_FDS), is no TCP socket; a socket unit takes ListenStream= with a port and nothing else"
            )));
        }
    }
    Ok((sockets, predecessor))
}

/// How this process was started.
#[derive(Debug)]
pub(super) struct Program {
    /// Where its file was then: another may stand there now, and that is the one to
    /// start.
    path: io::Result<PathBuf>,
    arguments: Vec<OsString>,
}

impl Program {
    /// This process.
    pub(super) fn this() -> Self {
        Self {
            path: env::current_exe(),
            arguments: env::args_os().skip(1).collect(),
        }
    }

    /// Starts it again with `sockets`, and waits until it accepts connections:
    /// the number of the new process. Dropped before that, it ends the new process.
    ///
    /// # Errors
    /// It cannot be started, ends, or takes too long.
    pub(super) async fn again(&self, sockets: io::Result<Vec<OwnedFd>>) -> Result<u32, Failure> {
        let started = self.start(sockets);
        let (mut successor, ours) =
            started.map_err(|error| Failure::new(format_args!("it cannot be started: {error}")))?;
        let ours = tokio::net::UnixDatagram::from_std(ours).map_err(Failure::new)?;
        let until = Instant::now() + PATIENCE;
        let mut word = [0; READY.len()];
        loop {
            tokio::select! {
                biased;
                said = ours.recv(&mut word) => match said {
                    Ok(octets) if word[..octets] == *READY => return Ok(successor.ready()),
                    Ok(_) => {}
                    Err(error) => return Err(Failure::new(error)),
                },
                () = sleep(LOOK) => {
                    if let Some(status) = successor.0.as_mut().and_then(|it| it.try_wait().ok()?) {
                        return Err(Failure::new(format_args!("it ended before it was ready: {status}; what it said stands above")));
                    }
                    if Instant::now() >= until {
                        return Err(Failure::new(format_args!("it was not ready in {PATIENCE:?}")));
                    }
                }
            }
        }
    }

    fn start(&self, sockets: io::Result<Vec<OwnedFd>>) -> io::Result<(Successor, UnixDatagram)> {
        let path = self
            .path
            .as_ref()
            .map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
        let (ours, theirs) = UnixDatagram::pair()?;
        ours.set_nonblocking(true)?;
        let mut passed = sockets?;
        passed.push(theirs.into());
        let count = passed.len();
        let mappings = (FIRST..)
            .zip(passed)
            .map(|(child_fd, parent_fd)| FdMapping {
                parent_fd,
                child_fd,
            });
        let mut command = Command::new(path);
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .env("LISTEN_FDS", count.to_string())
            // Each of these names a process, and not the new one.
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDNAMES")
            .env_remove("WATCHDOG_PID");
        command
            .fd_mappings(mappings.collect())
            .map_err(io::Error::other)?;
        Ok((Successor(Some(command.spawn()?)), ours))
    }
}

/// A process that is not ready yet; ended when dropped.
#[derive(Debug)]
struct Successor(Option<Child>);

impl Successor {
    /// It stands on its own feet now.
    fn ready(&mut self) -> u32 {
        self.0.take().map_or(0, |child| child.id())
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
