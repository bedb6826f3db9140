//! Subject identifiers (RFC 9493, Shared Signals 1.0, RFC 9967) ─► what may name a person. Pure.

use super::json::Object;
use countersign_policy::id::Email;
use countersign_policy::text::shown;
use serde_json::Value;

/// Identifiers of one subject under `aliases`: an address or two, a number, an account.
const ALIASES_MAX: usize = 8;

/// One way in which a token names somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `sub` of `iss`.
    IssSub {
        issuer: String,
        subject: String,
    },
    Email(Email),
    /// `acct:` URI, without its scheme.
    Account(String),
    Opaque(String),
    /// The id in the URI of a SCIM user.
    ScimUser(String),
    /// A format that names no person here: a telephone, a device, a session.
    Other(&'static str),
}

/// Whom a token speaks of. Several names are all of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(Vec<Name>);

impl Subject {
    pub fn names(&self) -> &[Name] {
        &self.0
    }
}

/// Why a subject cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSubject {
    #[error("the subject has no `format`")]
    NoFormat,
    #[error("the subject's format `{}` is unknown", shown(.0, 40))]
    Format(String),
    #[error("the subject's `{0}` is missing or no text")]
    Member(&'static str),
    #[error("the subject's `email` is no address")]
    Email,
    #[error("the subject has no `user`")]
    NoUser,
    #[error("the subject has more than {ALIASES_MAX} identifiers, or none")]
    Aliases,
}

/// `sub_id` as the standards write it.
pub fn parse(subject: &Object) -> Result<Subject, BadSubject> {
    let Some(format) = subject.get("format").and_then(Value::as_str) else {
        // Drafts of Shared Signals wrote complex subjects without a format.
        return if subject.contains_key("user") { complex(subject) } else { Err(BadSubject::NoFormat) };
    };
    match format {
        "complex" => complex(subject),
        "aliases" => aliases(subject),
        format => Ok(Subject(vec![name(format, subject)?])),
    }
}

/// `subject` within an event, as Google's RISC and drafts of CAEP write it: `subject_type` with dashes.
pub fn parse_within_event(subject: &Object) -> Result<Subject, BadSubject> {
    let Some(kind) = subject.get("subject_type").and_then(Value::as_str) else { return parse(subject) };
    let format = match kind {
        "iss-sub" | "iss_sub" => "iss_sub",
        "email" => "email",
        "phone" | "phone-number" => "phone_number",
        "account" => "account",
        other => return Err(BadSubject::Format(other.to_owned())),
    };
    Ok(Subject(vec![name(format, subject)?]))
}

/// Several things that are all meant; whom it is about is its user.
fn complex(subject: &Object) -> Result<Subject, BadSubject> {
    match subject.get("user") {
        Some(Value::Object(user)) if user.get("format").is_none_or(|format| format != "complex") => parse(user),
        Some(_) => Err(BadSubject::Member("user")),
        None => Err(BadSubject::NoUser),
    }
}

fn aliases(subject: &Object) -> Result<Subject, BadSubject> {
    let all = subject.get("identifiers").and_then(Value::as_array).ok_or(BadSubject::Aliases)?;
    if all.is_empty() || all.len() > ALIASES_MAX {
        return Err(BadSubject::Aliases);
    }
    let one = |alias: &Value| {
        let alias = alias.as_object().ok_or(BadSubject::Aliases)?;
        // RFC 9493, section 3.2.8: aliases do not nest.
        match alias.get("format").and_then(Value::as_str) {
            None => Err(BadSubject::NoFormat),
            Some(format @ ("aliases" | "complex")) => Err(BadSubject::Format(format.to_owned())),
            Some(format) => name(format, alias),
        }
    };
    all.iter().map(one).collect::<Result<_, _>>().map(Subject)
}

fn name(format: &str, subject: &Object) -> Result<Name, BadSubject> {
    let text = |member: &'static str| -> Result<&str, BadSubject> {
        let text = subject.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or(BadSubject::Member(member))
    };
    Ok(match format {
        "iss_sub" => Name::IssSub { issuer: text("iss")?.to_owned(), subject: text("sub")?.to_owned() },
        "email" => Name::Email(Email::new(text("email")?).map_err(|_| BadSubject::Email)?),
        "opaque" => Name::Opaque(text("id")?.to_owned()),
        "account" => {
            let uri = text("uri")?;
            let (scheme, account) = uri.split_once(':').ok_or(BadSubject::Member("uri"))?;
            if !scheme.eq_ignore_ascii_case("acct") || account.is_empty() {
                return Err(BadSubject::Member("uri"));
            }
            Name::Account(account.to_owned())
        }
        "scim" => scim(text("uri")?)?,
        "phone_number" => Name::Other("phone_number"),
        "did" => Name::Other("did"),
        "uri" => Name::Other("uri"),
        "jwt_id" => Name::Other("jwt_id"),
        "saml_assertion_id" => Name::Other("saml_assertion_id"),
        "ip-addresses" => Name::Other("ip-addresses"),
        other => return Err(BadSubject::Format(other.to_owned())),
    })
}

/// `/Users/ID`, or the same behind the address of a SCIM service.
fn scim(uri: &str) -> Result<Name, BadSubject> {
    let mut parts = uri.rsplit('/');
    match (parts.next(), parts.next()) {
        (Some(id), Some("Users")) if !id.is_empty() && !id.contains(['?', '#', '%']) => {
            Ok(Name::ScimUser(id.to_owned()))
        }
        (Some(_), Some("Groups")) => Ok(Name::Other("scim of a group")),
        _ => Err(BadSubject::Member("uri")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Vec<Name>, BadSubject> {
        parse(value.as_object().unwrap()).map(|subject| subject.0)
    }

    fn email(text: &str) -> Name {
        Name::Email(Email::new(text).unwrap())
    }

    #[test]
    fn every_format_of_the_standards_is_known() {
        let iss_sub = Name::IssSub { issuer: "https://idp.example/".to_owned(), subject: "7375".to_owned() };
        assert_eq!(read(json!({"format": "iss_sub", "iss": "https://idp.example/", "sub": "7375"})), Ok(vec![iss_sub]));
        assert_eq!(read(json!({"format": "email", "email": "A@hr.example"})), Ok(vec![email("a@hr.example")]));
        assert_eq!(read(json!({"format": "opaque", "id": "x"})), Ok(vec![Name::Opaque("x".to_owned())]));
        let account = Name::Account("a@hr.example".to_owned());
        assert_eq!(read(json!({"format": "account", "uri": "acct:a@hr.example"})), Ok(vec![account]));
        for uri in ["/Users/44", "https://idp.example/scim/v2/Users/44"] {
            assert_eq!(read(json!({"format": "scim", "uri": uri})), Ok(vec![Name::ScimUser("44".to_owned())]));
        }
        assert_eq!(
            read(json!({"format": "phone_number", "phone_number": "+1"})),
            Ok(vec![Name::Other("phone_number")])
        );
        let group = json!({"format": "scim", "uri": "/Groups/1"});
        assert_eq!(read(group), Ok(vec![Name::Other("scim of a group")]));
    }

    #[test]
    fn a_complex_subject_is_its_user() {
        let user = json!({"format": "email", "email": "a@hr.example"});
        let complex = json!({"format": "complex", "user": user, "device": {"format": "opaque", "id": "d"}});
        assert_eq!(read(complex), Ok(vec![email("a@hr.example")]));
        assert_eq!(read(json!({"user": user})), Ok(vec![email("a@hr.example")]));
        assert_eq!(read(json!({"format": "complex", "device": {}})), Err(BadSubject::NoUser));
        let nested = json!({"format": "complex", "user": {"format": "complex", "user": user}});
        assert_eq!(read(nested), Err(BadSubject::Member("user")));
    }

    #[test]
    fn aliases_are_several_names() {
        let both = json!([{"format": "email", "email": "a@hr.example"}, {"format": "opaque", "id": "x"}]);
        let names = vec![email("a@hr.example"), Name::Opaque("x".to_owned())];
        assert_eq!(read(json!({"format": "aliases", "identifiers": both})), Ok(names));
        for bad in [json!([]), json!({}), json!(vec![json!({"format": "opaque", "id": "x"}); 9])] {
            assert_eq!(read(json!({"format": "aliases", "identifiers": bad})), Err(BadSubject::Aliases));
        }
        let nested = json!({"format": "aliases", "identifiers": [{"format": "aliases", "identifiers": []}]});
        assert_eq!(read(nested), Err(BadSubject::Format("aliases".to_owned())));
    }

    #[test]
    fn what_cannot_be_read_is_told_and_not_guessed() {
        for (bad, why) in [
            (json!({}), BadSubject::NoFormat),
            (json!({"email": "a@hr.example"}), BadSubject::NoFormat),
            (json!({"format": "Email", "email": "a@hr.example"}), BadSubject::Format("Email".to_owned())),
            (json!({"format": "email"}), BadSubject::Member("email")),
            (json!({"format": "email", "email": "nobody"}), BadSubject::Email),
            (json!({"format": "email", "email": ["a@hr.example"]}), BadSubject::Member("email")),
            (json!({"format": "iss_sub", "iss": "x", "sub": ""}), BadSubject::Member("sub")),
            (json!({"format": "account", "uri": "mailto:a@hr.example"}), BadSubject::Member("uri")),
            (json!({"format": "scim", "uri": "/Devices/1"}), BadSubject::Member("uri")),
            (json!({"format": "scim", "uri": "/Users/"}), BadSubject::Member("uri")),
        ] {
            assert_eq!(read(bad.clone()), Err(why), "{bad}");
        }
    }

    #[test]
    fn googles_subjects_stand_within_the_event() {
        let read = |value: Value| parse_within_event(value.as_object().unwrap());
        let old = json!({"subject_type": "iss-sub", "iss": "https://idp.example/", "sub": "1"});
        let new = json!({"format": "iss_sub", "iss": "https://idp.example/", "sub": "1"});
        assert_eq!(read(old), read(new));
        assert!(read(json!({"subject_type": "id_token_claims", "iss": "x"})).is_err());
    }
}
