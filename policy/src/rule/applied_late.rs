use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "applied-late",
    effect: Effect::Note,
    answers: Answers::Never,
    summary: "the ref was updated later than the verdict allows",
    next: "nothing for the pusher; the administrator should see that the reference-transaction hook runs",
    help: r#"An accepting verdict is good for a short time. On this server nothing checked it again when git moved the ref.

For the administrator: `countersign install` puts the reference-transaction hook in place. GitLab does not run it from a repository; there it must stand in Gitaly's configuration (git 2.54 and later: `hook.countersign.event=reference-transaction`)."#,
};
