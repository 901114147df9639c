//! Forms generated from manifests: what people typed as a tree, its way to and from JSON, and what is drawn from it.
//!
//! Names of form fields are paths: `v/database/backup/enabled`, `v/listeners/0/port`, `v/labels/0/key`. What was typed
//! is kept as it was typed ([`Node`]), drawn again beside its problems ([`FormView`]), and turned into values only to be
//! checked ([`values`]).

mod asked;
mod node;
mod value;
mod view;

pub(crate) use asked::Asked;
pub(crate) use node::Node;
pub(crate) use value::values;
pub(crate) use view::{FieldView, FormView, short_text};

/// Before every path that belongs to a value of a module.
pub(crate) const PREFIX: &str = "v";

/// Levels of a path at the most; deeper ones are not read.
const DEEPEST: usize = 24;

/// The part of a path below `prefix/`.
fn path_below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    path.strip_prefix(prefix)?.strip_prefix('/')
}
