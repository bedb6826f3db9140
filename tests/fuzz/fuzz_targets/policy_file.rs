//! The policy. It is the operator's own, but a mistake in it is told and never a crash.
#![no_main]

use countersign_fuzz::clean;
use countersign_policy::config::{Level, Policy};
use countersign_policy::id::RefName;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| match Policy::parse(file) {
    Ok(policy) => {
        let protected = policy.refs.default_branch_is_mainline || !policy.refs.mainline.is_empty();
        assert!(protected && !policy.signatures.formats.is_empty(), "a policy that protects nothing");
        assert!(policy.limits.commits > 0 && policy.apply_within.get().as_secs() > 0);
        assert_eq!(policy.refs.level(&RefName::new(b"refs/replace/x")), None);
        assert!(policy.refs.level(&RefName::new(b"refs/heads/main")) >= Some(Level::Signed));
    }
    Err(error) => clean(&error.to_string()),
});
