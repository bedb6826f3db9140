//! A person's keys: since when they count, and what ended them.

use super::log::Log;
use super::spans::Spans;
use super::standing;
use crate::event::{Claim, KeyAdded, KeyName};
use countersign_policy::id::Fingerprint;
use countersign_policy::keyring::{Compromised, Key, Material, RetireReason, Retired, Scope};
use countersign_policy::time::Time;
use std::collections::BTreeMap;

/// Every key that was ever added, ordered by fingerprint.
pub(super) fn keys(log: &Log<'_>, materials: &BTreeMap<Fingerprint, Material>) -> Vec<Key> {
    let (mut keys, heard) = added(log, materials);
    retire_with_engagement(log, &mut keys, &heard);
    for entry in log.iter() {
        match &entry.event.claim {
            Claim::KeyRetired(retired) if entry.force.lasts() => {
                let at = retired.since.unwrap_or(entry.event.effective_at);
                let reason = retired.reason.unwrap_or(RetireReason::Retired);
                for key in keys.iter_mut().filter(|key| is_called(key, &retired.fingerprint)) {
                    retire(key, Retired { at, reason });
                }
            }
            // Whether or not somebody retracted it.
            Claim::KeyCompromised(compromised) => {
                let mark = Compromised { since: compromised.since, from: entry.event.effective_at };
                for key in keys.iter_mut().filter(|key| is_called(key, &compromised.fingerprint)) {
                    compromise(key, mark);
                }
            }
            _ => {}
        }
    }
    fall_together(&mut keys, &heard);
    keys
}

/// Since when each key is known: what a source says later, and dates back, is no older for it.
type Heard = BTreeMap<Fingerprint, Time>;

/// What the enrolments of one key say of it. Silence takes nothing back: a certificate that is enrolled again with a
/// later end keeps its scope.
#[derive(Default)]
struct Told<'e> {
    scope: Option<&'e Vec<Scope>>,
    enrolled_by: Option<&'e KeyName>,
}

impl<'e> Told<'e> {
    fn hear(&mut self, added: &'e KeyAdded, lasts: bool) {
        // What was taken back tells only as long as nothing else does.
        if lasts || self.scope.is_none() {
            self.scope = added.scope.as_ref().or(self.scope);
        }
        if lasts || self.enrolled_by.is_none() {
            self.enrolled_by = added.enrolled_by.as_ref().or(self.enrolled_by);
        }
    }
}

fn added(log: &Log<'_>, materials: &BTreeMap<Fingerprint, Material>) -> (Vec<Key>, Heard) {
    let mut heard = Heard::new();
    let mut enrolments: BTreeMap<&Fingerprint, (Spans, Time, Told<'_>)> = BTreeMap::new();
    // By assertion, so that of several enrolments the newest that says something of it tells the scope.
    for entry in log.iter() {
        let Claim::KeyAdded(added) = &entry.event.claim else { continue };
        let Some(fingerprint) = &added.fingerprint else { continue };
        let said = entry.event.effective_at.max(entry.event.asserted_at);
        heard.entry(fingerprint.clone()).and_modify(|first| *first = said.min(*first)).or_insert(said);
        let effective = entry.event.effective_at;
        let (force, first, mut told) =
            enrolments.remove(fingerprint).unwrap_or((Spans::default(), effective, Told::default()));
        told.hear(added, entry.force.lasts());
        enrolments.insert(fingerprint, (force.union(&entry.force), first.min(effective), told));
    }
    let mut keys = Vec::with_capacity(enrolments.len());
    let mut words = Vec::with_capacity(enrolments.len());
    for (fingerprint, (force, first, told)) in enrolments {
        let Some(material) = materials.get(fingerprint) else { continue };
        let since = force.first().map_or(first, |span| span.from);
        // An enrolment that was taken back leaves the key on record, ended.
        let end = if force.lasts() { None } else { Some(force.end().unwrap_or(since)) };
        keys.push(Key {
            fingerprint: fingerprint.clone(),
            added: since,
            scope: told.scope.cloned(),
            retired: end.map(|at| Retired { at, reason: RetireReason::Retired }),
            compromised: None,
            enrolled_by: None,
            material: material.clone(),
        });
        words.push(told.enrolled_by);
    }
    // The word may be spelled in several ways, or name a subkey: the key itself is kept.
    let fingerprints: Vec<Option<Fingerprint>> = words.into_iter().map(|word| called(&keys, word?)).collect();
    for (key, enrolled_by) in keys.iter_mut().zip(fingerprints) {
        key.enrolled_by = enrolled_by;
    }
    (keys, heard)
}

fn called(keys: &[Key], name: &KeyName) -> Option<Fingerprint> {
    keys.iter().find(|key| is_called(key, name)).map(|key| key.fingerprint.clone())
}

/// A new engagement begins with new keys: those from before stay retired.
fn retire_with_engagement(log: &Log<'_>, keys: &mut [Key], heard: &Heard) {
    for engagement in standing::engagements(log) {
        let before = |key: &&mut Key| heard.get(&key.fingerprint).is_none_or(|heard| *heard <= engagement.known);
        for key in keys.iter_mut().filter(before) {
            retire(key, Retired { at: engagement.former_end, reason: RetireReason::Retired });
        }
    }
}

/// What was enrolled on the word of a compromised key, after it fell into other hands, falls too.
fn fall_together(keys: &mut [Key], heard: &Heard) {
    // Each round lets at least one more key fall, so there are at most as many rounds as keys.
    for _ in 0..keys.len() {
        let fallen: Vec<(Fingerprint, Compromised)> =
            keys.iter().filter_map(|key| Some((key.fingerprint.clone(), key.compromised?))).collect();
        let mut changed = false;
        for key in keys.iter_mut() {
            for (by, mark) in &fallen {
                let enrolled = heard.get(&key.fingerprint);
                let after = mark.since.is_none_or(|since| enrolled.is_none_or(|enrolled| *enrolled >= since));
                if key.enrolled_by.as_ref() == Some(by) && &key.fingerprint != by && after {
                    let before = key.compromised;
                    compromise(key, Compromised { since: None, from: mark.from });
                    changed |= before != key.compromised;
                }
            }
        }
        if !changed {
            break;
        }
    }
}

/// Whether `name` is the key's fingerprint or that of one of its subkeys.
pub(crate) fn is_called(key: &Key, name: &KeyName) -> bool {
    name.names(key.fingerprint.as_str())
        || match &key.material {
            Material::OpenPgp(certificate) => certificate.signers.iter().any(|signer| name.names(&signer.fingerprint)),
            Material::Ssh(_) | Material::X509(_) => false,
        }
}

fn retire(key: &mut Key, new: Retired) {
    if key.retired.is_none_or(|kept| (new.at, new.reason as u8) < (kept.at, kept.reason as u8)) {
        key.retired = Some(new);
    }
}

fn compromise(key: &mut Key, new: Compromised) {
    key.compromised = Some(match key.compromised {
        None => new,
        // No instant means always, and is less than any instant.
        Some(kept) => Compromised { since: kept.since.min(new.since), from: kept.from.min(new.from) },
    });
}
