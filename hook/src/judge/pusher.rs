//! The account that pushed, where the server names one and the registry maps it.

use super::{Asked, Case, JudgeError, Judgement};
use countersign_policy::rule;
use countersign_policy::verdict::{Problem, Subject};

impl Case<'_> {
    /// Whoever moves refs must be active and allowed there, whoever signed the commits.
    pub(super) fn judge_pusher(&self, asked: &[Asked<'_>], judgement: &mut Judgement) -> Result<(), JudgeError> {
        let (Some(account), Some(pusher)) = (self.says.account_text.as_deref(), &self.pusher) else { return Ok(()) };
        let (now, people) = (self.ground.now, &self.ground.policy.people);
        self.rely_on_person(pusher, None, judgement);
        if let Some(finding) = rule::pusher_not_active::check(pusher, account, now) {
            judgement.findings.push(finding);
            return Ok(());
        }
        match rule::owner_not_active::check(pusher, self.ground.keyring, people, now) {
            Ok(Some(objection)) => {
                let reason = format!("was made with the account {account}, whose owner is not an active member");
                let problem = Problem::new(objection.problem.rule, reason).of(&pusher.id);
                judgement.findings.push(problem.about(Subject::Push));
                return Ok(());
            }
            Ok(None) => {}
            Err(error) => {
                let problem = Problem::new(&rule::keyring_unreadable::RULE, "could not be judged");
                judgement.findings.push(problem.detail(error.to_string()).about(Subject::Push));
                return Ok(());
            }
        }
        for asked in asked {
            for name in &asked.target.names {
                judgement.findings.extend(rule::pusher_not_active::check_scope(pusher, account, self.names, name));
            }
            if rule::signer_on_probation::check(pusher, asked.level, people, now).is_some() {
                let reason = format!("may not be changed by the account {account} during probation");
                let problem = Problem::new(&rule::signer_on_probation::RULE, reason).of(&pusher.id);
                judgement.findings.push(problem.about(Subject::Ref(asked.update.name.clone())));
            }
        }
        Ok(())
    }
}
