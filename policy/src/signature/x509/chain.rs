//! From a certificate to a registered root.

use super::certificate::Certificate;
use super::names;
use crate::keyring::Authority;
use crate::time::Time;

/// Certificates from leaf to root. Public hierarchies have three or four; six leave room.
const LINKS_MAX: usize = 6;

/// Public-key operations spent on one search: certificates that sign each other in many ways would
/// otherwise cost a factorial of them.
const CHECKS_MAX: usize = 24;

/// An authority with its certificate parsed.
#[derive(Debug)]
pub(super) struct Root<'a> {
    pub(super) authority: &'a Authority,
    pub(super) certificate: Certificate,
}

impl Root<'_> {
    fn in_good_standing(&self, now: Time) -> bool {
        let marked = self.authority.retired.is_some_and(|mark| mark.at <= now)
            || self.authority.compromised.is_some_and(|mark| mark.from <= now);
        !marked && self.certificate.validity.contains(now)
    }
}

/// Certificates that issued one another, all rules kept.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    /// Leaf first, without the root.
    pub(super) links: Vec<&'a Certificate>,
    pub(super) root: &'a Root<'a>,
}

impl<'a> Chain<'a> {
    /// Each certificate below the root with the one that issued it.
    pub(super) fn issued(&self) -> impl Iterator<Item = (&'a Certificate, &'a Certificate)> {
        let issuers = self.links.iter().skip(1).copied().chain([&self.root.certificate]);
        self.links.iter().copied().zip(issuers)
    }

    /// The first instant at which one more certificate counts as expired.
    pub(super) fn next_end(&self, now: Time) -> Option<Time> {
        let all = self.links.iter().copied().chain([&self.root.certificate]);
        let ends = all.map(Certificate::not_after).filter(|end| *end >= now);
        ends.min().map(|end| end.plus(std::time::Duration::from_millis(1)))
    }

    /// The certificates that have expired by `now`, root included.
    pub(super) fn expired(&self, now: Time) -> impl Iterator<Item = &'a Certificate> {
        let all = self.links.iter().copied().chain([&self.root.certificate]);
        all.filter(move |certificate| certificate.not_after() < now)
    }
}

/// Searches a chain from `leaf` over `others` to one of `roots`.
///
/// A chain that is good today is taken before one with an expired link or a root that the registry
/// has marked; what was found wrong with every way is the error, for people.
pub(super) fn find<'a>(
    leaf: &'a Certificate,
    others: &'a [Certificate],
    roots: &'a [Root<'a>],
    now: Time,
) -> Result<Chain<'a>, String> {
    let mut reason = None;
    for today in [true, false] {
        let mut search = Search { others, roots, now, today, checks: 0, links: vec![leaf], reason: None };
        if let Some(root) = search.step() {
            return Ok(Chain { links: search.links, root });
        }
        reason = search.reason.or(reason);
    }
    Err(reason.unwrap_or_else(|| "no registered root stands above its certificate".to_owned()))
}

struct Search<'a> {
    others: &'a [Certificate],
    roots: &'a [Root<'a>],
    now: Time,
    /// Only what is in force today.
    today: bool,
    checks: usize,
    links: Vec<&'a Certificate>,
    reason: Option<String>,
}

impl<'a> Search<'a> {
    fn step(&mut self) -> Option<&'a Root<'a>> {
        let last = *self.links.last()?;
        for root in self.roots {
            let stands = match self.today {
                true => root.in_good_standing(self.now),
                false => root.certificate.validity.from <= self.now,
            };
            if stands && self.may_issue(&root.certificate, last) {
                return Some(root);
            }
        }
        if self.links.len() + 1 >= LINKS_MAX {
            return None;
        }
        for issuer in self.others {
            let again = self.links.iter().any(|link| link.subject == issuer.subject && link.key == issuer.key);
            let in_force = issuer.validity.contains(self.now) || !self.today && issuer.validity.from <= self.now;
            if !again && in_force && self.may_issue(issuer, last) {
                self.links.push(issuer);
                if let Some(root) = self.step() {
                    return Some(root);
                }
                self.links.pop();
            }
        }
        None
    }

    /// Whether `issuer` signed `last` and was allowed to, given everything below.
    fn may_issue(&mut self, issuer: &Certificate, last: &Certificate) -> bool {
        if last.issuer != issuer.subject {
            return false;
        }
        let problem = issuer
            .issuer_problem()
            .or_else(|| issuer.key.as_ref().err().cloned())
            .map(|problem| format!("its authority {} {problem}", issuer.shown_subject()))
            .or_else(|| {
                let weak = last.scheme_problem()?;
                Some(format!("the certificate {} is signed with {weak}", last.shown_subject()))
            })
            .or_else(|| self.too_long(issuer))
            .or_else(|| names::violated(issuer, &self.links));
        if let Some(problem) = problem {
            self.reason = Some(problem);
            return false;
        }
        self.checks += 1;
        if self.checks > CHECKS_MAX {
            self.reason = Some("its certificates are too entangled to find a way to a root".to_owned());
            return false;
        }
        last.is_signed_by(issuer)
    }

    /// Certificates that an authority issued to itself do not count (RFC 5280, section 4.2.1.9).
    fn too_long(&self, issuer: &Certificate) -> Option<String> {
        let between = self.links.iter().skip(1).filter(|link| !link.is_self_issued()).count();
        let over = issuer.path_len().is_some_and(|most| between > usize::from(most));
        over.then(|| format!("its authority {} may not stand so high: path length", issuer.shown_subject()))
    }
}
