//! The OpenClaw Mission Control contract, sentence by sentence. `§` is that contract's section.

mod envelope;
mod webhooks;
