//! OpenSSH's `allowed_signers`, which git reads on a laptop.

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_policy::keyring::{Authorities, Compromised, Key, Material, Person, Retired};
use countersign_policy::time::Time;

/// What the registry says in that format.
#[derive(Debug, Default)]
pub struct Exported<'p> {
    pub lines: Vec<String>,
    /// Who has a key but no address, by which the format calls people.
    pub left_out: Vec<&'p Person>,
}

/// One line for each SSH key of a person who is active at `now`, and for each SSH authority.
/// Windows are in UTC: without `Z` OpenSSH reads the local time of whoever verifies.
pub fn export<'p>(persons: &'p [Person], authorities: &Authorities, now: Time) -> Exported<'p> {
    let Exported { mut lines, mut left_out } = Exported::default();
    for person in persons.iter().filter(|person| person.is_active(now)) {
        let emails: Vec<&str> = person
            .emails
            .iter()
            .filter(|held| held.span.contains(now))
            .map(|held| held.value.as_str())
            .filter(|email| is_literal(email))
            .collect();
        let leaves = person.lifecycle.iter().find(|change| change.from > now).map(|change| change.from);
        let mut own = person.keys.iter().filter_map(|key| line(&emails.join(","), leaves, person, key, now)).peekable();
        if !emails.is_empty() {
            lines.extend(own);
        } else if own.peek().is_some() {
            left_out.push(person);
        }
    }
    for authority in &authorities.ssh {
        let Material::Ssh(ssh) = &authority.material else { continue };
        if !ended(authority.retired, authority.compromised, now) {
            let until = until(authority.retired.map(|retired| retired.at));
            lines.push(format!(
                "* cert-authority,namespaces=\"git\"{until} {} {}",
                ssh.algorithm,
                STANDARD.encode(&ssh.blob)
            ));
        }
    }
    Exported { lines, left_out }
}

fn line(principals: &str, leaves: Option<Time>, person: &Person, key: &Key, now: Time) -> Option<String> {
    let Material::Ssh(ssh) = &key.material else { return None };
    if ended(key.retired, key.compromised, now) {
        return None;
    }
    let retired = key.retired.map(|retired| retired.at);
    let until = until(leaves.into_iter().chain(retired).min());
    let from = instant(key.added);
    let blob = STANDARD.encode(&ssh.blob);
    Some(format!(
        "{principals} namespaces=\"git\",valid-after=\"{from}\"{until} {} {blob} {}",
        ssh.algorithm, person.id
    ))
}

/// A pattern character in an address would let the line speak for others.
fn is_literal(email: &str) -> bool {
    !email.contains(['*', '?', '!', '"', '#', '\\'])
}

/// A future mark of compromise counts at once: this file may be read long after it was written.
fn ended(retired: Option<Retired>, compromised: Option<Compromised>, now: Time) -> bool {
    compromised.is_some() || retired.is_some_and(|retired| retired.at <= now)
}

fn until(at: Option<Time>) -> String {
    at.map_or(String::new(), |at| format!(",valid-before=\"{}\"", instant(at)))
}

/// `20260101000000Z`
fn instant(time: Time) -> String {
    let text = Time::from_unix_seconds(time.unix_seconds()).to_string();
    text.chars().filter(|c| !matches!(c, '-' | ':' | 'T')).collect()
}
