//! What an expression may refer to, and how much work it may cost.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Fault, Outcome};
use crate::module::value::Value;

/// Steps one expression may take: conditions are written by strangers. Real ones need a few hundred.
const FUEL: u64 = 2_000_000;

/// The names an expression sees.
pub(in crate::module) struct Scope<'a> {
    variables: Option<&'a BTreeMap<String, Value>>,
    locals: Vec<(&'a str, Value)>,
    fuel: Rc<Cell<u64>>,
    /// Whether a number was met that is not kept exactly.
    inexact: Rc<Cell<bool>>,
}

impl<'a> Scope<'a> {
    /// Variables and functions.
    pub(in crate::module) fn new(variables: &'a BTreeMap<String, Value>) -> Self {
        Self { variables: Some(variables), ..Self::constant() }
    }

    /// Neither variables nor functions.
    pub(in crate::module) fn constant() -> Self {
        let (fuel, inexact) = (Rc::new(Cell::new(FUEL)), Rc::default());
        Self { variables: None, locals: Vec::new(), fuel, inexact }
    }

    /// This scope with the key and the value of one element of a collection in it.
    pub(super) fn with<'b>(
        &'b self,
        key_name: Option<&'b str>,
        key: Value,
        value_name: &'b str,
        value: Value,
    ) -> Scope<'b> {
        let copied = self.locals.iter().map(|(_, value)| value.weight()).sum();
        self.fuel.set(self.fuel.get().saturating_sub(copied));
        let mut locals: Vec<(&'b str, Value)> = self.locals.iter().map(|(n, v)| (*n, v.clone())).collect();
        locals.extend(key_name.map(|name| (name, key)));
        locals.push((value_name, value));
        let (fuel, inexact) = (Rc::clone(&self.fuel), Rc::clone(&self.inexact));
        Scope { variables: self.variables, locals, fuel, inexact }
    }

    /// Pays for work.
    pub(super) fn spend(&self, steps: u64) -> Result<(), Fault> {
        let left = self.fuel.get().checked_sub(steps);
        self.fuel.set(left.unwrap_or(0));
        left.map(drop).ok_or_else(|| Fault::deferred("the condition takes too long to evaluate"))
    }

    /// Remembers that a number is not kept exactly.
    pub(super) fn mark_inexact(&self) {
        self.inexact.set(true);
    }

    /// Whether one was met.
    pub(super) fn is_inexact(&self) -> bool {
        self.inexact.get()
    }

    pub(super) const fn allows_functions(&self) -> bool {
        self.variables.is_some()
    }

    /// The value of a `for` expression's own name.
    pub(super) fn local(&self, name: &str) -> Outcome {
        match self.locals.iter().rev().find(|(local, _)| *local == name) {
            Some((_, value)) => {
                self.spend(value.weight())?;
                Ok(value.clone())
            }
            None if self.variables.is_none() => {
                Err(Fault::failed(format!("a constant is needed here, but {name} is a reference")))
            }
            None => Err(Fault::deferred(format!("{name} is not a variable"))),
        }
    }

    pub(super) fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|(local, _)| *local == name)
    }

    /// The value of `var.name`, borrowed, so that a step into it does not copy the whole.
    pub(super) fn variable(&self, name: &str) -> Result<&'a Value, Fault> {
        let Some(variables) = self.variables else {
            return Err(Fault::failed(format!("a constant is needed here, but var.{name} is a reference")));
        };
        variables.get(name).ok_or_else(|| Fault::deferred(format!("the value of var.{name} is not known")))
    }
}
