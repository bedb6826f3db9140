//! `keyring-sync import gnupg`

use super::super::Context;
use super::{Brought, Failure, Import, Taken, Terms};
use crate::event::KeyText;
use crate::import::gnupg;
use crate::keys::{KeyRefused, openpgp_texts, register};
use crate::report::Report;
use countersign_policy::text::shown;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::command) struct Args {
    /// A GnuPG home; it is read, and nothing is written to it
    #[arg(long, value_name = "DIR", required_unless_present = "keyring", conflicts_with = "keyring")]
    home: Option<PathBuf>,
    /// A keybox, an old keyring, or what gpg --export wrote
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    #[command(flatten)]
    terms: Terms,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Report, Failure> {
    let unreadable = |error: gnupg::Unreadable| Failure::Fault(error.to_string());
    let keyring = match (&args.keyring, &args.home) {
        (Some(file), _) => file.clone(),
        (None, Some(home)) => gnupg::keyring_of(home).map_err(unreadable)?,
        (None, None) => return Err(Failure::Usage("give --home or --keyring".to_owned())),
    };
    // Read before the lock: a long keyring must not hold up an offboarding.
    let texts = openpgp_texts(&gnupg::certificates(&keyring).map_err(unreadable)?)?;
    if texts.is_empty() {
        return Err(Failure::No(format!("{} holds no public key", keyring.display())));
    }
    let origin = format!("import of {}", shown(&keyring.display().to_string(), 200));
    let mut registry = context.registry()?;
    let mut import = Import::begin(&mut registry, &args.terms, "key")?;
    for (number, text) in texts.into_iter().enumerate() {
        let place = format!("{} key {}", keyring.display(), number + 1);
        let taken = take(&mut import, text, &origin);
        import.count(&place, taken)?;
    }
    import.finish()
}

/// A keyring knows no accounts: the addresses in a key say whom to ask for the proof.
fn take(import: &mut Import<'_>, text: KeyText, origin: &str) -> Result<Taken, Failure> {
    let registration = register(&text, import.operator.now(), |_| Ok::<_, KeyRefused>(None))?;
    // A key that is somebody's already is theirs, whatever it says of itself.
    let key = registration.fingerprint.clone();
    let owner = import.operator.door.tables().owner(key.as_str())?;
    let person = match (owner, import.holder(&registration.emails)?) {
        (Some(owner), person) if owner.person.is_none() || person.is_some() && owner.person != person => {
            return Err(super::belongs_to(key.as_str(), owner.person.as_ref()));
        }
        (Some(_), _) => return Ok(Taken::Known),
        (None, Some(person)) => person,
        (None, None) => {
            let emails: Vec<String> = registration.emails.iter().map(|email| shown(email.as_str(), 80)).collect();
            let of =
                if emails.is_empty() { "names no address".to_owned() } else { format!("is of {}", emails.join(", ")) };
            return Err(Failure::No(format!("key {key} {of}: nobody in the registry has such an address")));
        }
    };
    import.take(&person, Brought { text, registration, valid_after: None, valid_before: None }, origin)
}
