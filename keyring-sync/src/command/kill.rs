//! `keyring-sync kill`: the person is out before this command ends.

use super::{Context, Operator, called};
use crate::report::{Failure, Report, count};
use countersign_policy::id::PersonId;
use countersign_policy::time::Time;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    person: PersonId,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Also believe nothing that the person's keys signed since then; this is never taken back
    #[arg(long, value_name = "RFC3339")]
    since: Option<Time>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    let mut registry = context.registry()?;
    // However long somebody else's bulk import takes: giving up would leave the person in.
    registry.wait_without_end();
    let mut operator = Operator::begin(&mut registry)?;
    let person = operator.person(&args.person)?;
    let now = operator.now();
    if args.since.is_some_and(|since| since > now) {
        return Err(Failure::Usage("--since lies in the future".to_owned()));
    }
    // What HR ended may be cancelled by HR; a kill may not.
    let gone = operator.door.is_killed_for_good(&person.id)?;
    if !gone {
        operator.say(&person.id, "terminated", json!({"reason": args.reason}))?;
        if !operator.door.is_killed_for_good(&person.id)? {
            return Err(Failure::Fault(format!(
                "{} would not be out: the registry holds word on this person that is newer than this clock",
                called(&person)
            )));
        }
    }
    let mut marked = 0;
    if let Some(since) = args.since {
        for key in &person.keys {
            let already =
                key.compromised.is_some_and(|mark| mark.from <= now && mark.since.is_none_or(|known| known <= since));
            if !already {
                let data = json!({"fingerprint": key.fingerprint, "since": since, "reason": args.reason});
                operator.say(&person.id, "key_compromised", data)?;
                marked += 1;
            }
        }
    }
    let mut what = if gone {
        format!("{} was terminated already", called(&person))
    } else {
        format!("terminated {}, effective now", called(&person))
    };
    if let Some(since) = args.since {
        what.push_str(&format!("; {} compromised since {since}", count(marked, "key")));
    }
    let already = format!("{} was terminated already", called(&person));
    let json = json!({"person": person.id, "state": "terminated", "keys_compromised": marked, "since": args.since});
    operator.finish(&what, &already, json)
}
