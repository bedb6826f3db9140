//! OpenSSH's `allowed_signers`, which git reads on a laptop.

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_policy::keyring::{Authorities, Key, Lifecycle, Material, Person};
use countersign_policy::time::Time;
use std::time::Duration;

/// What the registry says in that format.
#[derive(Debug, Default)]
pub struct Exported<'p> {
    pub lines: Vec<String>,
    /// Who has a key but no address, by which the format calls people.
    pub left_out: Vec<&'p Person>,
}

/// One line for each SSH key of a person who is active at `now`, and for each SSH authority. With `ended` also one for
/// each key that ended without being compromised, with its end: to read history, not to let anything in.
/// Windows are in UTC: without `Z` OpenSSH reads the local time of whoever verifies.
pub fn export<'p>(persons: &'p [Person], authorities: &Authorities, ended: bool, now: Time) -> Exported<'p> {
    let Exported { mut lines, mut left_out } = Exported::default();
    for person in persons {
        let leaves = if person.is_active(now) {
            person.lifecycle.iter().find(|change| change.from > now).map(|change| change.from)
        } else if ended && person.state(now) != Lifecycle::Prehire {
            person.state_since(now)
        } else {
            continue;
        };
        // Who has left is called as on the last day.
        let named_at = leaves.map_or(now, |leaves| now.min(leaves.minus(Duration::from_millis(1))));
        let emails: Vec<&str> = person
            .emails
            .iter()
            .filter(|held| held.span.contains(named_at))
            .map(|held| held.value.as_str())
            .filter(|email| is_literal(email))
            .collect();
        let mut own = person
            .keys
            .iter()
            .filter(|key| ended || key.retired.is_none_or(|retired| retired.at > now))
            .filter_map(|key| line(&emails.join(","), leaves, person, key))
            .peekable();
        if !emails.is_empty() {
            lines.extend(own);
        } else if own.peek().is_some() {
            left_out.push(person);
        }
    }
    for authority in &authorities.ssh {
        let Material::Ssh(ssh) = &authority.material else { continue };
        let over = !ended && authority.retired.is_some_and(|retired| retired.at <= now);
        // A future mark of compromise counts at once: this file may be read long after it was written.
        if authority.compromised.is_none() && !over {
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

fn line(principals: &str, leaves: Option<Time>, person: &Person, key: &Key) -> Option<String> {
    let Material::Ssh(ssh) = &key.material else { return None };
    let end = leaves.into_iter().chain(key.retired.map(|retired| retired.at)).min();
    if key.compromised.is_some() || end.is_some_and(|end| end <= key.added) {
        return None;
    }
    let (from, until) = (instant(key.added), until(end));
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

fn until(at: Option<Time>) -> String {
    at.map_or(String::new(), |at| format!(",valid-before=\"{}\"", instant(at)))
}

/// `20260101000000Z`
fn instant(time: Time) -> String {
    let text = Time::from_unix_seconds(time.unix_seconds()).to_string();
    text.chars().filter(|c| !matches!(c, '-' | ':' | 'T')).collect()
}
