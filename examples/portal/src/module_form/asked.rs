//! What a form asks: the fields of a module over what the publisher set, and what was typed of them.

use std::collections::HashSet;

use rad_core::module::{Manifest, ValueProblem, Values};

use super::{FormView, Node, PREFIX, path_below, values};

/// What a form asks its deployer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The module.
    pub(crate) manifest: &'a Manifest,
    /// What the publisher set.
    pub(crate) published: &'a Values,
    /// Sensitive variables that keep their value where nothing is typed.
    pub(crate) kept: &'a [String],
}

impl<'a> Asked<'a> {
    /// The fields that are not asked now, because of what others hold.
    fn hidden(&self, typed: &Node) -> HashSet<&'a str> {
        let fields = self.manifest.pages().into_iter().flat_map(|page| page.fields);
        let typed = values(fields, typed).unwrap_or_default();
        self.manifest.hidden(&Values::new(), self.published, &typed)
    }

    /// The values of the fields that are asked, and of those only.
    ///
    /// # Errors
    /// What cannot be written as a value at all.
    pub(crate) fn values(&self, typed: &Node) -> Result<Values, Vec<ValueProblem>> {
        let hidden = self.hidden(typed);
        let fields = self.manifest.pages().into_iter().flat_map(|page| page.fields);
        values(fields.filter(|variable| !hidden.contains(variable.name.as_str())), typed)
    }

    /// What is wrong on one page of the form.
    fn check(&self, typed: &Node, number: usize) -> Vec<ValueProblem> {
        let mut blank = HashSet::new();
        let checked = self.values(typed).and_then(|values| {
            blank.extend(self.kept.iter().filter(|name| !values.contains_key(*name)));
            self.manifest.check(&Values::new(), self.published, &values).map(drop)
        });
        let pages = self.manifest.pages();
        let here = number.checked_sub(1).and_then(|index| pages.get(index));
        let on_page =
            |name: &str| here.is_some_and(|page| page.fields.iter().any(|field| field.name == name));
        let problems = checked.err().unwrap_or_default().into_iter();
        problems.filter(|problem| on_page(&problem.variable) && !blank.contains(&problem.variable)).collect()
    }

    /// Does what a button of the form asks for, short of sending it: rows are added and removed, a page is checked. Gives what is
    /// wrong then; `None` if the form is to be sent.
    pub(crate) fn press(&self, button: &str, typed: &mut Node) -> Option<Vec<ValueProblem>> {
        match button.split_once(':')? {
            ("add", path) => {
                typed.add_row(path_below(path, PREFIX).unwrap_or_default());
                Some(Vec::new())
            }
            ("remove", path) => {
                typed.remove(path_below(path, PREFIX).unwrap_or_default());
                Some(Vec::new())
            }
            ("refresh", _) => Some(Vec::new()),
            ("check", number) => Some(self.check(typed, number.parse().unwrap_or(1))),
            _ => None,
        }
    }

    /// The form, with what was typed and what is wrong with it.
    pub(crate) fn form(&self, typed: &Node, problems: &[ValueProblem]) -> FormView {
        let form =
            FormView::for_deployer(self.manifest, self.published, typed, problems, &self.hidden(typed));
        form.keeping(self.kept)
    }

    /// What is wrong with values that no field of the form is for.
    pub(crate) fn stray(&self, problems: &[ValueProblem]) -> Vec<String> {
        let pages = self.manifest.pages();
        let fields: HashSet<&str> =
            pages.iter().flat_map(|page| &page.fields).map(|field| field.name.as_str()).collect();
        let stray = problems.iter().filter(|problem| !fields.contains(problem.variable.as_str()));
        stray.map(|problem| format!("{}: {}", problem.variable, problem.message)).collect()
    }
}
