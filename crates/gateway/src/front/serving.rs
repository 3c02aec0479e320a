//! The task of a connection: first its opening, in a box that is given back,
//! then the connection itself, in the task.
//!
//! A future written by hand and no `async fn`: that would have room for the
//! opening beside the connection, and for each of its parts once where it is
//! made and once where it is used, and a connection may last for days.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use draftgate_conn::{Closed, Conn};
use pin_project_lite::pin_project;

use crate::{auth, gate::Place, registry::Registered, socket::Socket, turn::UntilOpened};

type Opening = Pin<Box<dyn Future<Output = Option<Serving>> + Send>>;

pin_project! {
    /// What is left to do for a connection that was accepted.
    pub(crate) struct Serving {
        #[pin]
        stage: Stage,
        parts: Option<Parts>,
    }
}

pin_project! {
    #[project = Staged]
    enum Stage {
        Opening { opening: Opening },
        Open {
            #[pin]
            conn: Conn<Socket>,
        },
        // With a time at which it is closed, whatever is said over it.
        Limited { run: Pin<Box<dyn Future<Output = (Closed, UntilOpened)> + Send>> },
        Over,
    }
}

/// What belongs to an open connection, besides itself.
struct Parts {
    /// `None` while it is with the connection.
    session: Option<UntilOpened>,
    registered: Registered,
    /// Its place at its listener.
    _place: Place,
}

impl Serving {
    /// `opening`, and what comes of it.
    pub(crate) fn new(opening: impl Future<Output = Option<Self>> + Send + 'static) -> Self {
        Self {
            stage: Stage::Opening {
                opening: Box::pin(opening),
            },
            parts: None,
        }
    }

    /// A connection that was let in, to be driven to its end, `until` then at
    /// the latest.
    pub(crate) fn open(
        conn: Conn<Socket>,
        until: Option<auth::Until>,
        mut session: UntilOpened,
        registered: Registered,
        place: Place,
    ) -> Self {
        let (stage, session) = match until {
            None => (Stage::Open { conn }, Some(session)),
            Some(until) => {
                let run = Box::pin(async move {
                    let run = Box::pin(conn.run(&mut session));
                    (auth::until(until, run).await, session)
                });
                (Stage::Limited { run }, None)
            }
        };
        let parts = Parts {
            session,
            registered,
            _place: place,
        };
        Self {
            stage,
            parts: Some(parts),
        }
    }
}

impl Future for Serving {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Staged::Opening { opening } = this.stage.as_mut().project() {
            let opened = ready!(opening.as_mut().poll(cx));
            let Self { stage, parts } = opened.unwrap_or(Self {
                stage: Stage::Over,
                parts: None,
            });
            this.stage.set(stage);
            *this.parts = parts;
        }
        let Some(parts) = this.parts else {
            return Poll::Ready(());
        };
        let (closed, session) = match (this.stage.as_mut().project(), &mut parts.session) {
            (Staged::Open { conn }, Some(session)) => (ready!(conn.poll_run(session, cx)), None),
            (Staged::Limited { run }, _) => {
                let (closed, session) = ready!(run.as_mut().poll(cx));
                (closed, Some(session))
            }
            _ => return Poll::Ready(()),
        };
        // TCP ends first.
        this.stage.set(Stage::Over);
        if let Some(parts) = this.parts.take() {
            // The session's place on the bus is given up before the line is written.
            drop((session, parts.session));
            parts.registered.end(&closed);
        }
        Poll::Ready(())
    }
}
