//! Where one process cannot take the place of another: not on Linux. The names
//! are those of `succession.rs`.

use std::net::TcpListener;

use crate::exit::Failure;

/// Nobody.
#[derive(Debug)]
pub(super) enum Predecessor {}

impl Predecessor {
    /// Never.
    pub(super) fn tell(self) -> Result<(), Failure> {
        match self {}
    }
}

/// None.
///
/// # Errors
/// Never.
pub(super) fn inherited() -> Result<(Vec<TcpListener>, Option<Predecessor>), Failure> {
    Ok((Vec::new(), None))
}

/// How this process was started.
#[derive(Debug)]
pub(super) struct Program;

impl Program {
    /// This process.
    pub(super) fn this() -> Self {
        Self
    }

    /// Fails.
    ///
    /// # Errors
    /// Always.
    pub(super) async fn again(&self) -> Result<u32, Failure> {
        Err(Failure::new(
            "one process takes the place of another on Linux alone",
        ))
    }
}
