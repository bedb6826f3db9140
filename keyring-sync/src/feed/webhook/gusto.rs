//! Gusto: `X-Gusto-Signature` is an HMAC-SHA256 over the body, by the verification token that Gusto sent first. Terminations
//! and rehirings are told twice, when they are entered and when they take effect; only the latter counts.

use super::notice::{Notice, Said, Unreadable, Word, json};
use super::proof::{Refused, Verified, header};
use super::secret::Secrets;
use aws_lc_rs::hmac::HMAC_SHA256;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_policy::time::Time;
use serde::Deserialize;

const SIGNATURE: &str = "x-gusto-signature";

/// Characters of a verification token, a UUID.
const TOKEN_CHARACTERS: usize = 36;

pub fn verify(headers: &HeaderMap, body: &[u8], secrets: &Secrets) -> Result<Verified, Refused> {
    let text = header(headers, SIGNATURE)?;
    // Its pages name the digest and not how it is written; by their lengths hex and base64 are told apart.
    let signature = hex::decode(text).ok().or_else(|| STANDARD.decode(text).ok()).ok_or(Refused::Malformed(SIGNATURE))?;
    if secrets.verify_hmac(HMAC_SHA256, &[body], &signature) { Ok(Verified::default()) } else { Err(Refused::Forged) }
}

/// The token that Gusto sends to a new subscription, unsigned. It is Gusto's only once Gusto takes it back.
pub fn offered_token(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Offer {
        verification_token: String,
    }
    let Offer { verification_token: token } = serde_json::from_slice(body).ok()?;
    let plain = token.len() == TOKEN_CHARACTERS && token.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    plain.then_some(token)
}

#[derive(Deserialize)]
struct Delivery {
    uuid: Option<String>,
    event_type: String,
    entity_type: Option<String>,
    entity_uuid: Option<String>,
    timestamp: Option<i64>,
}

pub fn read(body: &[u8]) -> Result<Notice, Unreadable> {
    let Delivery { uuid, event_type, entity_type, entity_uuid, timestamp } = json(body)?;
    let dated = timestamp.is_some();
    let word = match event_type.as_str() {
        "employee.termination_effective" | "employee.terminated_effective" | "employee.deleted" => Word::Left,
        // Whoever was let in again was not to be.
        "employee.rehire_cancelled" => Word::Left,
        "employee.termination_cancelled" => Word::Cancelled,
        "employee.rehire_effective" => Word::CameBack,
        // Announced; said again on the day.
        "employee.terminated" | "employee.rehired" => return Notice::new(uuid, dated, Vec::new()),
        "employee.created"
        | "employee.updated"
        | "employee.onboarded"
        | "employee.marked_for_self_onboarding"
        | "employee.self_onboarding_completed"
        | "employee.invited_to_partner_portal" => return Notice::new(uuid, dated, Vec::new()),
        other if other.starts_with("employee.") && entity_type.as_deref().is_none_or(|it| it == "Employee") => {
            return Err(Unreadable::Unknown { name: event_type, sender: "Gusto" });
        }
        // Of companies, payrolls and what employees own.
        _ => return Notice::new(uuid, dated, Vec::new()),
    };
    let employee = entity_uuid.ok_or_else(|| Unreadable::Malformed("`entity_uuid` is missing".to_owned()))?;
    let said = Said { employee, word, said: event_type, at: timestamp.map(Time::from_unix_seconds) };
    Notice::new(uuid, dated, vec![said])
}

#[cfg(test)]
mod tests {
    use super::super::config::Kind;
    use super::super::proof::tests::{headers, secrets};
    use super::*;

    const TOKEN: &str = "6590f590-3dba-495e-9bea-c361e1e2efc0";

    /// Made with `printf '%s' '{}' | openssl dgst -sha256 -hmac 6590f590-3dba-495e-9bea-c361e1e2efc0`, in hex and base64.
    const MADE: [&str; 2] = ["6b85bad1815796e3b64cfe7acfbc4e2aafc3c101de4b47c114254c69794cc57e", "a4W60YFXluO2TP56z7xOKq/DwQHeS0fBFCVMaXlMxX4="];

    #[test]
    fn the_body_is_signed_with_the_verification_token() {
        let check = |signature: &str, body: &[u8]| {
            verify(&headers(&[(SIGNATURE, signature)]), body, &secrets(Kind::Gusto, &[TOKEN]))
        };
        for made in MADE {
            assert_eq!(check(made, b"{}"), Ok(Verified::default()), "{made}");
            assert_eq!(check(made, b"{ }"), Err(Refused::Forged));
        }
        assert_eq!(check("", b"{}"), Err(Refused::Forged));
        assert_eq!(check("-", b"{}"), Err(Refused::Malformed(SIGNATURE)));
    }

    #[test]
    fn an_offered_token_is_a_token_and_nothing_else() {
        let offer = |token: &str| offered_token(format!(r#"{{"verification_token":"{token}"}}"#).as_bytes());
        assert_eq!(offer(TOKEN).as_deref(), Some(TOKEN));
        for bad in ["", "6590f590", &format!("{TOKEN}0"), "6590f590-3dba-495e-9bea-c361e1e2efg0", "../../../../../../../../../../etc/pass"] {
            assert_eq!(offer(bad), None, "{bad}");
        }
        assert_eq!(offered_token(br#"{"verification_token":"6590f590-3dba-495e-9bea-c361e1e2efc0","uuid":"x"}"#), None);
    }

    fn said(kind: &str) -> Result<Vec<Word>, Unreadable> {
        let body = format!(
            r#"{{"uuid":"03ffbf0c-48a9-4f1c-932a-546413a26ad1","event_type":"{kind}","resource_type":"Company",
                "resource_uuid":"5df911a0-e8e9-412d-8aaf-a46ad193dd96","entity_type":"Employee",
                "entity_uuid":"bcfc9744-0ab3-4ef3-ab0d-e728255d659c","timestamp":1671058841}}"#
        );
        let notice = read(body.as_bytes())?;
        assert_eq!(notice.id.as_deref(), Some("03ffbf0c-48a9-4f1c-932a-546413a26ad1"));
        Ok(notice.said.into_iter().map(|said| said.word).collect())
    }

    #[test]
    fn what_takes_effect_counts_and_what_is_announced_does_not() {
        assert_eq!(said("employee.terminated"), Ok(vec![]));
        assert_eq!(said("employee.termination_effective"), Ok(vec![Word::Left]));
        assert_eq!(said("employee.terminated_effective"), Ok(vec![Word::Left]), "as another of its pages spells it");
        assert_eq!(said("employee.termination_cancelled"), Ok(vec![Word::Cancelled]));
        assert_eq!(said("employee.rehire_effective"), Ok(vec![Word::CameBack]));
        assert_eq!(said("payroll.paid"), Ok(vec![]));
        assert!(said("employee.suspended").unwrap_err().to_string().contains("no event of Gusto"));
    }
}
