//! `countersign audit push|person`: first answers from the ledger.

use super::{CommandError, Done, printed};
use crate::cli::{Audit, OutputFormat};
use crate::ledger::{Facts, Leaf, Reader, RepositoryId, Signer, UpdateId, UpdateState, VerdictId, VerdictRecord};
use crate::site::Site;
use countersign_policy::id::{ObjectId, PersonId};
use countersign_policy::keyring::{Key, Keyring, KeyringError, Person};
use countersign_policy::text::shown;
use countersign_policy::time::Time;
use countersign_policy::verdict::Decision;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Verdicts read at a time while a person's record is gathered.
const PAGE: u32 = 256;

/// Characters of one text that is shown; JSON holds all of it.
const SHOWN: usize = 400;

/// Entries after a verdict among which to look for what became of it. It is applied or refused within seconds.
const AFTERMATH: u64 = 4096;

/// Verdicts listed in text; JSON holds all of them.
const LISTED: usize = 20;

pub fn run(site: &Site, what: &Audit, format: OutputFormat) -> Result<Done, CommandError> {
    let ledger = site.ledger()?;
    match what {
        Audit::Push { id } => push(site, ledger.read(), id, format),
        Audit::Person { id } => person(site, ledger.read(), id, format),
    }
}

fn push(site: &Site, ledger: Reader<'_>, id: &str, format: OutputFormat) -> Result<Done, CommandError> {
    let wanted: VerdictId =
        id.parse().map_err(|_| CommandError::Usage(format!("`{}` is no verdict id", shown(id, 40))))?;
    let Some(record) = ledger.verdict(&wanted)? else {
        return Err(CommandError::No(format!("the ledger holds no verdict {wanted}")));
    };
    let facts = everything(&site.keyring()?, ledger, &record)?;
    Ok(Done::ok(printed(format, &facts, || push_text(&facts))?))
}

/// The verdict as it was written, with what became of it and where it stands in the ledger.
fn everything(keyring: &dyn Keyring, ledger: Reader<'_>, record: &VerdictRecord) -> Result<Value, CommandError> {
    let mut facts: Value = serde_json::from_slice(&record.document)
        .map_err(|error| CommandError::Could(format!("the verdict at entry {} cannot be read: {error}", record.seq)))?;
    let aftermath = aftermath(ledger, record.seq)?;
    let updates: Vec<Value> = ledger
        .updates_of_verdict(record.seq)?
        .iter()
        .map(|update| {
            let (state, at) = match update.state {
                UpdateState::Open => ("not-applied", None),
                UpdateState::Applied(at) => ("applied", Some(at)),
                UpdateState::Refused(at) => ("refused-later", Some(at)),
            };
            let told = aftermath.iter().filter(|(ids, _)| ids.contains(&update.id)).flat_map(|(_, told)| told);
            let told = told.into_iter().find(|told| told["ref"] == update.name.to_string().as_str());
            let of_it = |key: &str| told.and_then(|told| told.get(key)).cloned().unwrap_or_default();
            json!({
                "ref": update.name.to_string(), "old": update.old, "new": update.new, "state": state, "at": at,
                "finding": of_it("finding"), "reason": of_it("reason"),
            })
        })
        .collect();
    let mut commits = Vec::new();
    for row in ledger.commits_of_verdict(record.seq)? {
        let signer = row.signer.as_deref();
        let distrusted = match signer {
            Some(signer) => is_distrusted(keyring, signer, record.facts.received_at, now())?,
            None => false,
        };
        commits.push(json!({
            "commit": row.id, "person": signer.map(|signer| &signer.person), "key": signer.map(|signer| &signer.key),
            "format": signer.map(|signer| &signer.format), "authority": signer.and_then(|signer| signer.authority.as_ref()),
            "refused": row.refused.as_deref(), "distrusted": distrusted,
        }));
    }
    if let Some(map) = facts.as_object_mut() {
        map.insert("written_at".to_owned(), json!(record.written_at));
        map.insert("ledger_entry".to_owned(), json!(record.seq));
        map.insert("applied".to_owned(), json!(updates));
        map.insert("signed".to_owned(), json!(commits));
    }
    Ok(facts)
}

/// The updates that an entry speaks of, and its words on each ref.
type Told = (Vec<UpdateId>, Vec<Value>);

/// What later entries say of the updates of a verdict: which ones, and their words on each ref.
fn aftermath(ledger: Reader<'_>, seq: u64) -> Result<Vec<Told>, CommandError> {
    let mut found = Vec::new();
    ledger.each_leaf(seq + 1, |at, _, body| {
        let leaf = Leaf::decode(at, body).ok();
        let ids = match leaf.as_ref().map(|leaf| &leaf.facts) {
            Some(Facts::Applied(applied)) => applied.updates.clone(),
            Some(Facts::Refused(refused)) => refused.updates.clone(),
            _ => Vec::new(),
        };
        if ids.iter().any(|id| id.verdict == seq)
            && let Some(words) = leaf.and_then(|leaf| serde_json::from_slice::<Value>(&leaf.document).ok())
        {
            let told = match (words.get("applied").and_then(Value::as_array), words.get("refused")) {
                (Some(applied), _) => applied.clone(),
                (None, refused) => refused.cloned().into_iter().collect(),
            };
            found.push((ids, told));
        }
        at < seq + AFTERMATH
    })?;
    Ok(found)
}

/// Whether what came in at `received` under this signature is no longer believed: its key, or the authority that
/// vouched for it, counts as compromised since before.
fn is_distrusted(keyring: &dyn Keyring, signer: &Signer, received: Time, now: Time) -> Result<bool, KeyringError> {
    let person = keyring.person(&signer.person)?;
    let of_key = person.and_then(|person| person.key(&signer.key)?.compromised);
    let authorities = keyring.authorities()?;
    let of_authority = signer.authority.as_ref().and_then(|authority| authorities.find(authority)?.compromised);
    let marks = [of_key, of_authority].into_iter().flatten().filter(|mark| mark.from <= now);
    Ok(marks.into_iter().any(|mark| mark.since.is_none_or(|since| since <= received)))
}

fn now() -> Time {
    Time::from_system(std::time::SystemTime::now())
}

/// Names, paths and refs are other people's words: nothing in them steers a terminal.
fn text_of(value: &Value, key: &str) -> String {
    shown(value.get(key).and_then(Value::as_str).unwrap_or("-"), SHOWN)
}

fn list_of<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn push_text(facts: &Value) -> String {
    let mut lines = vec![
        format!("verdict {}: {}", text_of(facts, "verdict"), text_of(facts, "decision")),
        format!("  received    {}", text_of(facts, "received_at")),
        format!("  mode        {}", text_of(facts, "mode")),
    ];
    if let Some(repository) = facts.get("repository") {
        lines.push(format!("  repository  {}", text_of(repository, "path")));
    }
    let pusher = facts.get("pusher").and_then(Value::as_object);
    if pusher.is_none_or(|pusher| pusher.values().all(Value::is_null)) {
        lines.push("  pusher      not named by the server".to_owned());
    } else if let Some(pusher) = facts.get("pusher") {
        lines.push(format!(
            "  pusher      {} (account {}, via {}, from {})",
            text_of(pusher, "person"),
            text_of(pusher, "account"),
            text_of(pusher, "via"),
            text_of(pusher, "address")
        ));
    }
    lines.push(format!(
        "  based on    policy {}, registry epoch {}",
        text_of(facts, "policy_digest"),
        facts["registry_epoch"]
    ));
    lines.push(format!("  ledger      entry {}, written {}", facts["ledger_entry"], text_of(facts, "written_at")));
    lines.push("  refs".to_owned());
    let states = list_of(facts, "applied");
    for update in list_of(facts, "refs") {
        let name = text_of(update, "ref");
        let state =
            states.iter().find(|state| text_of(state, "ref") == name).map_or("-".to_owned(), |it| text_of(it, "state"));
        let of_it = states.iter().find(|state| text_of(state, "ref") == name);
        let finding = of_it.and_then(|state| state["finding"].as_str());
        let why =
            finding.map(|id| format!("  {}   [{id}]", of_it.map_or_else(String::new, |it| text_of(it, "reason"))));
        lines.push(format!(
            "    {name}  {} → {}  {state}{}",
            short(&text_of(update, "old")),
            short(&text_of(update, "new")),
            why.unwrap_or_default()
        ));
    }
    let signed = list_of(facts, "signed");
    lines.push(format!("  commits     {} judged", signed.len()));
    for commit in signed.iter().take(LISTED) {
        let refused = commit.get("refused").and_then(Value::as_str).map(|id| format!("  [{id}]")).unwrap_or_default();
        let distrusted = if commit["distrusted"] == true { "  distrusted" } else { "" };
        lines.push(format!(
            "    {}  {}  {}{refused}{distrusted}",
            short(&text_of(commit, "commit")),
            text_of(commit, "person"),
            text_of(commit, "key")
        ));
    }
    if signed.len() > LISTED {
        lines.push(format!("    … and {} more; --format json lists all", signed.len() - LISTED));
    }
    let findings = list_of(facts, "findings");
    if !findings.is_empty() {
        lines.push("  findings".to_owned());
    }
    for finding in findings.iter().take(LISTED) {
        let subject = finding.get("subject").and_then(Value::as_object).and_then(|subject| subject.values().next());
        let subject = subject.and_then(Value::as_str).map_or("push", short);
        let subject = shown(subject, SHOWN);
        lines.push(format!("    {subject}  {}   [{}]", text_of(finding, "reason"), text_of(finding, "id")));
    }
    if findings.len() > LISTED {
        lines.push(format!("    … and {} more; --format json lists all", findings.len() - LISTED));
    }
    lines.join("\n") + "\n"
}

fn number_of(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// Object ids abbreviated, other texts as they are.
fn short(text: &str) -> &str {
    let is_id = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { text.get(..7).unwrap_or(text) } else { text }
}

/// What the ledger holds of one person.
#[derive(Default)]
struct Gathered {
    pushes: Vec<Value>,
    /// Each commit once a repository, however many pushes brought it to one ref after the other.
    accepted: HashSet<(Option<RepositoryId>, ObjectId)>,
    refused: HashSet<(Option<RepositoryId>, ObjectId)>,
    /// Of the accepted ones, those that came in at least once before their key fell into other hands.
    believed: HashSet<(Option<RepositoryId>, ObjectId)>,
    /// Accepted, but nobody reported that a ref took them.
    not_applied: HashSet<(Option<RepositoryId>, ObjectId)>,
    first: Option<Time>,
    last: Option<Time>,
}

fn person(site: &Site, ledger: Reader<'_>, id: &str, format: OutputFormat) -> Result<Done, CommandError> {
    let id = PersonId::new(id).map_err(|error| CommandError::Usage(error.to_string()))?;
    let keyring = site.keyring()?;
    let known = keyring.person(&id)?;
    let gathered = gather(&keyring, ledger, &id)?;
    if known.is_none() && gathered.pushes.is_empty() {
        return Err(CommandError::No(format!("neither registry nor ledger knows {id}")));
    }
    let now = now();
    let keys: Vec<Value> =
        known.iter().flat_map(|person| person.keys.iter().map(|key| key_facts(person, key, now))).collect();
    let facts = json!({
        "schema_version": 1,
        "as_of": now,
        "person": id,
        "name": known.as_ref().map(|person| person.name(now)),
        "state": known.as_ref().map(|person| person.state(now).as_str()),
        "state_since": known.as_ref().and_then(|person| person.state_since(now)),
        "keys": keys,
        "pushes": gathered.pushes.iter().filter(|push| push["as_pusher"] == true).count(),
        "pushes_by_unknown": gathered.pushes.iter().filter(|push| push["as_pusher"].is_null()).count(),
        "commits": {
            "accepted": gathered.accepted.len(),
            "refused": gathered.refused.len(),
            "not_applied": gathered.not_applied.difference(&gathered.accepted).count(),
            "distrusted": gathered.accepted.len() - gathered.believed.len(),
        },
        "first": gathered.first,
        "last": gathered.last,
        "verdicts": gathered.pushes,
    });
    Ok(Done::ok(printed(format, &facts, || person_text(&facts))?))
}

fn gather(keyring: &dyn Keyring, ledger: Reader<'_>, id: &PersonId) -> Result<Gathered, CommandError> {
    let mut gathered = Gathered::default();
    let mut before = None;
    loop {
        let page = ledger.verdicts_of(id, before, PAGE)?;
        let Some(oldest) = page.last() else { return Ok(gathered) };
        before = Some(oldest.seq);
        for record in &page {
            let enforced_deny = record.facts.decision != Decision::Accept && record.facts.enforced;
            let (mut accepted, mut refused) = (0_u64, 0_u64);
            let at = record.facts.received_at;
            let updates = ledger.updates_of_verdict(record.seq)?;
            let applied = |index: u32| {
                let update = updates.iter().find(|update| update.id.index == index);
                update.is_none_or(|update| matches!(update.state, UpdateState::Applied(_)) || !update.enforced)
            };
            for row in ledger.commits_of_verdict(record.seq)? {
                let Some(signer) = row.signer.filter(|signer| &signer.person == id) else { continue };
                let commit = (record.facts.repository, row.id);
                if enforced_deny || row.refused.is_some() {
                    gathered.refused.insert(commit);
                    refused += 1;
                    continue;
                }
                if !applied(row.update) {
                    gathered.not_applied.insert(commit);
                    continue;
                }
                gathered.accepted.insert(commit);
                accepted += 1;
                if !is_distrusted(keyring, &signer, at, now())? {
                    gathered.believed.insert(commit);
                }
            }
            gathered.first = Some(gathered.first.map_or(at, |first| first.min(at)));
            gathered.last = Some(gathered.last.map_or(at, |last| last.max(at)));
            let repository = match &record.facts.repository {
                Some(repository) => ledger.repository(repository)?.map(|known| known.path),
                None => None,
            };
            gathered.pushes.push(json!({
                "verdict": record.facts.id.to_string(), "received_at": at, "repository": repository,
                "decision": record.facts.decision, "enforced": record.facts.enforced,
                "as_pusher": record.facts.pusher.as_ref().map(|pusher| pusher == id),
                "refs": record.facts.updates.iter().map(|update| update.name.to_string()).collect::<Vec<_>>(),
                "commits_signed": { "accepted": accepted, "refused": refused },
            }));
        }
    }
}

fn key_facts(person: &Person, key: &Key, now: Time) -> Value {
    let state = match (key.compromised, key.retired) {
        (Some(mark), _) if mark.from <= now => "compromised",
        (_, Some(retired)) if retired.at <= now => "retired",
        _ if !person.is_active(now) => "unusable",
        _ => "usable",
    };
    json!({
        "fingerprint": key.fingerprint, "kind": key.kind(), "state": state, "added": key.added,
        "retired": key.retired.map(|retired| retired.at),
        "compromised_since": key.compromised.and_then(|mark| mark.since),
    })
}

fn person_text(facts: &Value) -> String {
    let mut lines = vec![
        format!("{} ({})", text_of(facts, "person"), text_of(facts, "name")),
        format!("  state       {} since {}", text_of(facts, "state"), text_of(facts, "state_since")),
        format!("  seen        first {}, last {}", text_of(facts, "first"), text_of(facts, "last")),
        format!(
            "  pushes      {} under their own account{}",
            facts["pushes"],
            match number_of(facts, "/pushes_by_unknown") {
                0 => String::new(),
                count => format!("; {count} more carried their commits, by a pusher whom the registry does not know"),
            }
        ),
        format!(
            "  commits     {} accepted, {} refused{}",
            number_of(facts, "/commits/accepted"),
            number_of(facts, "/commits/refused"),
            match number_of(facts, "/commits/distrusted") {
                0 => String::new(),
                count => format!("; {count} of the accepted are distrusted: their key was compromised by then"),
            }
        ),
        "  keys".to_owned(),
    ];
    for key in list_of(facts, "keys") {
        lines.push(format!("    {}  {}  {}", text_of(key, "fingerprint"), text_of(key, "kind"), text_of(key, "state")));
    }
    let verdicts = list_of(facts, "verdicts");
    lines.push("  verdicts, newest first".to_owned());
    for verdict in verdicts.iter().take(LISTED) {
        let refs: Vec<String> =
            list_of(verdict, "refs").iter().filter_map(Value::as_str).map(|name| shown(name, SHOWN)).collect();
        lines.push(format!(
            "    {}  {}  {}  {}  {}",
            text_of(verdict, "received_at"),
            text_of(verdict, "verdict"),
            text_of(verdict, "decision"),
            text_of(verdict, "repository"),
            refs.join(", ")
        ));
    }
    if verdicts.len() > LISTED {
        lines.push(format!("    … and {} more; --format json lists all", verdicts.len() - LISTED));
    }
    lines.join("\n") + "\n"
}
