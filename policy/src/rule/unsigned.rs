use super::{Answers, Rule};
use crate::verdict::Effect;

pub const RULE: Rule = Rule {
    id: "unsigned",
    effect: Effect::Deny,
    answers: Answers::Never,
    summary: "it is not signed",
    next: "sign it: `git commit --amend -S`, or `git rebase --exec 'git commit --amend --no-edit -S' BASE` for several; `git config commit.gpgsign true` signs from now on",
    help: r#"Every new commit and tag needs a signature of a registered person. Set signing up once:

    git config --global gpg.format ssh                # or leave it for OpenPGP
    git config --global user.signingkey ~/.ssh/id_ed25519.pub
    git config --global commit.gpgsign true
    git config --global tag.gpgsign true

Then sign what you have: `git rebase --exec 'git commit --amend --no-edit -S' origin/main`."#,
};
