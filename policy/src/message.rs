//! A verdict in words for the person who pushed: what, why, and what to do next.
//!
//! Lines are plain text without control characters; a forge's face may put its own prefix before each.

use crate::rule::{Answers, missing_object, owner_in_grace};
use crate::verdict::{Decision, Effect, Finding, Mode, Subject, Verdict};
use std::collections::{HashMap, HashSet};

/// Subjects named for one reason. More of the same are counted: nobody reads a hundred equal lines.
pub const NAMED_PER_GROUP: usize = 3;

/// Different reasons shown for one push; the rest are in the audit.
pub const GROUPS_SHOWN: usize = 6;

/// Characters of a commit's title; the id finds the rest.
const TITLE_MAX: usize = 40;

/// The whole message, one element a line. An accepted push is one line, but for what will end soon.
pub fn render(verdict: &Verdict) -> Vec<String> {
    let mut lines = match verdict.decision {
        Decision::Accept => vec![format!("countersign: accepted, verdict {}", verdict.verdict)],
        Decision::Deny | Decision::Undecided => refusal(verdict),
    };
    lines.extend(verdict.findings.iter().filter(|finding| is_told(finding)).map(note));
    lines
}

/// Notes are for the record; this one is for whoever pushes, while there is time to do something.
fn is_told(finding: &Finding) -> bool {
    finding.id() == owner_in_grace::RULE.id
}

fn note(finding: &Finding) -> String {
    format!("countersign: note: {} {}   [{}]", subject(finding), finding.problem.reason, finding.id())
}

fn refusal(verdict: &Verdict) -> Vec<String> {
    let wanted = if verdict.decision == Decision::Deny { Effect::Deny } else { Effect::Undecided };
    let findings: Vec<&Finding> = verdict.findings.iter().filter(|finding| finding.effect == wanted).collect();
    let groups = grouped(&findings);
    let mut lines = vec![headline(verdict, &findings, &groups), String::new()];
    for group in groups.iter().take(GROUPS_SHOWN) {
        lines.extend(group.lines());
    }
    let hidden: usize = groups.iter().skip(GROUPS_SHOWN).map(|group| group.findings.len()).sum();
    let hidden = hidden as u64 + verdict.findings_not_listed;
    if hidden > 0 {
        lines.push(format!("  … and {hidden} more; the administrator sees all of them with the verdict's id"));
    }
    lines.push(String::new());
    lines.push(footer(verdict));
    lines
}

fn headline(verdict: &Verdict, findings: &[&Finding], groups: &[Group<'_>]) -> String {
    let outcome = match (verdict.decision, verdict.mode) {
        (Decision::Undecided, _) => "could not be decided",
        (_, Mode::Observe) => "would be rejected",
        (_, Mode::Enforce) => "rejected",
    };
    format!("countersign: push{} {outcome}: {}", target(verdict), cause(verdict, findings, groups))
}

fn target(verdict: &Verdict) -> String {
    match verdict.refs.as_slice() {
        [] => String::new(),
        [one] => format!(" to {}", one.r#ref.shown()),
        [first, rest @ ..] => format!(" to {} and {} more ref{}", first.r#ref.shown(), rest.len(), plural(rest.len())),
    }
}

/// One clause: the count where commits are at fault for want of a good signature, else the first rule's summary.
fn cause(verdict: &Verdict, findings: &[&Finding], groups: &[Group<'_>]) -> String {
    let mut commits: Vec<_> = findings
        .iter()
        // A commit that is not there is none of the new ones.
        .filter(|finding| finding.id() != missing_object::RULE.id)
        .filter_map(|finding| if let Subject::Commit(id) = &finding.subject { Some(id) } else { None })
        .collect();
    commits.sort();
    commits.dedup();
    let first = groups.first().map_or("no reason was given", |group| group.first.problem.rule.summary);
    if verdict.decision == Decision::Undecided || commits.is_empty() || !only_commits(findings) {
        return first.to_owned();
    }
    let count = commits.len();
    let total = verdict.commits.judged.max(count as u64);
    let are = if count == 1 { "is" } else { "are" };
    let count = if verdict.findings_not_listed > 0 { format!("at least {count}") } else { count.to_string() };
    if findings.iter().all(|finding| wants_employee(finding)) {
        format!("{count} of {total} new commit{} {are} not signed by a current employee", plural_u64(total))
    } else {
        format!("{count} of {total} new commit{} cannot come in", plural_u64(total))
    }
}

fn only_commits(findings: &[&Finding]) -> bool {
    findings.iter().all(|finding| matches!(finding.subject, Subject::Commit(_)))
}

fn wants_employee(finding: &Finding) -> bool {
    finding.problem.rule.answers == Answers::KeyValidity || matches!(finding.id(), "unsigned" | "unknown-key")
}

/// Findings with the same rule, reason and next step.
struct Group<'a> {
    first: &'a Finding,
    findings: Vec<&'a Finding>,
}

fn grouped<'a>(findings: &[&'a Finding]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    // Each of ten thousand commits may have a reason of its own.
    let mut known = HashMap::new();
    let mut named = HashSet::new();
    for finding in findings {
        let kind = std::mem::discriminant(&finding.subject);
        let same = (finding.id(), finding.problem.reason.as_str(), finding.next_step(), kind);
        let at = *known.entry(same).or_insert(groups.len());
        // A commit that came to two refs is still one commit.
        if !named.insert((at, &finding.subject)) {
            continue;
        }
        match groups.get_mut(at) {
            Some(group) => group.findings.push(finding),
            None => groups.push(Group { first: finding, findings: vec![finding] }),
        }
    }
    groups
}

impl Group<'_> {
    fn lines(&self) -> Vec<String> {
        let id = self.first.id();
        let reason = &self.first.problem.reason;
        let mut lines: Vec<String> = self
            .findings
            .iter()
            .take(NAMED_PER_GROUP)
            .map(|finding| format!("  {}  {reason}   [{id}]", subject(finding)))
            .collect();
        let more = self.findings.len().saturating_sub(NAMED_PER_GROUP);
        if more > 0 {
            lines.push(format!("  … and {more} more for the same reason   [{id}]"));
        }
        lines.push(format!("           next: {} (countersign help {id})", self.first.next_step()));
        lines
    }
}

fn subject(finding: &Finding) -> String {
    match &finding.subject {
        Subject::Commit(id) => match &finding.title {
            Some(title) => format!("{}  \"{}\"", id.short(), crate::text::shown(title, TITLE_MAX)),
            None => id.short(),
        },
        Subject::Tag(id) => match &finding.on {
            Some(name) => format!("tag {}", name.shown()),
            None => format!("tag {}", id.short()),
        },
        Subject::Ref(name) => name.shown(),
        Subject::Path(path) => crate::text::shown_bytes(path, 120),
        Subject::Push => "this push".to_owned(),
    }
}

fn footer(verdict: &Verdict) -> String {
    let policy: String = verdict.policy_digest.chars().take(8).collect();
    let policy = if policy.is_empty() { String::new() } else { format!(" · policy {policy}…") };
    let outcome = if verdict.enforced {
        "nothing was changed on the server"
    } else {
        "this server only observes: the push passes"
    };
    let record = if verdict.recorded { "" } else { " (not on record, the administrator finds it in the log)" };
    format!("verdict {}{record}{policy} · {outcome}", verdict.verdict)
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn plural_u64(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ObjectFormat, ObjectId, RefName};
    use crate::rule;
    use crate::time::Time;
    use crate::verdict::{CommitCounts, Problem, PusherFact, RefFact, RepositoryFact, decide};

    fn id(byte: u8) -> ObjectId {
        ObjectId::from_bytes(&[byte; 20]).unwrap()
    }

    fn verdict(refs: &[&str], judged: u64, findings: Vec<Finding>) -> Verdict {
        Verdict {
            schema_version: 1,
            verdict: "01JDQ3V8T0Z4".into(),
            received_at: Time::from_unix_seconds(1_795_453_201),
            mode: Mode::Enforce,
            decision: decide(&findings),
            enforced: true,
            repository: RepositoryFact { path: "/srv/git/app.git".into(), id: None, name: None },
            pusher: PusherFact::default(),
            refs: refs
                .iter()
                .map(|name| RefFact {
                    r#ref: RefName::new(name.as_bytes()),
                    old: ObjectId::zero(ObjectFormat::Sha1),
                    new: id(9),
                    level: 2,
                })
                .collect(),
            commits: CommitCounts { judged, by_receipt: 0 },
            findings,
            findings_not_listed: 0,
            policy_digest: "7c1e5a90aabb".into(),
            registry_epoch: 42,
            recorded: true,
        }
    }

    fn unsigned(byte: u8, title: &str) -> Finding {
        Problem::new(&rule::unsigned::RULE, "is not signed").about(Subject::Commit(id(byte))).titled(title.into())
    }

    #[test]
    fn an_accepted_push_is_one_line() {
        assert_eq!(render(&verdict(&["refs/heads/main"], 3, vec![])), ["countersign: accepted, verdict 01JDQ3V8T0Z4"]);
    }

    #[test]
    fn an_owner_in_grace_is_told_with_each_push() {
        let note = || {
            let reason = "rests on the service account bot, which needs a new owner before 2026-12-01";
            Problem::new(&rule::owner_in_grace::RULE, reason).about(Subject::Push)
        };
        let told = "countersign: note: this push rests on the service account bot, which needs a new owner before \
                    2026-12-01   [owner-in-grace]";
        let accepted = render(&verdict(&["refs/heads/main"], 1, vec![note()]));
        assert_eq!(accepted, ["countersign: accepted, verdict 01JDQ3V8T0Z4", told]);
        let refused = render(&verdict(&["refs/heads/main"], 1, vec![unsigned(1, "wip"), note()]));
        assert_eq!(refused.last().map(String::as_str), Some(told));
        let carried = Problem::new(&rule::carried::RULE, "comes in by an earlier receipt").about(Subject::Push);
        assert_eq!(render(&verdict(&["refs/heads/main"], 1, vec![carried])).len(), 1, "other notes are for the record");
    }

    #[test]
    fn a_rejection_names_commit_reason_rule_and_next_step() {
        let revoked = Problem::new(
            &rule::key_revoked::RULE,
            "signed with SSH key SHA256:q3vT8w…, which was revoked on 2026-11-20",
        )
        .about(Subject::Commit(id(0x4f)))
        .titled("bump axios".into());
        insta::assert_snapshot!(render(&verdict(&["refs/heads/main"], 3, vec![revoked])).join("\n"));
    }

    #[test]
    fn a_hundred_unsigned_commits_are_no_wall_of_text() {
        let findings = (0..100).map(|byte| unsigned(byte, "wip")).collect();
        insta::assert_snapshot!(render(&verdict(&["refs/heads/main", "refs/heads/b"], 100, findings)).join("\n"));
    }

    fn headline_of(verdict: &Verdict) -> String {
        render(verdict).swap_remove(0)
    }

    #[test]
    fn the_headline_counts_commits_where_only_commits_are_at_fault() {
        let skewed =
            |byte| Problem::new(&rule::time_skew::RULE, "has a date in the future").about(Subject::Commit(id(byte)));
        let says = |judged, findings| headline_of(&verdict(&["refs/heads/main"], judged, findings));
        let start = "countersign: push to main rejected: ";
        let none = "not signed by a current employee";
        assert_eq!(says(1, vec![unsigned(1, "wip")]), format!("{start}1 of 1 new commit is {none}"));
        assert_eq!(says(3, vec![unsigned(1, "a"), unsigned(2, "b")]), format!("{start}2 of 3 new commits are {none}"));
        let twice = vec![unsigned(1, "a"), skewed(1)];
        assert_eq!(says(3, twice), format!("{start}1 of 3 new commits cannot come in"), "one commit, two reasons");
        let refused = Problem::new(&rule::ref_denied::RULE, "may not be deleted");
        let both = vec![refused.about(Subject::Ref(RefName::new(b"refs/heads/x"))), unsigned(1, "a")];
        assert_eq!(says(3, both), format!("{start}{}", rule::ref_denied::RULE.summary), "not for want of a signature");
    }

    #[test]
    fn could_not_decide_counts_no_commits() {
        let unread = Problem::new(&rule::keyring_unreadable::RULE, "x").about(Subject::Commit(id(1)));
        let line = headline_of(&verdict(&["refs/heads/main"], 1, vec![unread]));
        assert_eq!(
            line,
            format!("countersign: push to main could not be decided: {}", rule::keyring_unreadable::RULE.summary)
        );
    }

    #[test]
    fn what_a_record_has_no_room_for_is_counted() {
        let mut full = verdict(&["refs/heads/main"], 9, vec![unsigned(1, "wip")]);
        full.findings_not_listed = 7;
        let lines = render(&full);
        assert!(lines[0].contains("at least 1 of 9 new commits is not signed"), "{lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with("  … and 7 more;")), "{lines:#?}");
        full.findings.clear();
        full.decision = Decision::Deny;
        assert!(headline_of(&full).ends_with("no reason was given"));
    }

    #[test]
    fn the_headline_names_the_refs() {
        let names = ["refs/heads/main", "refs/heads/a", "refs/heads/b"];
        let start = |count: usize| headline_of(&verdict(&names[..count], 1, vec![unsigned(1, "wip")]));
        assert!(start(0).starts_with("countersign: push rejected: "), "{}", start(0));
        assert!(start(2).starts_with("countersign: push to main and 1 more ref rejected: "), "{}", start(2));
        assert!(start(3).starts_with("countersign: push to main and 2 more refs rejected: "), "{}", start(3));
    }

    #[test]
    fn equal_reasons_are_said_once_and_counted() {
        let says = |count: u8| render(&verdict(&[], 9, (1..=count).map(|byte| unsigned(byte, "wip")).collect()));
        assert!(!says(3).iter().any(|line| line.contains("more for the same reason")), "{:#?}", says(3));
        assert!(says(4).contains(&"  … and 1 more for the same reason   [unsigned]".to_owned()), "{:#?}", says(4));
        let again = render(&verdict(&[], 9, vec![unsigned(1, "wip"), unsigned(1, "wip")]));
        assert_eq!(again.iter().filter(|line| line.contains("0101010")).count(), 1, "two refs, one commit: {again:#?}");
    }

    #[test]
    fn every_kind_of_subject_has_a_name() {
        let names = |subject, on: Option<&str>| {
            let mut finding = Problem::new(&rule::unsigned::RULE, "is wrong").about(subject);
            finding.on = on.map(|name| RefName::new(name.as_bytes()));
            render(&verdict(&[], 1, vec![finding])).swap_remove(2)
        };
        assert_eq!(names(Subject::Commit(id(1)), None), "  0101010  is wrong   [unsigned]");
        assert_eq!(names(Subject::Tag(id(1)), None), "  tag 0101010  is wrong   [unsigned]");
        assert_eq!(names(Subject::Tag(id(1)), Some("refs/tags/v1")), "  tag v1  is wrong   [unsigned]");
        assert_eq!(names(Subject::Ref(RefName::new(b"refs/heads/x")), None), "  x  is wrong   [unsigned]");
        assert_eq!(names(Subject::Path(b"a\x1b".to_vec()), None), "  a\\u{1b}  is wrong   [unsigned]");
        assert_eq!(names(Subject::Push, None), "  this push  is wrong   [unsigned]");
    }

    #[test]
    fn the_last_line_says_what_became_of_the_push() {
        let last = |change: &dyn Fn(&mut Verdict)| {
            let mut refused = verdict(&[], 1, vec![unsigned(1, "wip")]);
            change(&mut refused);
            render(&refused).pop().unwrap()
        };
        let id = "verdict 01JDQ3V8T0Z4";
        assert_eq!(last(&|_| ()), format!("{id} · policy 7c1e5a90… · nothing was changed on the server"));
        assert_eq!(last(&|it| it.policy_digest.clear()), format!("{id} · nothing was changed on the server"));
        assert!(last(&|it| it.recorded = false).starts_with(&format!("{id} (not on record, ")));
    }

    #[test]
    fn a_missing_parent_is_no_new_commit() {
        let missing = || {
            let problem = Problem::new(&rule::missing_object::RULE, "is neither in the push nor on the server");
            problem.about(Subject::Commit(id(7)))
        };
        let lines = render(&verdict(&["refs/heads/main"], 1, vec![missing()]));
        assert_eq!(lines[0], "countersign: push to main rejected: part of its history is missing");
        let lines = render(&verdict(&["refs/heads/main"], 2, vec![unsigned(1, "wip"), missing()]));
        assert_eq!(lines[0], "countersign: push to main rejected: 1 of 2 new commits cannot come in");
    }

    #[test]
    fn many_reasons_are_capped() {
        let findings = (0..20)
            .map(|byte| {
                Problem::new(&rule::unknown_key::RULE, format!("is signed with key {byte}, which is not registered"))
                    .about(Subject::Commit(id(byte)))
            })
            .collect();
        let lines = render(&verdict(&["refs/heads/main"], 20, findings));
        assert!(lines.len() <= 2 * GROUPS_SHOWN + 5, "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("and 14 more")), "{lines:#?}");
    }

    #[test]
    fn could_not_decide_never_blames_the_push() {
        let finding =
            Problem::new(&rule::keyring_unreadable::RULE, "the published keyring is damaged").about(Subject::Push);
        insta::assert_snapshot!(render(&verdict(&["refs/heads/main"], 0, vec![finding])).join("\n"));
    }

    #[test]
    fn observe_says_would() {
        let mut observed = verdict(&["refs/heads/main"], 1, vec![unsigned(1, "wip")]);
        observed.mode = Mode::Observe;
        observed.enforced = false;
        insta::assert_snapshot!(render(&observed).join("\n"));
    }
}
