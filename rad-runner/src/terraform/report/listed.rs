//! What a plan changes and what a check found: the resources that are told, and how many there are besides.

use std::collections::HashMap;

use rad_core::runner::{
    ChangeKind, Consent, Diagnostic, Drift, DriftedAttribute, MOST_RESOURCES, RunEvent, RunOutcome, Severity,
};

use super::Report;
use crate::terraform::event::NAMELESS;

/// The resources that are told, and how many there are besides: [too many](MOST_RESOURCES), or too long to be told.
pub(super) struct Listed<T> {
    pub(super) told: Vec<T>,
    pub(super) left_out: usize,
}

impl<T> Listed<T> {
    /// Adds what a resource is told by, if it is told.
    pub(super) fn push(&mut self, address: &str, item: impl FnOnce() -> T) {
        if address == NAMELESS || self.told.len() == MOST_RESOURCES {
            self.left_out += 1;
        } else {
            self.told.push(item());
        }
    }

    fn is_empty(&self) -> bool {
        self.told.is_empty() && self.left_out == 0
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { told: Vec::new(), left_out: 0 }
    }
}

impl Report<'_> {
    /// Tells the plan, and how the run ends if it must not be applied.
    pub(in crate::terraform) async fn plan(&mut self, consent: &Consent) -> Option<RunOutcome> {
        self.changes = !self.planned.is_empty();
        let Listed { told: changes, left_out } = std::mem::take(&mut self.planned);
        self.emit(RunEvent::Planned(changes.clone())).await;
        if *consent == Consent::Everything {
            if left_out > 0 {
                self.log(&format!("The plan changes {left_out} resources besides, which are not listed."))
                    .await;
            }
            return None;
        }
        if left_out > 0 {
            let summary = format!("The plan changes {left_out} resources more than can be listed");
            let detail = format!(
                "Nobody can confirm more than {MOST_RESOURCES}, or one whose address is too long: nothing was applied. Split \
                 the module, change less at a time, or give its resources shorter keys."
            );
            self.diagnose(Diagnostic::error(summary, detail)).await;
            return Some(RunOutcome::Failure);
        }
        if consent.covers(&changes) {
            return None;
        }
        self.log("The plan destroys or replaces resources: nothing was applied. It waits to be confirmed.")
            .await;
        Some(RunOutcome::Unconfirmed)
    }

    /// Whether the plan changes anything.
    pub(in crate::terraform) fn planned_changes(&self) -> bool {
        self.changes
    }

    /// Whether the apply began to change something, whatever came of it.
    pub(in crate::terraform) fn began_changes(&self) -> bool {
        self.began
    }

    /// Whether something changed of which it can be told what.
    pub(in crate::terraform) fn found_changes(&self) -> bool {
        self.drift.told.iter().any(|drift| drift.change == ChangeKind::Update)
    }

    /// Tells what a check found; `attributes` are those that differ, as they may be shown, by the address of their resource.
    pub(in crate::terraform) async fn drift(
        &mut self,
        mut attributes: HashMap<String, Vec<DriftedAttribute>>,
    ) {
        let Listed { told: mut drift, left_out } = std::mem::take(&mut self.drift);
        for Drift { address, attributes: differing, .. } in &mut drift {
            *differing = attributes.remove(address).unwrap_or_default();
            *address = self.shown(address);
        }
        self.log(match drift.len() + left_out {
            0 => "What exists is what the state says.",
            _ => "What exists is not what the state says. Nothing was changed.",
        })
        .await;
        if left_out > 0 {
            let summary = format!("{left_out} resources drifted besides those that are listed");
            let detail =
                format!("No more than {MOST_RESOURCES} are listed, and none whose address is too long.");
            let severity = Severity::Warning;
            self.diagnose(Diagnostic { severity, ..Diagnostic::error(summary, detail) }).await;
        }
        self.emit(RunEvent::Drift(drift)).await;
    }
}

#[cfg(test)]
mod tests {
    use rad_core::runner::{PlannedChange, Step};

    use super::super::tests::{Heard, check};
    use super::*;

    /// A line of the engine about a resource.
    fn line(kind: &str, address: &str) -> String {
        format!(
            r#"{{"@message":"x","type":"{kind}","change":{{"resource":{{"addr":"{address}"}},"action":"delete"}}}}"#
        )
    }

    async fn told(report: &mut Report<'_>, kind: &str, resources: usize) {
        for index in 0..resources {
            report.line(&line(kind, &format!("a[{index}]")), Step::Plan).await;
        }
    }

    #[tokio::test]
    async fn a_plan_that_cannot_be_told_whole_cannot_be_confirmed() {
        let long = "x".repeat(3_000);
        for (listed, besides) in [(MOST_RESOURCES, "b"), (1, &*long)] {
            let confirmed = (0..listed)
                .map(|index| PlannedChange { address: format!("a[{index}]"), change: ChangeKind::Delete });
            for (consent, outcome) in
                [(Consent::Only(confirmed.collect()), Some(RunOutcome::Failure)), (Consent::Everything, None)]
            {
                let (job, heard) = (check(), Heard::default());
                let mut report = Report::new(&job, &heard, 1 << 20);
                told(&mut report, "planned_change", listed).await;
                if consent != Consent::Everything {
                    let mut whole = Report::new(&job, &heard, 1 << 20);
                    told(&mut whole, "planned_change", listed).await;
                    assert_eq!(whole.plan(&consent).await, None, "so many can be confirmed");
                }
                report.line(&line("planned_change", besides), Step::Plan).await;
                assert_eq!(report.plan(&consent).await, outcome);
                assert!(report.planned_changes());
                let events = heard.events();
                let RunEvent::Planned(plan) =
                    events.iter().rfind(|event| matches!(event, RunEvent::Planned(_))).unwrap()
                else {
                    unreachable!("it was looked for")
                };
                assert_eq!(plan.len(), listed);
                assert!(heard.log().contains("changes 1 resources"), "{}", heard.log());
            }
        }
    }

    #[tokio::test]
    async fn a_check_says_how_many_resources_are_not_listed() {
        for (listed, besides) in [(MOST_RESOURCES, "b"), (1, &*"x".repeat(3_000))] {
            let (job, heard) = (check(), Heard::default());
            let mut report = Report::new(&job, &heard, 1 << 20);
            told(&mut report, "resource_drift", listed).await;
            report.line(&line("resource_drift", besides), Step::Plan).await;
            report.drift(HashMap::new()).await;
            let events = heard.events();
            assert!(events.iter().any(|event| matches!(event, RunEvent::Drift(all) if all.len() == listed)));
            let said = "1 resources drifted besides";
            assert!(events.iter().any(
                |event| matches!(event, RunEvent::Diagnostic(one) if one.severity == Severity::Warning && one.summary.starts_with(said))
            ));
        }
    }
}
