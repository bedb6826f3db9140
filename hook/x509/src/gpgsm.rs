//! gpgsm by gpgme, and what its words mean.

use crate::Failure;
use crate::home::Home;
use countersign_policy::signature::x509::wire::Start;
use countersign_policy::signature::x509::{CmsAnswer, Opinion};
use gpgme::{Context, Protocol, Signature, SignatureSummary};

/// A `gpgsm --server` that lives from question to question.
pub struct Gpgsm<'a> {
    home: &'a Home,
    context: Context,
}

impl<'a> Gpgsm<'a> {
    pub fn open(home: &'a Home, start: &Start) -> Result<Self, Failure> {
        let mut context = connect(home)?;
        for (at, root) in start.roots.iter().enumerate() {
            let taken = context.import(root.0.as_slice())?;
            if taken.considered() != 1 || taken.imported() + taken.unchanged() != 1 {
                return Err(Failure::Roots(start.roots.len() - at, start.roots.len()));
            }
        }
        Ok(Gpgsm { home, context })
    }

    /// An error is one of gpgsm itself. What is wrong with a signature is an answer, and so is a
    /// message that gpgsm cannot read: we could.
    pub fn check(&mut self, payload: &[u8], signature: &[u8]) -> Result<CmsAnswer, gpgme::Error> {
        let mut answer = self.ask(payload, signature);
        if answer.is_err() {
            // A gpgsm that failed keeps the files of that question, and refuses the next one for it.
            self.context = connect(self.home)?;
            if !answer.as_ref().is_err_and(speaks_of_the_message) {
                answer = self.ask(payload, signature);
            }
        }
        match answer {
            Err(error) if speaks_of_the_message(&error) => Ok(refused(error.to_string())),
            answer => answer,
        }
    }

    fn ask(&mut self, payload: &[u8], signature: &[u8]) -> Result<CmsAnswer, gpgme::Error> {
        let result = self.context.verify_detached(signature, payload)?;
        let all: Vec<Signature<'_>> = result.signatures().collect();
        // `verify_detached` is content with none, and two are one too many.
        match all.as_slice() {
            [one] => opinion(one),
            none_or_more => Ok(refused(format!("{} signatures", none_or_more.len()))),
        }
    }
}

fn connect(home: &Home) -> Result<Context, gpgme::Error> {
    let mut context = Context::from_protocol(Protocol::Cms)?;
    // Not `set_engine_home_dir`: in gpgme 0.11 it keeps the path of the first engine, which is gpg.
    context.set_engine_info(None::<&str>, Some(home.path().as_os_str().as_encoded_bytes()))?;
    context.set_offline(true);
    Ok(context)
}

fn refused(reason: String) -> CmsAnswer {
    CmsAnswer { opinion: Opinion::Refused(reason), signer_sha1: String::new() }
}

/// All that the parser says, and gpgsm's own words for content where none belongs.
fn speaks_of_the_message(error: &gpgme::Error) -> bool {
    let own = [gpgme::Error::BAD_DATA, gpgme::Error::CONFLICT, gpgme::Error::NO_DATA, gpgme::Error::INV_VALUE];
    error.raw_source() == Some(b"KSBA") || own.iter().any(|known| known.code() == error.code())
}

/// Why gpgsm holds a certificate or its chain for invalid.
fn speaks_of_the_certificate(reason: &gpgme::Error) -> bool {
    use gpgme::Error;
    let known = [
        Error::BAD_CA_CERT,
        Error::BAD_CERT,
        Error::BAD_CERT_CHAIN,
        Error::BAD_SIGNATURE,
        Error::CERT_EXPIRED,
        Error::CERT_REVOKED,
        Error::CERT_TOO_YOUNG,
        Error::INV_CERT_OBJ,
        Error::MISSING_CERT,
        Error::MISSING_ISSUER_CERT,
        Error::NO_POLICY_MATCH,
        Error::NOT_TRUSTED,
        Error::PUBKEY_ALGO,
        Error::UNSUPPORTED_ALGORITHM,
        Error::UNSUPPORTED_CERT,
        Error::WRONG_KEY_USAGE,
    ];
    known.iter().any(|known| known.code() == reason.code())
}

/// Only VALID and GREEN together, and nothing beside them, is good: gpgme leaves the status of a
/// leaf that acts as an authority at "success" and says RED here alone.
///
/// A reason that is not the certificate's, such as an agent that does not answer, is an error of gpgsm itself.
fn opinion(signature: &Signature<'_>) -> Result<CmsAnswer, gpgme::Error> {
    let reason = signature.nonvalidity_reason();
    if let Some(reason) = reason.filter(|reason| !speaks_of_the_certificate(reason)) {
        return Err(reason);
    }
    let summary = signature.summary();
    let plain = SignatureSummary::VALID | SignatureSummary::GREEN;
    let opinion = if summary.contains(SignatureSummary::VALID) && plain.contains(summary) && signature.status().is_ok()
    {
        Opinion::Good
    } else if summary.contains(SignatureSummary::KEY_EXPIRED)
        && (plain | SignatureSummary::KEY_EXPIRED).contains(summary)
    {
        Opinion::Expired
    } else {
        let words = [signature.status().err(), reason].into_iter().flatten().map(|error| error.to_string());
        let words: Vec<String> = std::iter::once(format!("{summary:?}")).chain(words).collect();
        Opinion::Refused(words.join(", "))
    };
    Ok(CmsAnswer { opinion, signer_sha1: signature.fingerprint().unwrap_or_default().to_owned() })
}
