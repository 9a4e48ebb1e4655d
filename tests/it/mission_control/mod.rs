//! The Mission Control backend contract, sentence by sentence. `§` is that contract's section.

mod capabilities;
mod credentials;
mod errors;
mod idempotency;
mod paging;
mod tenancy;
mod world;

/// Ids, as they stand in a path, that no program gave out.
const STRANGE_IDS: [&str; 8] = [
    "%00",
    "a%00b",
    "%FF",
    "%F0%9F%98%80",
    "a%2Fb",
    "%27%20OR%201=1--",
    "%25",
    "%0A",
];
