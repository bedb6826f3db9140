//! `keyring-sync import forge`

use super::super::{Context, now};
use super::{Brought, Failure, Import, Taken, Terms};
use crate::forge::{ForgeName, Keys, PublicKey, Trouble};
use crate::keys::{KeyRefused, register};
use crate::report::{Report, count};
use countersign_policy::id::{Account, PersonId};
use countersign_policy::keyring::{Lifecycle, Person};
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use std::collections::BTreeMap;

#[derive(Debug, clap::Args)]
pub(in crate::command) struct Args {
    /// The forge, as the configuration calls it
    #[arg(value_name = "FORGE", value_parser = forge_name)]
    forge: ForgeName,
    /// Only this account; by default all that persons of the registry have there
    #[arg(long, value_name = "LOGIN")]
    user: Vec<String>,
    #[command(flatten)]
    terms: Terms,
}

fn forge_name(text: &str) -> Result<ForgeName, String> {
    ForgeName::try_from(text.to_owned())
}

/// An account, and whose it is.
struct Holding {
    account: Account,
    person: PersonId,
}

/// What a forge says of an account: its keys, or that it has no such account.
type Answered = (Holding, Option<Keys>);

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    let config = context.config()?;
    let Some(forge) = config.forges.iter().find(|forge| forge.name == args.forge) else {
        let names: Vec<&str> = config.forges.iter().map(|forge| forge.name.as_str()).collect();
        let known =
            if names.is_empty() { "it names none".to_owned() } else { format!("it names {}", names.join(", ")) };
        return Err(Failure::Usage(format!("no forge {} in {}: {known}", args.forge, context.config.display())));
    };
    let client = forge.open().map_err(|error| Failure::Fault(error.to_string()))?;
    let mut registry = context.registry()?;
    let (holdings, mut problems, out) = holdings(&registry.tables().persons()?, args, now())?;
    // Asked before the lock: a slow forge must not hold up an offboarding.
    let mut answers: Vec<Answered> = Vec::new();
    for holding in holdings {
        let login = args.forge.login(&holding.account).unwrap_or_default();
        match client.keys(login) {
            Ok(keys) => answers.push((holding, keys)),
            // One account is no reason to doubt the others; a forge that is away is.
            Err(Trouble::Odd(why)) => problems.push(format!("{}: {why}", holding.account)),
            Err(Trouble::Unreachable(why)) => {
                return Err(Failure::Fault(format!("forge {}: {why}; nothing was changed", args.forge)));
            }
        }
    }
    let mut import = Import::begin(&mut registry, &args.terms, "item")?;
    import.problems = problems;
    for (holding, keys) in answers {
        take_account(&mut import, &holding, keys)?;
    }
    let mut report = import.finish()?;
    if out > 0 {
        report.notes.push(format!("{} of people who are suspended or have left: not asked for", count(out, "account")));
    }
    Ok(report)
}

/// The accounts to ask for, what is wrong with the others, and how many are of people who are out.
fn holdings(persons: &[Person], args: &Args, now: Time) -> Result<(Vec<Holding>, Vec<String>, usize), Failure> {
    let mut all: BTreeMap<String, (&Person, &Account)> = BTreeMap::new();
    for person in persons {
        for held in person.accounts.iter().filter(|held| held.span.contains(now)) {
            if let Some(login) = args.forge.login(&held.value) {
                all.insert(login.to_owned(), (person, &held.value));
            }
        }
    }
    let (mut holdings, mut problems, mut out) = (Vec::new(), Vec::new(), 0);
    let wanted: Vec<String> = match args.user.as_slice() {
        [] => all.keys().cloned().collect(),
        // Read as accounts are, so that the two meet.
        users => users.iter().map(|login| login.to_lowercase()).collect(),
    };
    for login in wanted {
        let name = format!("{}:{}", args.forge, shown(&login, 80));
        match all.get(&login) {
            None => problems.push(format!(
                "{name}: nobody in the registry has this account: keyring-sync person set PERSON --account {name}"
            )),
            Some((person, account)) => match person.state(now) {
                Lifecycle::Prehire | Lifecycle::Active | Lifecycle::Leave => {
                    holdings.push(Holding { account: (*account).clone(), person: person.id.clone() });
                }
                state if !args.user.is_empty() => {
                    problems.push(format!("{name}: {} is {}", person.id, state.as_str()));
                }
                _ => out += 1,
            },
        }
    }
    Ok((holdings, problems, out))
}

fn take_account(import: &mut Import<'_>, holding: &Holding, keys: Option<Keys>) -> Result<(), Failure> {
    let place = holding.account.to_string();
    let Some(keys) = keys else {
        return import.count(&place, Err(Failure::No("the forge has no such account".to_owned())));
    };
    // Whose it is may have changed while the forge was asked.
    let person = import.operator.person(&holding.person)?;
    if !person.has_account(&holding.account, import.operator.now()) {
        return import.count(&place, Err(Failure::No(format!("it is no longer an account of {}", holding.person))));
    }
    for unfit in keys.unfit {
        import.count(&place, Err(Failure::No(unfit)))?;
    }
    for key in keys.keys {
        let taken = take_key(import, holding, key);
        import.count(&place, taken)?;
    }
    Ok(())
}

/// The account says whose the key is; what names and addresses stand in it does not.
fn take_key(import: &mut Import<'_>, holding: &Holding, key: PublicKey) -> Result<Taken, Failure> {
    let PublicKey { text, until } = key;
    let registration = register(&text, import.operator.now(), |_| Ok::<_, KeyRefused>(None))?;
    let brought = Brought { text, registration, valid_after: None, valid_before: until };
    import.take(&holding.person, brought, &format!("account {}", holding.account))
}
