//! The read side across domains.

mod integrity;

pub use integrity::{Integrity, verify};
