//! Modules from this machine: local Git repositories, bare or not, and plain directories.

mod commit;
mod directory;
mod git;
mod path;
mod read;
mod source;

pub use crate::limits::TreeLimits;
pub use commit::{WholeCommit, commit_tree};
pub use directory::DIRECTORY_BRANCH;
pub use read::{PathTree, read_path};
pub use source::LocalSource;
