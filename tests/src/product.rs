//! Countersign as an operator sets it up beside a server: `init`, `install`, and the two programs.

use crate::process::{Outcome, must, run};
use crate::servers::{Repository, Server};
use crate::unix_user::UnixUser;
use serde_yaml::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An installation. `keyring-sync` runs as the user of the tests, `countersign` as the server's.
#[derive(Clone, Debug)]
pub struct Product {
    programs: PathBuf,
    root: PathBuf,
    user: UnixUser,
    home: PathBuf,
}

const PROGRAMS: [&str; 3] = ["countersign", "keyring-sync", "countersign-x509"];

/// Where cargo put the programs of this build.
pub fn bin_folder() -> PathBuf {
    let executable = std::env::current_exe().expect("the running test");
    let folder = executable.parent().expect("a folder");
    if folder.ends_with("deps") { folder.parent().expect("the profile's folder").to_owned() } else { folder.to_owned() }
}

impl Product {
    /// `countersign init` in `folder`, with the ledger in the hands of the server's user.
    pub fn init(folder: &Path, server: &dyn Server) -> Product {
        let product = Product {
            programs: folder.join("bin"),
            root: folder.join("root"),
            user: server.unix_user().clone(),
            home: server.home().to_owned(),
        };
        // The build may lie where the server's user cannot go.
        std::fs::create_dir_all(&product.programs).expect("a folder for the programs");
        let built = std::env::var_os("COUNTERSIGN_BIN_DIR").map_or_else(bin_folder, PathBuf::from);
        for name in PROGRAMS {
            let (from, to) = (built.join(name), product.programs.join(name));
            let linked = std::fs::hard_link(&from, &to).or_else(|_| std::fs::copy(&from, &to).map(drop));
            linked.unwrap_or_else(|error| panic!("{}: {error}; `cargo build` makes it", from.display()));
        }
        let mut init = Command::new(product.programs.join("countersign"));
        must(init.arg("init").arg("--root").arg(&product.root).arg("--git-user").arg(&product.user.name));
        product
    }

    /// `countersign install` on a repository, and what its server needs besides.
    pub fn install(&self, server: &mut dyn Server, repository: &Repository) {
        let path = repository.path.to_string_lossy();
        let installed = self.countersign(&["install", "--repo", &path, "--forge", server.forge()], b"");
        assert!(installed.succeeded(), "countersign install: {}{}", installed.stdout, installed.stderr);
        server.hook_installed(repository);
    }

    /// As the server's user, since that one owns the ledger.
    pub fn countersign(&self, args: &[impl AsRef<OsStr>], input: &[u8]) -> Outcome {
        let mut program = self.user.command(self.programs.join("countersign"), &self.home);
        run(program.args(args).arg("--config").arg(self.policy()), input)
    }

    pub fn keyring_sync(&self, args: &[impl AsRef<OsStr>], input: &[u8]) -> Outcome {
        let mut program = Command::new(self.programs.join("keyring-sync"));
        run(program.args(args).arg("--config").arg(self.root.join("keyring-sync.yaml")), input)
    }

    /// Where `init` put everything.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    fn policy(&self) -> PathBuf {
        self.root.join("policy.yaml")
    }

    /// Lays `patch` over policy.yaml: maps are merged, null removes, all else replaces.
    pub fn patch_policy(&self, patch: &Value) {
        let text = std::fs::read_to_string(self.policy()).expect("policy.yaml");
        let mut policy = serde_yaml::from_str(&text).expect("policy.yaml is YAML");
        merge(&mut policy, patch);
        std::fs::write(self.policy(), serde_yaml::to_string(&policy).expect("YAML")).expect("policy.yaml");
    }
}

fn merge(value: &mut Value, patch: &Value) {
    let Value::Mapping(fields) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_mapping() {
        *value = Value::Mapping(serde_yaml::Mapping::new());
    }
    let Value::Mapping(target) = value else { return };
    for (name, field) in fields {
        if field.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_patch_merges_maps_replaces_the_rest_and_removes_by_null() {
        let mut policy: Value = serde_yaml::from_str("{mode: enforce, tags: {signed: true, move: [nightly]}}").unwrap();
        merge(&mut policy, &serde_yaml::from_str("{mode: null, tags: {move: []}, new: {a: 1}}").unwrap());
        let wanted: Value = serde_yaml::from_str("{tags: {signed: true, move: []}, new: {a: 1}}").unwrap();
        assert_eq!(policy, wanted);
    }
}
