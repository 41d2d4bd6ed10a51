pub mod audit;
pub mod config;
pub mod ctx;
pub mod db;
pub mod error;
pub mod identity;
pub mod telemetry;
pub mod types;
