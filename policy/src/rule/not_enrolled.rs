use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "not-enrolled",
    effect: Effect::Undecided,
    answers: Answers::Never,
    summary: "this repository has not been set up",
    next: "tell the administrator: `countersign install --repo PATH` is missing for it",
    help: r#"The repository already holds branches or tags, but Countersign was never told which of them to trust.

For the administrator: `countersign install --repo PATH` enrols the present tips. A repository that was moved here keeps what is on record of it by `--moved-from OLD_PATH`; one that was made anew in the place of another is set up by `--anew`."#,
};
