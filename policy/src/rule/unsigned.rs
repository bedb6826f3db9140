use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "unsigned",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "it is not signed",
    next: "sign it: `git commit --amend --no-edit -S`, or `git rebase -r --force-rebase -S BASE` for several; BASE is what the server has, such as origin/main",
    help: r#"Every new commit and tag needs a signature of a registered person. Set signing up once:

    git config --global gpg.format ssh                # or leave it for OpenPGP
    git config --global user.signingkey ~/.ssh/id_ed25519.pub
    git config --global commit.gpgsign true
    git config --global tag.gpgsign true

Then sign what you have, merges included: `git rebase -r --force-rebase -S BASE`. BASE is the last commit that the server has, such as `origin/main`; for a first push say `--root` instead.

A tag is made again: `git tag -f -s NAME NAME^{}`."#,
};
