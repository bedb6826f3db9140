//! The findings of one push, no more of them than a record can hold.

use countersign_policy::verdict::{Effect, Finding};
use std::collections::BTreeSet;

/// Findings listed for one push: some 4 MB on record, an eighth of a ledger entry. Whoever floods the
/// server with bad commits is denied for the first as surely as for the last, and all are counted.
pub const LISTED_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct Findings {
    listed: Vec<Finding>,
    /// INVARIANT: the effects of all findings, listed or not; one of each is listed.
    effects: BTreeSet<Effect>,
    not_listed: u64,
}

impl Findings {
    pub fn push(&mut self, finding: Finding) {
        // The first of its effect is listed whatever came before, so that the decision stays the same.
        if self.effects.insert(finding.effect) || self.listed.len() < LISTED_MAX {
            self.listed.push(finding);
        } else {
            self.not_listed += 1;
        }
    }

    /// Whether one more would be listed, whatever it says.
    pub fn has_room(&self) -> bool {
        self.listed.len() < LISTED_MAX
    }

    pub fn listed(&self) -> &[Finding] {
        &self.listed
    }

    /// Keeps what is certain where time ran out.
    pub fn keep_denials(&mut self) {
        self.listed.retain(|finding| finding.effect == Effect::Deny);
        self.effects.retain(|effect| *effect == Effect::Deny);
    }

    /// The listed findings, and how many more there were.
    pub fn into_parts(self) -> (Vec<Finding>, u64) {
        (self.listed, self.not_listed)
    }
}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        let mut findings = Findings::default();
        findings.push(finding);
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_policy::rule;
    use countersign_policy::verdict::{Decision, Problem, Subject, decide};

    #[test]
    fn a_flood_of_notes_hides_no_denial() {
        let mut findings = Findings::default();
        let note = || Problem::new(&rule::recorded::RULE, "was written by the forge").about(Subject::Push);
        findings.extend((0..LISTED_MAX + 5).map(|_| note()));
        findings.push(Problem::new(&rule::unsigned::RULE, "is not signed").about(Subject::Push));
        findings.push(note());
        let (listed, not_listed) = findings.into_parts();
        assert_eq!((listed.len(), not_listed), (LISTED_MAX + 1, 6));
        assert_eq!(decide(&listed), Decision::Deny);
    }
}
