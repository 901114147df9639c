//! What was typed, as a tree of texts.

use indexmap::IndexMap;

use super::{DEEPEST, path_below};
use crate::fields::Fields;

/// A text that was typed, or what was typed below one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// The text of one input.
    Text(String),
    /// The inputs below: attributes by name, rows by number.
    Group(IndexMap<String, Node>),
}

impl Default for Node {
    fn default() -> Self {
        Self::Group(IndexMap::new())
    }
}

impl Node {
    /// The tree of all fields below `prefix/`.
    pub(crate) fn read(fields: &Fields, prefix: &str) -> Self {
        let mut root = Self::default();
        for (name, text) in fields.iter() {
            if let Some(path) = path_below(name, prefix).filter(|path| path.split('/').count() <= DEEPEST) {
                root.put(path, text);
            }
        }
        root
    }

    /// Sets the text at a path. An empty text and inputs below it can share a name: it marks a list that has no rows.
    fn put(&mut self, path: &str, text: &str) {
        let mut node = self;
        for part in path.split('/') {
            node = node.group().entry(part.to_owned()).or_insert_with(|| Self::Text(String::new()));
        }
        if !matches!(node, Self::Group(_)) {
            *node = Self::Text(text.to_owned());
        }
    }

    fn group(&mut self) -> &mut IndexMap<String, Node> {
        if let Self::Text(_) = self {
            *self = Self::default();
        }
        match self {
            Self::Group(group) => group,
            Self::Text(_) => unreachable!("it was made a group above"),
        }
    }

    /// What is below `name`.
    pub(crate) fn child(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Group(group) => group.get(name),
            Self::Text(_) => None,
        }
    }

    /// The text, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Group(_) => None,
        }
    }

    /// The rows of a list or map in the order of their numbers.
    pub(crate) fn rows(&self) -> Vec<(usize, &Node)> {
        let Self::Group(group) = self else { return Vec::new() };
        let numbered = group.iter().filter_map(|(name, node)| Some((name.parse().ok()?, node)));
        let mut rows: Vec<(usize, &Node)> = numbered.collect();
        rows.sort_by_key(|(number, _)| *number);
        rows
    }

    /// Adds an empty row to the list or map at `path`; true if there is room.
    pub(crate) fn add_row(&mut self, path: &str) -> bool {
        let Some(list) = self.descend(path) else { return false };
        let next = list.rows().last().map_or(0, |(number, _)| number + 1);
        if list.rows().len() >= 200 {
            return false;
        }
        list.group().insert(next.to_string(), Self::default());
        true
    }

    /// Removes what is at `path`.
    pub(crate) fn remove(&mut self, path: &str) {
        let Some((list, row)) = path.rsplit_once('/') else { return };
        if let Some(Self::Group(group)) = self.descend(list) {
            group.shift_remove(row);
            if group.is_empty()
                && let Some(list) = self.descend(list)
            {
                *list = Self::Text(String::new());
            }
        }
    }

    fn descend(&mut self, path: &str) -> Option<&mut Node> {
        let mut node = self;
        for part in path.split('/').take(DEEPEST) {
            node = match node {
                Self::Group(group) => group.get_mut(part)?,
                Self::Text(_) => return None,
            };
        }
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Node {
        Node::read(&Fields::parse(text.as_bytes()).unwrap(), "v")
    }

    #[test]
    fn paths_make_a_tree_and_rows_stand_in_the_order_of_their_numbers() {
        let node = read("v/ports=&v/ports/10=a&v/ports/2=b&v/db/name=x&other=1&vv/a=2");
        let ports: Vec<_> =
            node.child("ports").unwrap().rows().into_iter().map(|(n, row)| (n, row.text())).collect();
        assert_eq!(ports, [(2, Some("b")), (10, Some("a"))]);
        assert_eq!(node.child("db").unwrap().child("name").unwrap().text(), Some("x"));
        assert!(node.child("a").is_none());
    }

    #[test]
    fn rows_are_added_at_the_end_and_the_last_removed_leaves_an_empty_list() {
        let mut node = read("v/ports=&v/ports/0=a");
        assert!(node.add_row("ports"));
        assert_eq!(node.child("ports").unwrap().rows().len(), 2);
        node.remove("ports/1");
        node.remove("ports/0");
        assert_eq!(node.child("ports"), Some(&Node::Text(String::new())));
        assert!(node.add_row("ports"));
        assert!(!node.add_row("nothing"));
    }

    #[test]
    fn paths_of_any_depth_or_shape_are_harmless() {
        let deep = format!("v/{}=x", "a/".repeat(5_000));
        assert_eq!(read(&deep), Node::default());
        assert!(read("v/=x&v//=y&v=z").child("").is_some());
    }
}
