//! A second installation whose policy asks for more: PIN or finger at security keys, revocation lists for X.509
//! certificates. In return the names in such a certificate speak for its registration.

use crate::bench::{Bench, Lab};
use std::path::PathBuf;
use std::sync::OnceLock;

#[derive(Default)]
pub struct Strict(OnceLock<Lab>);

impl Strict {
    pub fn lab(&self) -> &Lab {
        self.0.get_or_init(|| {
            let lab = Lab::new();
            let folder = lab.root().join("crls");
            std::fs::create_dir(&folder).expect("a folder for revocation lists");
            let path = lab.root().join("policy.yaml");
            let text = std::fs::read_to_string(&path).expect("policy.yaml");
            let mut policy: serde_yaml::Mapping = serde_yaml::from_str(&text).expect("a mapping");
            let more = format!(
                "{{signatures: {{sk_require_user_verification: true}}, x509: {{identity: san, crls: {}, crl_max_age: 9000d}}}}",
                folder.display()
            );
            policy.extend(serde_yaml::from_str::<serde_yaml::Mapping>(&more).expect("a mapping"));
            std::fs::write(&path, serde_yaml::to_string(&policy).expect("YAML")).expect("policy.yaml");
            lab
        })
    }

    /// The place of a vector in this installation.
    pub fn bench<'a>(&'a self, name: &'a str) -> Bench<'a> {
        Bench::new(self.lab(), name)
    }

    /// Where its revocation lists are.
    pub fn lists(&self) -> PathBuf {
        self.lab().root().join("crls")
    }
}
