//! An event of RISC, CAEP, Shared Signals or SCIM ─► what it means here. Pure; the table is closed.
//!
//! An event that nobody here understands may be one that takes access away: it is refused, and never ignored.

use super::json::Object;
use crate::feed::scim::said_active;
use countersign_policy::text::shown;
use serde_json::Value;

const SECEVENT: &str = "https://schemas.openid.net/secevent/";
const SCIM: &str = "urn:ietf:params:scim:event:";

/// Known, and of no consequence for who may push.
const IRRELEVANT: [&str; 18] = [
    "caep/event-type/token-claims-change",
    "caep/event-type/assurance-level-change",
    "caep/event-type/device-compliance-change",
    "caep/event-type/session-established",
    "caep/event-type/session-presented",
    "caep/event-type/risk-level-change",
    "risc/event-type/account-credential-change-required",
    "risc/event-type/opt-in",
    "risc/event-type/opt-out-initiated",
    "risc/event-type/opt-out-cancelled",
    "risc/event-type/opt-out-effective",
    "risc/event-type/recovery-activated",
    "risc/event-type/recovery-information-changed",
    "risc/event-type/sessions-revoked",
    "oauth/event-type/tokens-revoked",
    "oauth/event-type/token-revoked",
    // What was asked for over SCIM, which nobody here does.
    "misc:asyncresp",
    "sig:authmethod",
];

/// Which certificate, as far as the event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    Serial(String),
    /// Every one of the person's: the event names none.
    All,
}

/// What a token says, in our terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The stream works.
    Verification {
        state: Option<String>,
    },
    /// The stream goes on, or does not.
    StreamUpdated {
        status: Status,
        reason: Option<String>,
    },
    Disabled {
        hijacked: bool,
    },
    Enabled,
    Purged,
    /// A certificate is good no longer.
    CertificateEnded {
        which: Certificate,
        compromised: bool,
    },
    /// Something that is no key here fell into other hands.
    CredentialCompromised {
        kind: String,
    },
    SessionRevoked,
    IdentifierChanged {
        new: Option<String>,
    },
    IdentifierRecycled,
    /// Something of a SCIM user changed, and the token does not say how; `active` may be among it.
    Noticed {
        active: bool,
    },
    /// For the record.
    Irrelevant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Enabled,
    Paused,
    Disabled,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Enabled => "enabled",
            Status::Paused => "paused",
            Status::Disabled => "disabled",
        }
    }
}

impl Signal {
    /// Whether it takes something from somebody. Where that cannot be done, nobody may be told that it was.
    pub fn takes_away(&self) -> bool {
        matches!(
            self,
            Signal::Disabled { .. }
                | Signal::Purged
                | Signal::CertificateEnded { .. }
                | Signal::CredentialCompromised { .. }
        )
    }

    /// Whether it is about the stream and about nobody.
    pub fn is_of_the_stream(&self) -> bool {
        matches!(self, Signal::Verification { .. } | Signal::StreamUpdated { .. })
    }
}

/// Why an event is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEvent {
    #[error(
        "the event `{}` is not understood here; where it is of no consequence, list it under `signals.ignore`",
        shown(.0, 160)
    )]
    Unknown(String),
    #[error("the event's `{0}` is missing or not as the standard has it")]
    Member(&'static str),
    #[error("the event's `data` is not understood: {0}")]
    Data(String),
}

/// What the event of this type means. `ignored` are types that the operator knows to be of no consequence.
pub fn parse(event_type: &str, event: &Object, ignored: &[String]) -> Result<Signal, BadEvent> {
    if ignored.iter().any(|known| known == event_type) {
        return Ok(Signal::Irrelevant);
    }
    let unknown = || BadEvent::Unknown(event_type.to_owned());
    if let Some(name) = event_type.strip_prefix(SECEVENT) {
        return secevent(name, event).ok_or_else(unknown)?;
    }
    // Drafts of RFC 9967 wrote `SCIM`, and URNs compare in any case there.
    let lower = event_type.to_ascii_lowercase();
    let name = lower.strip_prefix(SCIM).ok_or_else(unknown)?;
    scim(name, event).ok_or_else(unknown)?
}

fn text<'e>(event: &'e Object, name: &'static str) -> Result<Option<&'e str>, BadEvent> {
    match event.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(BadEvent::Member(name)),
    }
}

fn secevent(name: &str, event: &Object) -> Option<Result<Signal, BadEvent>> {
    Some(match name {
        "ssf/event-type/verification" | "sse/event-type/verification" | "risc/event-type/verification" => {
            text(event, "state").map(|state| Signal::Verification { state: state.map(str::to_owned) })
        }
        "ssf/event-type/stream-updated" | "sse/event-type/stream-updated" => stream_updated(event),
        "risc/event-type/account-disabled" => {
            text(event, "reason").map(|reason| Signal::Disabled { hijacked: reason == Some("hijacking") })
        }
        "risc/event-type/account-enabled" => Ok(Signal::Enabled),
        "risc/event-type/account-purged" => Ok(Signal::Purged),
        "risc/event-type/credential-compromise" => credential_compromise(event),
        "caep/event-type/credential-change" => credential_change(event),
        "caep/event-type/session-revoked" => Ok(Signal::SessionRevoked),
        "risc/event-type/identifier-changed" => {
            text(event, "new-value").map(|new| Signal::IdentifierChanged { new: new.map(str::to_owned) })
        }
        "risc/event-type/identifier-recycled" => Ok(Signal::IdentifierRecycled),
        name if IRRELEVANT.contains(&name) => Ok(Signal::Irrelevant),
        _ => return None,
    })
}

fn stream_updated(event: &Object) -> Result<Signal, BadEvent> {
    let status = match text(event, "status")? {
        Some("enabled") => Status::Enabled,
        Some("paused") => Status::Paused,
        Some("disabled") => Status::Disabled,
        _ => return Err(BadEvent::Member("status")),
    };
    Ok(Signal::StreamUpdated { status, reason: text(event, "reason")?.map(str::to_owned) })
}

fn credential_compromise(event: &Object) -> Result<Signal, BadEvent> {
    let kind = text(event, "credential_type")?.ok_or(BadEvent::Member("credential_type"))?;
    if kind != "x509" {
        return Ok(Signal::CredentialCompromised { kind: kind.to_owned() });
    }
    // RISC has no member for which one: the one that fell into other hands is among all of them.
    let which = text(event, "x509_serial")?.map_or(Certificate::All, |serial| Certificate::Serial(serial.to_owned()));
    Ok(Signal::CertificateEnded { which, compromised: true })
}

fn credential_change(event: &Object) -> Result<Signal, BadEvent> {
    let kind = text(event, "credential_type")?.ok_or(BadEvent::Member("credential_type"))?;
    let ended = match text(event, "change_type")? {
        Some("create" | "update") => false,
        Some("revoke" | "delete") => true,
        _ => return Err(BadEvent::Member("change_type")),
    };
    if kind != "x509" || !ended {
        return Ok(Signal::Irrelevant);
    }
    // Ending all of them would end the one that replaced it.
    let serial = text(event, "x509_serial")?.ok_or(BadEvent::Member("x509_serial"))?;
    Ok(Signal::CertificateEnded { which: Certificate::Serial(serial.to_owned()), compromised: false })
}

fn scim(name: &str, event: &Object) -> Option<Result<Signal, BadEvent>> {
    Some(match name {
        "prov:deactivate" => Ok(Signal::Disabled { hijacked: false }),
        "prov:activate" => Ok(Signal::Enabled),
        "prov:delete" => Ok(Signal::Purged),
        "prov:put:full" | "prov:patch:full" => full(event),
        "prov:put:notice" | "prov:patch:notice" => notice(event),
        // Who is hired is HR's to say. Who is no longer told of is neither deleted nor deactivated.
        "prov:create:full" | "prov:create:notice" | "feed:add" | "feed:remove" | "sig:pwdreset" => {
            Ok(Signal::Irrelevant)
        }
        name if IRRELEVANT.contains(&name) => Ok(Signal::Irrelevant),
        _ => return None,
    })
}

/// `data` is the resource, or the request that changed it.
fn full(event: &Object) -> Result<Signal, BadEvent> {
    let data = event.get("data").and_then(Value::as_object).ok_or(BadEvent::Member("data"))?;
    Ok(match said_active(data).map_err(BadEvent::Data)? {
        Some(false) => Signal::Disabled { hijacked: false },
        Some(true) => Signal::Enabled,
        None => Signal::Irrelevant,
    })
}

fn notice(event: &Object) -> Result<Signal, BadEvent> {
    let attributes = event.get("attributes").and_then(Value::as_array).ok_or(BadEvent::Member("attributes"))?;
    let is_active = |name: &str| name.rsplit(':').next().is_some_and(|last| last.eq_ignore_ascii_case("active"));
    Ok(Signal::Noticed { active: attributes.iter().filter_map(Value::as_str).any(is_active) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(event_type: &str, event: Value) -> Result<Signal, BadEvent> {
        parse(event_type, event.as_object().unwrap(), &[])
    }

    fn risc(name: &str, event: Value) -> Result<Signal, BadEvent> {
        read(&format!("{SECEVENT}risc/event-type/{name}"), event)
    }

    fn caep(name: &str, event: Value) -> Result<Signal, BadEvent> {
        read(&format!("{SECEVENT}caep/event-type/{name}"), event)
    }

    fn scim(name: &str, event: Value) -> Result<Signal, BadEvent> {
        read(&format!("{SCIM}{name}"), event)
    }

    #[test]
    fn accounts() {
        assert_eq!(risc("account-disabled", json!({})), Ok(Signal::Disabled { hijacked: false }));
        assert_eq!(
            risc("account-disabled", json!({"reason": "bulk-account"})),
            Ok(Signal::Disabled { hijacked: false })
        );
        assert_eq!(risc("account-disabled", json!({"reason": "hijacking"})), Ok(Signal::Disabled { hijacked: true }));
        assert_eq!(risc("account-disabled", json!({"reason": 1})), Err(BadEvent::Member("reason")));
        assert_eq!(risc("account-enabled", json!({})), Ok(Signal::Enabled));
        assert_eq!(risc("account-purged", json!({"more": 1})), Ok(Signal::Purged));
    }

    #[test]
    fn certificates() {
        let change = |change: &str, serial: Value| {
            caep("credential-change", json!({"credential_type": "x509", "change_type": change, "x509_serial": serial}))
        };
        let ended = Signal::CertificateEnded { which: Certificate::Serial("1f".to_owned()), compromised: false };
        assert_eq!(change("revoke", json!("1f")), Ok(ended.clone()));
        assert_eq!(change("delete", json!("1f")), Ok(ended));
        assert_eq!(change("create", json!("1f")), Ok(Signal::Irrelevant));
        assert_eq!(change("revoke", Value::Null), Err(BadEvent::Member("x509_serial")));
        assert_eq!(change("reset", json!("1f")), Err(BadEvent::Member("change_type")));
        let fido = json!({"credential_type": "fido2-roaming", "change_type": "revoke"});
        assert_eq!(caep("credential-change", fido), Ok(Signal::Irrelevant));
        let compromise = |kind: &str| risc("credential-compromise", json!({"credential_type": kind}));
        let all = Signal::CertificateEnded { which: Certificate::All, compromised: true };
        assert_eq!(compromise("x509"), Ok(all));
        assert_eq!(compromise("password"), Ok(Signal::CredentialCompromised { kind: "password".to_owned() }));
        assert_eq!(risc("credential-compromise", json!({})), Err(BadEvent::Member("credential_type")));
    }

    #[test]
    fn scim_users() {
        assert_eq!(scim("prov:deactivate", json!({})), Ok(Signal::Disabled { hijacked: false }));
        assert_eq!(read("urn:ietf:params:SCIM:event:prov:activate", json!({})), Ok(Signal::Enabled));
        assert_eq!(scim("prov:delete", json!({})), Ok(Signal::Purged));
        let off = Ok(Signal::Disabled { hijacked: false });
        assert_eq!(scim("prov:put:full", json!({"data": {"userName": "a", "active": "False"}})), off);
        assert_eq!(scim("prov:put:full", json!({"data": {"userName": "a"}})), Ok(Signal::Irrelevant));
        let patched = |operation: Value| scim("prov:patch:full", json!({"data": {"Operations": [operation]}}));
        assert_eq!(patched(json!({"op": "Replace", "path": "active", "value": "False"})), off);
        assert_eq!(patched(json!({"op": "replace", "value": {"active": false}})), off);
        assert_eq!(patched(json!({"op": "replace", "path": "active", "value": true})), Ok(Signal::Enabled));
        assert_eq!(patched(json!({"op": "replace", "path": "nickName", "value": "A"})), Ok(Signal::Irrelevant));
        assert!(matches!(patched(json!({"op": "replace", "path": "active", "value": "off"})), Err(BadEvent::Data(_))));
        assert_eq!(scim("prov:put:full", json!({})), Err(BadEvent::Member("data")));
        let notice = |names: Value| scim("prov:patch:notice", json!({"attributes": names}));
        assert_eq!(notice(json!(["nickName"])), Ok(Signal::Noticed { active: false }));
        assert_eq!(notice(json!(["Active"])), Ok(Signal::Noticed { active: true }));
        assert_eq!(scim("feed:remove", json!({})), Ok(Signal::Irrelevant), "neither deletion nor deactivation");
    }

    #[test]
    fn the_stream_itself() {
        let ssf = |name: &str, event: Value| read(&format!("{SECEVENT}ssf/event-type/{name}"), event);
        assert_eq!(ssf("verification", json!({})), Ok(Signal::Verification { state: None }));
        assert_eq!(ssf("verification", json!({"state": 1})), Err(BadEvent::Member("state")));
        let paused = Signal::StreamUpdated { status: Status::Paused, reason: Some("moving".to_owned()) };
        assert_eq!(ssf("stream-updated", json!({"status": "paused", "reason": "moving"})), Ok(paused));
        assert_eq!(ssf("stream-updated", json!({"status": "gone"})), Err(BadEvent::Member("status")));
    }

    #[test]
    fn what_is_unknown_is_refused_unless_the_operator_knows_it() {
        let own = "https://idp.example/event/lunch";
        for unknown in [own, "", "urn:ietf:params:scim:event:prov:explode", &format!("{SECEVENT}risc/event-type/x")] {
            assert_eq!(read(unknown, json!({})), Err(BadEvent::Unknown(unknown.to_owned())));
        }
        assert_eq!(parse(own, &Object::new(), &[own.to_owned()]), Ok(Signal::Irrelevant));
        for name in IRRELEVANT.iter().filter(|name| name.contains('/')) {
            assert_eq!(read(&format!("{SECEVENT}{name}"), json!({})), Ok(Signal::Irrelevant));
        }
    }
}
