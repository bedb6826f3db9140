//! `countersign policy explain`: what is asked of a ref, and of a person there.

use super::{CommandError, Done, printed};
use crate::cli::OutputFormat;
use crate::forge::{ForgeKind, ServerSays};
use crate::git::Repository;
use crate::judge::refs::RefRules;
use crate::site::Site;
use countersign_policy::config::{Answer, ForgeKeys, Level, Policy};
use countersign_policy::id::{PersonId, RefName};
use countersign_policy::keyring::{Keyring, PersonKind, RepositoryNames};
use countersign_policy::rule;
use countersign_policy::time::Time;
use serde_json::json;
use std::path::Path;

pub fn run(
    site: &Site,
    name: Option<&str>,
    repo: Option<&Path>,
    person: Option<&str>,
    format: OutputFormat,
) -> Result<Done, CommandError> {
    let policy = &site.policy;
    let name = name.map(|name| RefName::new(full_name(name).as_bytes()));
    let names = match repo {
        Some(path) => crate::site::names(&Repository::at(path)?, &ServerSays::default())?,
        None => RepositoryNames::default(),
    };
    let level = match &name {
        Some(name) => level_of(site, name, repo)?,
        None => None,
    };
    let mut lines = general(policy);
    if let Some(name) = &name {
        lines.push(String::new());
        lines.extend(of_ref(policy, name, level));
    }
    let mut standing = None;
    if let Some(person) = person {
        lines.push(String::new());
        let against = against(site, person, &names, name.as_ref(), level)?;
        lines.extend(match against.as_slice() {
            [] => vec![format!("{person} may push here today")],
            reasons => reasons.iter().map(|reason| format!("{person} {reason}")).collect(),
        });
        standing = Some(json!({ "id": person, "may_push": against.is_empty(), "against": against }));
    }
    let facts = json!({
        "schema_version": 1,
        "ref": name.as_ref().map(ToString::to_string),
        "level": level.map(Level::as_str),
        "policy_digest": policy.digest,
        "person": standing,
        "explanation": lines,
    });
    Ok(Done::ok(printed(format, &facts, || lines.join("\n") + "\n")?))
}

/// `main` means `refs/heads/main`.
pub fn full_name(name: &str) -> String {
    if name.starts_with("refs/") { name.to_owned() } else { format!("refs/heads/{name}") }
}

fn level_of(site: &Site, name: &RefName, repo: Option<&Path>) -> Result<Option<Level>, CommandError> {
    let Some(path) = repo else { return Ok(site.policy.refs.level(name)) };
    let repository = Repository::at(path)?;
    let ledger = site.ledger()?;
    let recorded = match ledger.read().repository_at(repository.path_text()?)? {
        Some(known) => ledger.read().mainline_refs(&known.id)?,
        None => Vec::new(),
    };
    let rules = RefRules::read(&site.policy, &repository, ForgeKind::Plain, &ServerSays::default(), recorded)?;
    Ok(rules.target(name)?.level)
}

fn general(policy: &Policy) -> Vec<String> {
    let list = |items: Vec<String>| items.join(", ");
    let formats = policy.signatures.formats.iter().map(|format| format.signer().to_owned()).collect();
    let identity = match (policy.identity.committer_is_signer, policy.identity.author_is_signer) {
        (true, true) => "committer and author must be the signer",
        (true, false) => "the committer must be the signer; the author may be somebody else",
        (false, true) => "the author must be the signer",
        (false, false) => "committer and author may be anybody",
    };
    vec![
        format!(
            "mode: {}",
            if policy.mode == countersign_policy::verdict::Mode::Enforce { "enforce" } else { "observe" }
        ),
        format!("signatures: {}", list(formats)),
        format!("identity: {identity}"),
        format!("mainline: {}", list(policy.refs.mainline.iter().map(ToString::to_string).collect())),
        format!(
            "commits signed by the server's own key: {}",
            if policy.people.forge_keys == ForgeKeys::Refuse { "refused" } else { "taken" }
        ),
    ]
}

fn of_ref(policy: &Policy, name: &RefName, level: Option<Level>) -> Vec<String> {
    let title = name.to_string();
    match level {
        None => {
            vec![format!("{title}: refused; only branches and tags are taken   [{}]", rule::unknown_namespace::RULE.id)]
        }
        Some(Level::Recorded) => vec![format!("{title}: recorded, not judged")],
        Some(Level::Signed) => vec![
            format!("{title}: level signed"),
            "  every new commit signed by an active person; force and deletion are allowed".to_owned(),
        ],
        Some(Level::Mainline) if name.tag().is_some() => vec![
            format!("{title}: level mainline"),
            "  an annotated, signed tag under its own name, on a commit that mainline holds or could hold".to_owned(),
            if policy.refs.may_move_tag(name.tag().unwrap_or_default()) {
                "  it may be moved and deleted".to_owned()
            } else {
                "  it is neither moved nor deleted".to_owned()
            },
        ],
        Some(Level::Mainline) => vec![
            format!("{title}: level mainline"),
            "  every new commit signed by an active person who may push here himself,".to_owned(),
            "  or received earlier and carried by such a person's signed merge".to_owned(),
            format!(
                "  people on probation {} push here",
                if policy.people.probation_on_mainline == Answer::Deny { "may not" } else { "may" }
            ),
            if policy.refs.may_rewind(name) {
                "  it may be rewound".to_owned()
            } else {
                "  it only moves forward and is not deleted".to_owned()
            },
        ],
    }
}

/// What speaks against a push by this person today.
fn against(
    site: &Site,
    person: &str,
    names: &RepositoryNames,
    name: Option<&RefName>,
    level: Option<Level>,
) -> Result<Vec<String>, CommandError> {
    let id = PersonId::new(person).map_err(|error| CommandError::Usage(error.to_string()))?;
    let keyring = site.keyring()?;
    let Some(person) = keyring.person(&id)? else {
        return Err(CommandError::No(format!("the registry knows no person {id}")));
    };
    let now = Time::from_system(std::time::SystemTime::now());
    let mut against = Vec::new();
    if !person.is_active(now) {
        against.push(format!("is {}   [{}]", person.state(now).as_str(), rule::signer_not_active::RULE.id));
    }
    if let Ok(Some(objection)) = rule::owner_not_active::check(&person, &keyring, &site.policy.people, now) {
        against.push(format!("{}   [{}]", objection.problem.reason, objection.problem.rule.id));
    }
    if let Some(objection) = rule::forge_key_outside::check(&person, &site.policy.people) {
        against.push(format!("is the server's own key   [{}]", objection.problem.rule.id));
    }
    if name.is_none() && person.kind == PersonKind::Service {
        let scope: Vec<String> = person.scope.iter().map(ToString::to_string).collect();
        against.push(match scope.as_slice() {
            [] => format!("is a service account without a scope   [{}]", rule::out_of_scope::RULE.id),
            scope => format!("may push only to {}   [{}]", scope.join(", "), rule::out_of_scope::RULE.id),
        });
    }
    if let Some(name) = name {
        if !person.may_reach(names, name) {
            against.push(format!("is not for this ref and repository   [{}]", rule::out_of_scope::RULE.id));
        }
        let probation =
            level.and_then(|level| rule::signer_on_probation::check(&person, level, &site.policy.people, now));
        if probation.is_some() {
            against.push(format!("is on probation   [{}]", rule::signer_on_probation::RULE.id));
        }
    }
    Ok(against)
}
