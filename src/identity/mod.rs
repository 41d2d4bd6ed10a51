mod model;

pub use model::{ClaimFact, Recipient};
