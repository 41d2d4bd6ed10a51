pub mod audit;
pub mod ctx;
pub mod db;
pub mod error;
pub mod identity;
pub mod types;
