use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "new-root",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "a commit without parents would enter an existing branch",
    next: "start from the existing history; to bring in foreign history ask the administrator about a baseline",
    help: r#"The commit begins a second history beside the one that is here. For imports there is `countersign baseline add`."#,
};
