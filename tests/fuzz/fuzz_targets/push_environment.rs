//! What the server says of a push in variables, `NAME=value` between NUL bytes, some of which a client may set.
#![no_main]

use countersign::forge::{self, ForgeKind};
use countersign::git::{GitEnvironment, Repository};
use countersign_fuzz::clean;
use libfuzzer_sys::fuzz_target;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

fuzz_target!(|variables: &[u8]| {
    let value = |name: &str| -> Option<OsString> {
        let mut pairs = variables.split(|&byte| byte == 0);
        let value = pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        Some(OsStr::from_bytes(value).to_owned())
    };
    for kind in ForgeKind::ALL {
        let says = forge::ask(kind, &value);
        let texts = [&says.account_text, &says.via, &says.address, &says.repository_id, &says.repository_name];
        texts.into_iter().flatten().for_each(|text| clean(text));
        let account = says.account.as_ref().map(|account| account.as_str());
        account.into_iter().for_each(clean);
        let forge = if kind == ForgeKind::Plain { "http:" } else { &format!("{}:", kind.as_str()) };
        assert!(account.is_none_or(|account| account.starts_with(forge)), "a client posed as another forge");
        clean(&forge::line(kind, &says, "accepted"));
    }
    let environment = GitEnvironment {
        git_dir: None,
        object_directory: value("GIT_OBJECT_DIRECTORY"),
        alternates: value("GIT_ALTERNATE_OBJECT_DIRECTORIES"),
    };
    let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/known/repository"));
    if let Ok(repository) = Repository::from_hook(&environment, here) {
        assert_eq!(repository.path, here.canonicalize().expect("a folder"));
    }
});
