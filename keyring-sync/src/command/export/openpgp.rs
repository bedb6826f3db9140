//! `keyring-sync export gnupg` and `export wkd`

use super::super::{Context, now};
use crate::export::{openpgp as select, wkd};
use crate::report::{Failure, Report, count};
use clap::ValueEnum;
use countersign_policy::keyring::{Key, Material, Person};
use countersign_policy::signature::openpgp;
use countersign_policy::time::Time;
use countersign_registry::Tables;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(in crate::command) struct Gnupg {
    /// Where to
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(in crate::command) struct Wkd {
    /// The root that a web server serves; what is below `.well-known/openpgpkey` there is this command's own
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Whose addresses: `x.example`
    #[arg(long)]
    domain: String,
    /// `advanced` for the host openpgpkey.DOMAIN, `direct` for DOMAIN itself
    #[arg(long, value_enum, default_value_t = Layout::Advanced)]
    layout: Layout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Layout {
    Advanced,
    Direct,
}

pub(super) fn gnupg(context: &Context, args: &Gnupg) -> Result<Report, Failure> {
    let registry = context.registry()?;
    let (tables, now) = (registry.tables(), now());
    let (mut bytes, mut number, mut revoked) = (Vec::new(), 0, 0);
    for person in &tables.persons()? {
        for key in exported(person, now) {
            bytes.extend(source(&tables, key)?);
            number += 1;
            revoked += usize::from(select::is_revoked(key));
        }
    }
    let new = super::put(&args.output, &bytes)?;
    let path = args.output.display();
    let text = format!("{} {path}: {}, {revoked} of them revoked", super::wrote(new), count(number, "certificate"));
    Ok(Report { text, json: json!({"certificates": number, "revoked": revoked, "changed": new}), ..Report::default() })
}

pub(super) fn wkd(context: &Context, args: &Wkd) -> Result<Report, Failure> {
    if !wkd::is_domain(&args.domain) {
        return Err(Failure::Usage("--domain is no domain in lower case, such as x.example".to_owned()));
    }
    let layout = match args.layout {
        Layout::Advanced => wkd::Layout::Advanced,
        Layout::Direct => wkd::Layout::Direct,
    };
    let registry = context.registry()?;
    let files = directory(&registry.tables(), &args.domain, now())?;
    let folder = args.output.join(wkd::folder(layout, &args.domain));
    let hu = folder.join("hu");
    std::fs::create_dir_all(&hu).map_err(Failure::file(&hu))?;
    // An empty file says that this is a directory and asks for nothing special.
    let mut changed = super::put(&folder.join("policy"), b"")?;
    for (name, bytes) in &files {
        changed |= super::put(&hu.join(name), bytes)?;
    }
    changed |= remove_others(&hu, &files.keys().map(String::as_str).collect())?;
    let what = super::wrote(changed);
    let text = format!("{what} {}: {}", folder.display(), count_addresses(files.len()));
    Ok(Report { text, json: json!({"addresses": files.len(), "changed": changed}), ..Report::default() })
}

fn count_addresses(number: usize) -> String {
    if number == 1 { "1 address".to_owned() } else { format!("{number} addresses") }
}

/// The content of each file of `hu`. An address that somebody holds, or held when their key was revoked, is served with
/// the certificates that name it, without their other addresses.
fn directory(tables: &Tables<'_>, domain: &str, now: Time) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for person in &tables.persons()? {
        for key in exported(person, now) {
            let revoked = select::is_revoked(key);
            let theirs = person.emails.iter().filter(|held| revoked || held.span.contains(now));
            let addresses: BTreeSet<_> = theirs.map(|held| &held.value).collect();
            let certificate = source(tables, key)?;
            for email in addresses {
                let Some(name) = wkd::name(email, domain) else { continue };
                let part = openpgp::with_address(&certificate, email)
                    .map_err(|refusal| Failure::Fault(format!("key {}: {refusal}", key.fingerprint)))?;
                if let Some(part) = part {
                    files.entry(name).or_default().extend(part);
                }
            }
        }
    }
    Ok(files)
}

/// Who is no longer served; files of other names are not ours.
fn remove_others(folder: &Path, names: &BTreeSet<&str>) -> Result<bool, Failure> {
    let mut removed = false;
    for entry in std::fs::read_dir(folder).map_err(Failure::file(folder))? {
        let entry = entry.map_err(Failure::file(folder))?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| wkd::is_name(name) && !names.contains(name)) {
            std::fs::remove_file(entry.path()).map_err(Failure::file(&entry.path()))?;
            removed = true;
        }
    }
    if removed {
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(Failure::file(folder))?;
    }
    Ok(removed)
}

fn exported(person: &Person, now: Time) -> impl Iterator<Item = &Key> {
    let openpgp = person.keys.iter().filter(|key| matches!(key.material, Material::OpenPgp(_)));
    openpgp.filter(move |key| select::is_exported(person, key, now))
}

fn source(tables: &Tables<'_>, key: &Key) -> Result<Vec<u8>, Failure> {
    let row = tables.key(&key.fingerprint)?;
    Ok(row.ok_or_else(|| Failure::Fault(format!("key {} is missing", key.fingerprint)))?.source)
}
