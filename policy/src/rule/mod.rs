//! The rules: one a file, one visible list.

use crate::time::Time;
use crate::verdict::Effect;

/// What may lift a denial (design, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Nothing: unsigned, unknown and compromised work is never carried.
    Never,
    /// "Was the key valid": answered for good by a receipt, and on mainline a carrier besides.
    KeyValidity,
    /// The same of a key that fell into other hands at this instant: only a receipt from before answers it.
    KeyValidityBefore(Time),
    /// Asked anew at each level; on mainline a receipt and a carrier bring it in.
    Authority,
}

/// What a finding says, wherever it is found.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable; scripts and tests rely on it.
    pub id: &'static str,
    pub effect: Effect,
    pub answers: Answers,
    /// Completes "rejected because …".
    pub summary: &'static str,
    /// What the reader does next.
    pub next: &'static str,
    /// The page of `countersign help ID`.
    pub help: &'static str,
}

pub mod applied_late;
pub mod author_mismatch;
pub mod bad_signature;
pub mod carried;
pub mod clock_went_back;
pub mod distrusted;
pub mod forge_key_outside;
pub mod format_not_allowed;
pub mod identity_mismatch;
pub mod internal_error;
pub mod key_compromised;
pub mod key_expired;
pub mod key_not_for_signing;
pub mod key_not_yet_valid;
pub mod key_revoked;
pub mod keyring_unreadable;
pub mod ledger_unwritable;
pub mod limit_exceeded;
pub mod malformed_object;
pub mod malformed_signature;
pub mod missing_object;
pub mod moved_unseen;
pub mod multiple_signatures;
pub mod new_root;
pub mod non_fast_forward;
pub mod not_enrolled;
pub mod out_of_scope;
pub mod out_of_time;
pub mod owner_in_grace;
pub mod owner_not_active;
pub mod pending_baseline;
pub mod policy_unreadable;
pub mod pusher_not_active;
pub mod pusher_unmapped;
pub mod recorded;
pub mod ref_denied;
pub mod registry_rollback;
pub mod registry_stale;
pub mod repository_unreadable;
pub mod revocation_unknown;
pub mod signature_expired;
pub mod signer_not_active;
pub mod signer_on_probation;
pub mod tag_name_mismatch;
pub mod tag_target;
pub mod time_skew;
pub mod unknown_key;
pub mod unknown_namespace;
pub mod unsigned;
pub mod unsigned_data;
pub mod untrusted_chain;
pub mod usage_violation;
pub mod verdict_stale;
pub mod verifier_unavailable;
pub mod weak_algorithm;
pub mod wrong_namespace;

/// Every rule. A finding whose rule is not listed here has no help page, which a test forbids.
pub const ALL: &[&Rule] = &[
    &malformed_object::RULE,
    &malformed_signature::RULE,
    &multiple_signatures::RULE,
    &unsigned_data::RULE,
    &unsigned::RULE,
    &bad_signature::RULE,
    &unknown_key::RULE,
    &key_not_for_signing::RULE,
    &weak_algorithm::RULE,
    &format_not_allowed::RULE,
    &wrong_namespace::RULE,
    &signature_expired::RULE,
    &time_skew::RULE,
    &untrusted_chain::RULE,
    &usage_violation::RULE,
    &revocation_unknown::RULE,
    &key_expired::RULE,
    &key_not_yet_valid::RULE,
    &key_revoked::RULE,
    &key_compromised::RULE,
    &signer_not_active::RULE,
    &signer_on_probation::RULE,
    &out_of_scope::RULE,
    &owner_not_active::RULE,
    &owner_in_grace::RULE,
    &forge_key_outside::RULE,
    &identity_mismatch::RULE,
    &author_mismatch::RULE,
    &non_fast_forward::RULE,
    &ref_denied::RULE,
    &unknown_namespace::RULE,
    &tag_name_mismatch::RULE,
    &tag_target::RULE,
    &new_root::RULE,
    &missing_object::RULE,
    &pusher_not_active::RULE,
    &pusher_unmapped::RULE,
    &limit_exceeded::RULE,
    &moved_unseen::RULE,
    &distrusted::RULE,
    &carried::RULE,
    &recorded::RULE,
    &pending_baseline::RULE,
    &applied_late::RULE,
    &verdict_stale::RULE,
    &not_enrolled::RULE,
    &policy_unreadable::RULE,
    &keyring_unreadable::RULE,
    &registry_stale::RULE,
    &registry_rollback::RULE,
    &clock_went_back::RULE,
    &ledger_unwritable::RULE,
    &repository_unreadable::RULE,
    &verifier_unavailable::RULE,
    &out_of_time::RULE,
    &internal_error::RULE,
];

/// The rule of a finding id.
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_file_is_listed_once_under_its_own_name() {
        let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/rule"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "mod.rs")
            .map(|name| name.trim_end_matches(".rs").replace('_', "-"))
            .collect();
        let mut listed: Vec<String> = ALL.iter().map(|rule| rule.id.to_owned()).collect();
        files.sort();
        listed.sort();
        assert_eq!(files, listed);
    }

    #[test]
    fn a_rule_is_found_by_its_id() {
        assert!(ALL.iter().all(|rule| find(rule.id) == Some(rule)));
        assert_eq!(find("no-such-rule"), None);
    }

    #[test]
    fn every_rule_says_what_it_is_and_what_to_do() {
        for rule in ALL {
            assert!(!rule.summary.is_empty() && !rule.next.is_empty() && rule.help.len() > 40, "{}", rule.id);
            assert!(!rule.summary.ends_with('.') && !rule.next.ends_with('.'), "{}", rule.id);
            assert!(rule.help.lines().all(|line| !line.ends_with(' ')), "{}", rule.id);
        }
    }
}
