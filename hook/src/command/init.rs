//! `countersign init --root DIR`: policy, registry, published keyring and ledger that work as they are.

use super::{CommandError, Done, printed};
use crate::cli::OutputFormat;
use crate::ledger::Ledger;
use crate::site::Site;
use countersign_policy::config::Policy;
use countersign_policy::time::Time;
use countersign_registry::Registry;
use serde_json::json;
use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const POLICY: &str = include_str!("../../../deploy/policy.yaml");
const KEYRING_SYNC: &str = include_str!("../../../deploy/keyring-sync.yaml");

pub fn run(root: &Path, git_user: Option<&str>, format: OutputFormat) -> Result<Done, CommandError> {
    let could = |what: &str| {
        let what = format!("{}: {what}", root.display());
        move |error: &dyn std::fmt::Display| CommandError::Could(format!("{what}: {error}"))
    };
    std::fs::create_dir_all(root).map_err(|error| could("cannot be made")(&error))?;
    let root = root.canonicalize().map_err(|error| could("cannot be reached")(&error))?;
    Policy::parse(POLICY.as_bytes()).map_err(|error| could("the default policy is wrong")(&error))?;
    let mut made = Vec::new();
    let user = git_user.map(ids_of).transpose()?;
    let policy = match user {
        // Whoever may write a folder may replace what lies in it: only the ledger is the git user's.
        Some(_) => POLICY
            .replace("ledger: ledger.db ", "ledger: ledger/ledger.db ")
            .replace("log: countersign.log ", "log: ledger/countersign.log "),
        None => POLICY.to_owned(),
    };
    for (name, text) in [("policy.yaml", policy.as_str()), ("keyring-sync.yaml", KEYRING_SYNC)] {
        if write_new(&root.join(name), text).map_err(|error| could(name)(&error))? {
            made.push(name);
        }
    }
    if user.is_some() {
        // Whatever the umask: the git user reads the policy and the keyring.
        let readable = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode));
        readable(&root, 0o755).map_err(|error| could("cannot be opened to the git user")(&error))?;
        readable(&root.join("policy.yaml"), 0o644).map_err(|error| could("policy.yaml")(&error))?;
    }
    let registry = root.join("registry.db");
    if !registry.exists() {
        let now = Time::from_system(std::time::SystemTime::now());
        Registry::create(&registry, &root.join("keyring"), now).map_err(|error| could("registry.db")(&error))?;
        made.push("registry.db");
        made.push("keyring/");
    }
    // Where the policy that is there says: it may have been written by an earlier call with other options.
    let site = Site::read(&root.join("policy.yaml"))?;
    let ledger = site.ledger_path();
    let name = ledger.strip_prefix(&root).unwrap_or(&ledger).to_string_lossy().into_owned();
    if ledger.exists() {
        if let Some((uid, _)) = user
            && std::fs::metadata(&ledger).map_err(|error| could(&name)(&error))?.uid() != uid
        {
            return Err(CommandError::No(format!(
                "{} is there already and belongs to another user: stop all pushes and change its owner by hand, with \
                 the files beside it",
                ledger.display()
            )));
        }
    } else {
        let folder = ledger.parent().unwrap_or(&root);
        if user.is_some() && folder == root {
            return Err(CommandError::No(format!(
                "the policy that is there keeps its ledger in {}, where only one user may write: say \
                 `ledger: ledger/ledger.db` in it first",
                root.display()
            )));
        }
        std::fs::create_dir_all(folder).map_err(|error| could(&name)(&error))?;
        Ledger::create(&ledger).map_err(|error| could(&name)(&error))?;
        if let Some((uid, gid)) = user {
            hand_over(folder, uid, gid).map_err(|error| could(&name)(&error))?;
        }
        made.push(&name);
    }
    let at = root.display();
    let facts = json!({ "schema_version": 1, "root": at.to_string(), "made": made });
    Ok(Done::ok(printed(format, &facts, || {
        if made.is_empty() {
            return format!("{at} holds a policy, a registry and a ledger already; nothing was changed\n");
        }
        format!(
            "made {} in {at}\n\nnext:\n  \
             keyring-sync --config {at}/keyring-sync.yaml person add ID --name NAME --email ADDR\n  \
             keyring-sync --config {at}/keyring-sync.yaml key add ID --ssh FILE.pub\n  \
             countersign --config {at}/policy.yaml install --repo PATH\n",
            made.join(", ")
        )
    })?))
}

/// The numbers of a Unix user, wherever the machine keeps its users.
fn ids_of(user: &str) -> Result<(u32, u32), CommandError> {
    let number = |option: &str| {
        let output = std::process::Command::new("id").args([option, "--", user]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    number("-u").zip(number("-g")).ok_or_else(|| CommandError::Usage(format!("there is no Unix user `{user}`")))
}

fn hand_over(folder: &Path, uid: u32, gid: u32) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        std::os::unix::fs::chown(entry?.path(), Some(uid), Some(gid))?;
    }
    std::os::unix::fs::chown(folder, Some(uid), Some(gid))
}

/// Whether the file was made; one that is there is left alone.
fn write_new(path: &Path, text: &str) -> std::io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).mode(0o644).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
