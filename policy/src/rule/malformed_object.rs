use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "malformed-object",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "the object does not follow git's own grammar",
    next: "make the commit or tag again with git itself (`git commit --amend`, `git tag -f -s`)",
    help: r#"The raw bytes of the commit or tag are not what git writes: headers out of order or repeated, bad dates, names or e-mails with control characters, NUL bytes, or text that tools would read differently. Such objects can show one person to a reader and another to a verifier, so they are refused before their signature is looked at.

What to do: `git rebase -r --force-rebase -S BASE` writes the commits anew. BASE is the last commit that the server has, such as `origin/main`; for a first push say `--root` instead. If an import tool made them, ask the administrator about a baseline (`countersign baseline add`)."#,
};
