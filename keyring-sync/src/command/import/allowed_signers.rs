//! `keyring-sync import allowed-signers`

use super::super::{Context, read_text};
use super::{Brought, Import, Taken, Terms, belongs_to};
use crate::event::KeyText;
use crate::import::allowed_signers::{self, Line, Signer};
use crate::report::{Failure, Report};
use countersign_policy::id::PersonId;
use countersign_policy::signature::ssh;
use countersign_policy::text::shown;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::command) struct Args {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    terms: Terms,
}

pub(super) fn run(context: &Context, args: Args) -> Result<Report, Failure> {
    let texts = args.files.iter().map(|file| Ok((file, read_text(file)?))).collect::<Result<Vec<_>, Failure>>()?;
    let mut registry = context.registry()?;
    let mut import = Import::begin(&mut registry, &args.terms, "line")?;
    for (file, text) in &texts {
        let origin = format!("import of {}", shown(&file.display().to_string(), 200));
        for (number, line) in allowed_signers::lines(text) {
            let taken = match line {
                Ok(line) => take(&mut import, &line, &origin),
                Err(bad) => Err(Failure::No(bad.to_string())),
            };
            import.count(&format!("{} line {number}", file.display()), taken)?;
        }
    }
    import.finish()
}

fn take(import: &mut Import<'_>, line: &Line, origin: &str) -> Result<Taken, Failure> {
    match line {
        Line::Authority { .. } if !import.terms.trust_import => Err(Failure::No(
            "an authority speaks for everybody: --trust-import takes it, or keyring-sync key add --ssh-ca".to_owned(),
        )),
        Line::Authority { key } => {
            let registration = ssh::register_authority(key).map_err(|refusal| Failure::No(refusal.to_string()))?;
            let new = import.operator.door.add_authority(&registration)?;
            Ok(if new { Taken::Registered } else { Taken::Known })
        }
        Line::Signer(signer) => take_signer(import, signer, origin),
    }
}

fn take_signer(import: &mut Import<'_>, signer: &Signer, origin: &str) -> Result<Taken, Failure> {
    // The key first: a refused key must not leave a person behind.
    let registration = ssh::register(&signer.key).map_err(|refusal| Failure::No(format!("key refused: {refusal}")))?;
    let owner = import.operator.door.tables().owner(registration.fingerprint.as_str())?;
    let id = match import.holder(&signer.emails)? {
        Some(id) => id,
        None => {
            if let Some(owner) = owner {
                return Err(belongs_to(registration.fingerprint.as_str(), owner.person.as_ref()));
            }
            let first = signer.emails.first().ok_or_else(|| Failure::No("it has no principal".to_owned()))?;
            let id = PersonId::new(first.as_str()).map_err(|error| Failure::No(error.to_string()))?;
            if import.operator.door.exists(&id)? {
                return Err(Failure::No(format!("person {id} is there already and does not hold this address")));
            }
            import.operator.say(&id, "hired", json!({"name": first, "emails": signer.emails}))?;
            import.operator.say(&id, "activated", json!({}))?;
            id
        }
    };
    let text = KeyText::Ssh(signer.key.clone());
    let brought = Brought { text, registration, valid_after: signer.valid_after, valid_before: signer.valid_before };
    import.take(&id, brought, origin)
}
