//! Name constraints: an authority that may only issue for some names.

use super::certificate::Certificate;
use der::Encode;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::{Name, RelativeDistinguishedName};

/// What a name is called by; constraints bind names of their own kind alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mail,
    Directory,
    /// Kinds that no decision here rests on; a constraint on them is not understood.
    Other(u8),
}

fn kind(name: &GeneralName) -> Kind {
    match name {
        GeneralName::Rfc822Name(_) => Kind::Mail,
        GeneralName::DirectoryName(_) => Kind::Directory,
        GeneralName::OtherName(_) => Kind::Other(0),
        GeneralName::DnsName(_) => Kind::Other(2),
        GeneralName::EdiPartyName(_) => Kind::Other(5),
        GeneralName::UniformResourceIdentifier(_) => Kind::Other(6),
        GeneralName::IpAddress(_) => Kind::Other(7),
        GeneralName::RegisteredId(_) => Kind::Other(8),
    }
}

/// What `issuer` forbids of the certificates below it, leaf first.
pub(super) fn violated(issuer: &Certificate, below: &[&Certificate]) -> Option<String> {
    let constraints = issuer.constraints.as_ref()?;
    let permitted = constraints.permitted_subtrees.as_deref().unwrap_or_default();
    let excluded = constraints.excluded_subtrees.as_deref().unwrap_or_default();
    let broken = below.iter().enumerate().any(|(depth, certificate)| {
        // RFC 5280, section 6.1.3: self-issued certificates are exempt, the leaf is not.
        (depth == 0 || !certificate.is_self_issued()) && !allows(permitted, excluded, certificate)
    });
    broken.then(|| format!("its authority {} may not issue for such a name", issuer.shown_subject()))
}

fn allows(permitted: &[GeneralSubtree], excluded: &[GeneralSubtree], certificate: &Certificate) -> bool {
    let all = || permitted.iter().chain(excluded);
    if all().any(|tree| tree.minimum != 0 || tree.maximum.is_some()) {
        return false;
    }
    let mails = || certificate.emails().map(str::to_owned).chain(certificate.subject_emails());
    let has = |tree: &GeneralSubtree| certificate.alternative_names.iter().any(|name| kind(name) == kind(&tree.base));
    if all().any(|tree| matches!(kind(&tree.base), Kind::Other(_)) && has(tree)) {
        return false;
    }
    let mail_bases = |trees: &[GeneralSubtree]| -> Vec<String> {
        let base = |tree: &GeneralSubtree| match &tree.base {
            GeneralName::Rfc822Name(base) => Some(base.as_str().to_owned()),
            _ => None,
        };
        trees.iter().filter_map(base).collect()
    };
    let (may, must_not) = (mail_bases(permitted), mail_bases(excluded));
    let mail_allowed = mails().all(|mail| {
        (may.is_empty() || may.iter().any(|base| mail_within(&mail, base)))
            && !must_not.iter().any(|base| mail_within(&mail, base))
    });
    let directory_bases = |trees: &[GeneralSubtree]| -> Vec<Name> {
        let base = |tree: &GeneralSubtree| match &tree.base {
            GeneralName::DirectoryName(base) => Some(base.clone()),
            _ => None,
        };
        trees.iter().filter_map(base).collect()
    };
    let (may, must_not) = (directory_bases(permitted), directory_bases(excluded));
    let directories = certificate.alternative_names.iter().filter_map(|name| match name {
        GeneralName::DirectoryName(name) => Some(name),
        _ => None,
    });
    let subject = Some(&certificate.subject_name).filter(|name| !name.is_empty());
    let directory_allowed = subject.into_iter().chain(directories).all(|name| {
        (may.is_empty() || may.iter().any(|base| directory_within(name, base)))
            && !must_not.iter().any(|base| directory_within(name, base))
    });
    mail_allowed && directory_allowed
}

/// RFC 5280, section 4.2.1.10: an address, a host, or with a dot in front all hosts of a domain.
fn mail_within(mail: &str, base: &str) -> bool {
    let Some((_, host)) = mail.rsplit_once('@') else { return false };
    if base.contains('@') {
        mail.eq_ignore_ascii_case(base)
    } else if base.starts_with('.') {
        host.len() > base.len() && host.to_ascii_lowercase().ends_with(&base.to_ascii_lowercase())
    } else {
        host.eq_ignore_ascii_case(base)
    }
}

fn directory_within(name: &Name, base: &Name) -> bool {
    let (mut parts, wanted) = (name.iter_rdn(), base.iter_rdn());
    wanted.into_iter().all(|wanted| parts.next().is_some_and(|part| same_rdn(part, wanted)))
}

/// Without regard to case, to white space around and to the kind of string: so an exclusion is not
/// evaded by another spelling.
fn same_rdn(a: &RelativeDistinguishedName, b: &RelativeDistinguishedName) -> bool {
    let folded = |rdn: &RelativeDistinguishedName| -> Vec<(String, Vec<u8>)> {
        rdn.iter()
            .map(|pair| {
                let text = std::str::from_utf8(pair.value.value())
                    .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase().into_bytes());
                let value = text.or_else(|_| pair.value.to_der()).unwrap_or_default();
                (pair.oid.to_string(), value)
            })
            .collect()
    };
    let (mut a, mut b) = (folded(a), folded(b));
    a.sort();
    b.sort();
    a == b
}
