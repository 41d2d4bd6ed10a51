pub mod error;
pub mod identity;
pub mod types;
