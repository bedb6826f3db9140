//! What is settled for one source of webhooks.

use super::secret::{BadSecret, SECRET_FILE_MAX, SECRETS_AT_ONCE, Secrets};
use countersign_policy::id::Source;
use serde::Deserialize;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Whose webhooks they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Standard Webhooks: our own events, for whoever writes a sender.
    Standard,
    BambooHr,
    HiBob,
    Personio,
    Rippling,
    Gusto,
}

/// How a delivery proves who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By a signature over its bytes.
    Signature,
    /// By a bearer token of ours: the sender signs nothing.
    Token,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Standard => "standard",
            Kind::BambooHr => "bamboohr",
            Kind::HiBob => "hibob",
            Kind::Personio => "personio",
            Kind::Rippling => "rippling",
            Kind::Gusto => "gusto",
        }
    }

    pub fn proof(self) -> Proof {
        match self {
            Kind::Standard | Kind::BambooHr | Kind::HiBob | Kind::Gusto => Proof::Signature,
            Kind::Personio | Kind::Rippling => Proof::Token,
        }
    }
}

/// How an employee of the sender becomes a person of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonIdFrom {
    /// The sender's id of the employee, behind `prefix`, is the person's id.
    #[default]
    EmployeeId,
    /// The posted field `Employee #`, behind `prefix`, is.
    EmployeeNumber,
    /// Whoever holds the account `SOURCE:EMPLOYEE-ID`: for senders whose ids nobody else uses.
    Account,
}

/// What is answered to word of somebody's end whom nobody here knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strangers {
    /// An error, so that the sender repeats it: the person may be on the way in, or called otherwise here.
    #[default]
    Refuse,
    /// Where most of the company never signs a commit.
    Ignore,
}

/// One source of webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub kind: Kind,
    /// The one in use and the one that is to replace it.
    pub secret_files: Vec<PathBuf>,
    pub person_id: PersonIdFrom,
    pub prefix: String,
    pub strangers: Strangers,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawWebhook {
    kind: Kind,
    #[serde(default)]
    secret_files: Vec<PathBuf>,
    #[serde(default)]
    person_id: PersonIdFrom,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    strangers: Strangers,
}

impl Webhook {
    /// Relative paths count from `folder`.
    pub fn check(raw: RawWebhook, source: &Source, folder: &Path) -> Result<Self, String> {
        let RawWebhook { kind, secret_files, person_id, prefix, strangers } = raw;
        let name = kind.name();
        match (kind.proof(), secret_files.len()) {
            (Proof::Signature, 1..=SECRETS_AT_ONCE) | (Proof::Token, 0) => {}
            (Proof::Signature, _) => {
                return Err(format!(
                    "webhook: {name} signs what it sends: give secret_files, one file or, while a secret is replaced, {SECRETS_AT_ONCE}"
                ));
            }
            (Proof::Token, _) => {
                return Err(format!(
                    "webhook: {name} signs nothing and has no secret: it sends a token, which keyring-sync token add {source} makes"
                ));
            }
        }
        if kind == Kind::Standard && (person_id != PersonIdFrom::EmployeeId || !prefix.is_empty()) {
            return Err("webhook: standard events name persons as they are called here: no person_id, no prefix".to_owned());
        }
        if person_id == PersonIdFrom::EmployeeNumber && kind != Kind::BambooHr {
            return Err(format!("webhook: {name} posts no employee number: person_id is employee_id or account"));
        }
        if person_id == PersonIdFrom::Account && !prefix.is_empty() {
            return Err("webhook: an account has no prefix".to_owned());
        }
        let secret_files = secret_files.into_iter().map(|file| folder.join(file)).collect();
        Ok(Webhook { kind, secret_files, person_id, prefix, strangers })
    }

    /// Reads the secrets from their files.
    pub fn secrets(&self) -> Result<Secrets, String> {
        let mut secrets = Secrets::default();
        for file in &self.secret_files {
            let mut text = String::new();
            let read = std::fs::File::open(file).and_then(|file| file.take(SECRET_FILE_MAX + 1).read_to_string(&mut text));
            match read {
                Ok(_) => secrets.add(self.kind, &text).map_err(|error: BadSecret| format!("{}: {error}", file.display()))?,
                // The secret of Gusto comes with its first request.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.kind == Kind::Gusto => {}
                Err(error) => return Err(format!("{}: {error}", file.display())),
            }
        }
        Ok(secrets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Webhook, String> {
        let source = Source::new("hr").unwrap();
        Webhook::check(serde_yaml::from_str(text).unwrap(), &source, Path::new("/etc/countersign"))
    }

    #[test]
    fn who_signs_has_secrets_and_who_does_not_has_none() {
        let hibob = check("{kind: hibob, secret_files: [bob, /run/new]}").unwrap();
        assert_eq!(hibob.secret_files, [Path::new("/etc/countersign/bob"), Path::new("/run/new")]);
        assert!(check("{kind: personio}").is_ok() && check("{kind: rippling, person_id: account}").is_ok());
        for (bad, said) in [
            ("{kind: hibob}", "signs what it sends"),
            ("{kind: gusto, secret_files: [a, b, c]}", "signs what it sends"),
            ("{kind: personio, secret_files: [a]}", "keyring-sync token add hr"),
            ("{kind: standard, secret_files: [a], prefix: E}", "no prefix"),
            ("{kind: gusto, secret_files: [a], person_id: employee_number}", "no employee number"),
            ("{kind: gusto, secret_files: [a], person_id: account, prefix: E}", "no prefix"),
        ] {
            assert!(check(bad).unwrap_err().contains(said), "{bad}");
        }
    }

    #[test]
    fn a_missing_secret_is_no_secret_except_where_it_is_still_to_come() {
        let dir = tempfile::TempDir::new().unwrap();
        let webhook = |kind: &str| {
            let raw = serde_yaml::from_str(&format!("{{kind: {kind}, secret_files: [none]}}")).unwrap();
            Webhook::check(raw, &Source::new("hr").unwrap(), dir.path()).unwrap()
        };
        assert!(webhook("hibob").secrets().unwrap_err().contains("none"));
        assert!(webhook("gusto").secrets().unwrap().is_empty());
        std::fs::write(dir.path().join("none"), "short\n").unwrap();
        assert!(webhook("gusto").secrets().unwrap_err().contains("at least"));
    }
}
