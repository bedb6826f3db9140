//! Revocation lists that the operator keeps in a folder.
//!
//! They are checked here and not by `dirmngr`: a hook fetches nothing from where a certificate says,
//! and a list that is missing has to be told from one that clears the certificate.

use super::certificate::{Certificate, Scheme, instant};
use super::chain::Chain;
use crate::time::Time;
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use x509_cert::crl::CertificateList;
use x509_cert::ext::pkix::crl::dp::{DistributionPoint, IssuingDistributionPoint};
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};

/// Lists in one folder; a company has a few authorities, each with one list or a handful of parts.
pub const LISTS_MAX: usize = 256;

/// Bytes of all lists together: a million revocations, far more than people a company has.
pub const LISTS_BYTES_MAX: usize = 48 * 1024 * 1024;

const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");
const REASON: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");

/// Lists as they were read, not yet believed.
#[derive(Debug, Default)]
pub struct RevocationLists {
    lists: Vec<List>,
}

#[derive(Debug)]
struct List {
    tbs: Vec<u8>,
    scheme: Scheme,
    signature: Vec<u8>,
    issuer: Vec<u8>,
    issued: Time,
    next: Option<Time>,
    /// Ascending.
    revoked: Vec<Revoked>,
    part: Part,
    /// Issuers it was held against, by their DER: a long list is hashed once a push, not once a commit.
    asked: Mutex<Vec<(Vec<u8>, bool)>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Revoked {
    serial: Vec<u8>,
    on: Time,
    reason: Option<u8>,
}

/// Which certificates of its issuer a list speaks of.
#[derive(Debug)]
enum Part {
    All,
    Some(Box<IssuingDistributionPoint>),
    /// It has a critical extension that is not understood: it revokes, and clears nobody.
    Unclear,
}

/// What the lists say of a chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    /// A clause after "which": `was revoked by its authority on 2026-11-20`.
    Revoked(String),
    Unknown(String),
}

impl RevocationLists {
    /// Adds one list in DER or PEM. A list that cannot be read clears nobody, so it is only skipped:
    /// `false`.
    pub fn add(&mut self, bytes: &[u8]) -> bool {
        let list = der_of(bytes).and_then(|der| List::parse(&der));
        let read = list.is_some();
        self.lists.extend(list);
        read
    }

    /// What the lists that each issuer signed say of the certificates it issued. `max_age` counts
    /// from the issue of a list.
    pub(super) fn standing(&self, chain: &Chain<'_>, now: Time, max_age: Duration) -> Standing {
        let mut unknown = None;
        for (certificate, issuer) in chain.issued() {
            let by_issuer = self.lists.iter().filter(|list| list.is_signed_by(issuer));
            let mut cleared = false;
            let mut stale = None;
            for list in by_issuer {
                if let Some(entry) = list.entry(&certificate.serial) {
                    return Standing::Revoked(said(certificate, chain, entry));
                }
                if !list.covers(certificate) {
                    continue;
                }
                let fresh =
                    list.issued <= now && list.next.is_none_or(|next| now < next) && now.since(list.issued) <= max_age;
                cleared |= fresh;
                stale = stale.max(Some(list.issued));
            }
            if !cleared {
                let of = issuer.shown_subject();
                unknown.get_or_insert(match stale {
                    Some(issued) => format!("the revocation list of {of} is from {} and too old", issued.date()),
                    None => format!("there is no revocation list of {of}"),
                });
            }
        }
        unknown.map_or(Standing::Good, Standing::Unknown)
    }
}

fn said(certificate: &Certificate, chain: &Chain<'_>, entry: &Revoked) -> String {
    let whose = match chain.links.first() {
        Some(leaf) if leaf.der == certificate.der => String::new(),
        _ => format!("is under {}, which ", certificate.shown_subject()),
    };
    let reason = match entry.reason {
        Some(1) => ": key compromise",
        Some(2) => ": compromise of the authority",
        Some(3) => ": its holder's affiliation changed",
        Some(4) => ": superseded",
        Some(5) => ": no longer in use",
        Some(6) => ": on hold",
        Some(9) => ": privilege withdrawn",
        _ => "",
    };
    format!("{whose}was revoked by its authority on {}{reason}", entry.on.date())
}

impl List {
    fn parse(der: &[u8]) -> Option<Self> {
        let list = CertificateList::<x509_cert::certificate::Rfc5280>::from_der(der).ok()?;
        let tbs = &list.tbs_cert_list;
        if tbs.signature != list.signature_algorithm {
            return None;
        }
        let mut revoked: Vec<Revoked> = tbs
            .revoked_certificates
            .iter()
            .flatten()
            .map(|entry| {
                let reason = entry.crl_entry_extensions.iter().flatten().find(|extension| extension.extn_id == REASON);
                Revoked {
                    serial: entry.serial_number.as_bytes().to_vec(),
                    on: instant(entry.revocation_date),
                    reason: reason.and_then(|extension| extension.extn_value.as_bytes().last().copied()),
                }
            })
            .collect();
        revoked.sort();
        let mut part = Part::All;
        for extension in tbs.crl_extensions.iter().flatten() {
            if extension.extn_id == ISSUING_DISTRIBUTION_POINT {
                part = match IssuingDistributionPoint::from_der(extension.extn_value.as_bytes()) {
                    Ok(point) if !matches!(part, Part::Unclear) => Part::Some(Box::new(point)),
                    _ => Part::Unclear,
                };
            } else if extension.critical {
                part = Part::Unclear;
            }
        }
        Some(List {
            tbs: tbs.to_der().ok()?,
            scheme: Scheme::of(&list.signature_algorithm).ok()?,
            signature: list.signature.as_bytes()?.to_vec(),
            issuer: tbs.issuer.to_der().ok()?,
            issued: instant(tbs.this_update),
            next: tbs.next_update.map(instant),
            revoked,
            part,
            asked: Mutex::default(),
        })
    }

    fn is_signed_by(&self, issuer: &Certificate) -> bool {
        if self.issuer != issuer.subject || !issuer.may_sign_lists() {
            return false;
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, answer)) = asked.iter().find(|(der, _)| *der == issuer.der) {
            return *answer;
        }
        let answer = issuer.key.as_ref().is_ok_and(|key| self.scheme.verifies(key, &self.tbs, &self.signature));
        asked.push((issuer.der.clone(), answer));
        answer
    }

    fn entry(&self, serial: &[u8]) -> Option<&Revoked> {
        let at = self.revoked.binary_search_by(|entry| entry.serial.as_slice().cmp(serial)).ok()?;
        self.revoked.get(at)
    }

    /// Whether absence from this list clears the certificate.
    fn covers(&self, certificate: &Certificate) -> bool {
        let point = match &self.part {
            Part::All => return true,
            Part::Unclear => return false,
            Part::Some(point) => point,
        };
        if point.only_contains_attribute_certs || point.only_some_reasons.is_some() || point.indirect_crl {
            return false;
        }
        if certificate.is_ca() && point.only_contains_user_certs || !certificate.is_ca() && point.only_contains_ca_certs
        {
            return false;
        }
        let Some(name) = &point.distribution_point else { return true };
        let points = certificate.distribution_points.as_ref().map(|points| points.0.as_slice()).unwrap_or_default();
        points.iter().any(|point| same_place(point, name))
    }
}

/// Whether a certificate points to where a list says it belongs; every point counts, not the first.
fn same_place(point: &DistributionPoint, name: &DistributionPointName) -> bool {
    let full = |name: &DistributionPointName| -> Vec<GeneralName> {
        match name {
            DistributionPointName::FullName(names) => names.clone(),
            DistributionPointName::NameRelativeToCRLIssuer(_) => Vec::new(),
        }
    };
    let listed = full(name);
    point.reasons.is_none()
        && point.crl_issuer.is_none()
        && point.distribution_point.as_ref().is_some_and(|name| full(name).iter().any(|name| listed.contains(name)))
}

fn der_of(bytes: &[u8]) -> Option<Vec<u8>> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    if bytes.first() == Some(&0x30) {
        return Some(bytes.to_vec());
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once("-----BEGIN X509 CRL-----")?;
    let (body, _) = rest.split_once("-----END X509 CRL-----")?;
    STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()
}
