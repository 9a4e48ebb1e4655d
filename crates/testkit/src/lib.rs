pub mod model;
pub mod server;
