//! Countersign's own verdict on an object, by the code that judges a push.

use crate::cast::Cast;
use crate::object::{Object, TAG_NAME, What, as_git_splits};
use countersign_policy::commit::Commit;
use countersign_policy::config::Policy;
use countersign_policy::id::ObjectFormat;
use countersign_policy::judge::{Examined, Ground};
use countersign_policy::tag::Tag;
use countersign_policy::testing::NoX509;
use countersign_policy::time::Time;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

pub const ACCEPT: &str = "accept";

/// `accept`, or the id of the first finding. `Err` where the code did what it never may.
pub fn judge(cast: &Cast, policy: &Policy, object: &Object) -> Result<&'static str, String> {
    let ground = Ground {
        policy,
        keyring: cast.keyring(),
        x509: &NoX509,
        now: Time::from_system(SystemTime::now()),
        format: ObjectFormat::Sha1,
    };
    let examined = catch_unwind(AssertUnwindSafe(|| examine(&ground, object)))
        .map_err(|_| format!("{}: it panicked", object.kind))?;
    let (examined, payload) = examined;
    match (examined.objections.first(), examined.signer, payload) {
        (Some(objection), _, _) => Ok(objection.problem.rule.id),
        (None, Some(_), Some(payload)) => match as_git_splits(object.what, &object.raw) {
            Some((theirs, _)) if theirs == payload => Ok(ACCEPT),
            _ => Err(format!("{}: it accepted other bytes than git would have checked", object.kind)),
        },
        _ => Err(format!("{}: neither a signer nor an objection", object.kind)),
    }
}

/// The verdict and the bytes that it is about.
fn examine(ground: &Ground<'_>, object: &Object) -> (Examined, Option<Vec<u8>>) {
    match object.what {
        What::Commit => {
            let payload = Commit::parse(&object.raw, ground.format).ok().map(|commit| commit.payload().to_vec());
            (ground.examine_commit(&object.raw), payload)
        }
        What::Tag => match Tag::parse(&object.raw, ground.format) {
            Ok(tag) => (ground.examine_tag(&tag, TAG_NAME), Some(tag.payload().to_vec())),
            Err(problem) => (Examined::refused(problem), None),
        },
    }
}

/// The policy of a company that changed nothing.
pub fn policy() -> Policy {
    Policy::parse(b"version: 1\nmode: enforce\nkeyring: keyring\nledger: ledger\n").expect("a policy")
}
