pub mod model;
pub mod postgres;
pub mod server;
