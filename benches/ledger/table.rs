//! What was measured, beside what, as a ratio, and the target of that ratio.

/// A table with a heading.
pub(crate) struct Table {
    heading: String,
    rows: Vec<String>,
}

impl Table {
    pub(crate) fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), rows: Vec::new() }
    }

    /// What is better the greater it is, beside something else; the target is the least ratio.
    pub(crate) fn beside(&mut self, name: &str, ours: f64, theirs: f64, target: Option<f64>) {
        let target = target.map_or_else(String::new, |target| judged(ours / theirs >= target, "≥", target));
        self.rows.push(format!("{name:<46} {ours:>10.0} {theirs:>10.0} {:>8.2} × {target}", ours / theirs));
    }

    /// Times in microseconds of which the second is to be at most so many times the first.
    pub(crate) fn growth(&mut self, name: &str, few: f64, many: f64, target: Option<f64>) {
        let target = target.map_or_else(String::new, |target| judged(many / few <= target, "≤", target));
        self.rows.push(format!("{name:<46} {few:>10.0} {many:>10.0} {:>8.2} × {target}", many / few));
    }

    /// A figure by itself, with its unit and, if there is one, the least it is to be.
    pub(crate) fn figure(&mut self, name: &str, value: f64, unit: &str, target: Option<f64>) {
        let target = target.map_or_else(String::new, |target| judged(value >= target, "≥", target));
        self.rows.push(format!("{name:<46} {value:>10.1} {unit} {target}"));
    }

    #[allow(clippy::print_stdout, reason = "a bench prints its table")]
    pub(crate) fn print(self) {
        println!("{}", self.heading);
        for row in self.rows {
            println!("  {}", row.trim_end());
        }
        println!();
    }
}

fn judged(is_met: bool, relation: &str, target: f64) -> String {
    format!(" target {relation} {target}: {}", if is_met { "met" } else { "MISSED" })
}
