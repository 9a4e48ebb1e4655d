use super::{Document, Fault}; pub(super) fn document(_: &Document, _: &mut Vec<Fault>) {}
