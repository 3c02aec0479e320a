//! For operators.

mod heads;
mod past;
mod times;

pub(crate) use past::Past;
pub(crate) use times::Times;
