//! Tags: annotated, signed, under their own name, on a commit that mainline holds or could hold.

use super::refs::RefRules;
use super::walk::{TagEntry, ledger_signer};
use super::{Asked, Case, JudgeError, Judgement, Shared};
use crate::git::GitError;
use crate::git::objects::{Kind, hash_is};
use crate::ledger::{PackBuilder, UpdateFacts};
use countersign_policy::id::{ObjectId, RefName};
use countersign_policy::judge::Examined;
use countersign_policy::rule;
use countersign_policy::tag::{Tag, TargetType};
use countersign_policy::verdict::{Finding, Problem, Subject};

/// The commit below a tag, or `None` when there is none. Nothing is judged.
pub fn peel(case: &Case<'_>, id: &ObjectId) -> Result<Option<ObjectId>, JudgeError> {
    let limits = &case.ground.policy.limits;
    let mut id = *id;
    for _ in 0..=limits.tag_chain {
        match case.objects.header(&id)? {
            Some(header) if header.kind == Kind::Commit => return Ok(Some(id)),
            Some(header) if header.kind == Kind::Tag && header.size <= limits.tag_bytes => {
                let format = case.repository.format;
                match case.objects.read(&id, |_, raw| Tag::parse(raw, format).ok().map(|tag| tag.object()))?.flatten() {
                    Some(object) => id = object,
                    None => return Ok(None),
                }
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

pub(super) fn judge(
    case: &Case<'_>,
    rules: &RefRules<'_>,
    asked: &Asked<'_>,
    shared: &mut Shared,
    judgement: &mut Judgement,
) -> Result<(), JudgeError> {
    let update = asked.update;
    if update.is_deletion() {
        return Ok(());
    }
    let mut findings = Vec::new();
    let mut relied = Vec::new();
    let target = chain(case, asked, &mut findings, &mut relied)?;
    for examined in &relied {
        if let Some(signer) = &examined.signer {
            case.rely_on_signer(signer, judgement);
        }
    }
    // The tag's own signer is on record beside the commits it brings in.
    let refused = findings.iter().find(|finding| finding.subject == Subject::Tag(update.new)).map(Finding::id);
    let signer = relied.first().and_then(|examined| examined.signer.as_deref()).map(ledger_signer);
    let entry = TagEntry { id: update.new, signer, refused };
    judgement.findings.extend(findings);
    let commits = match target {
        // A lightweight tag is the commit itself, and is refused.
        Some(target) => {
            let entry = (target != update.new).then_some(entry);
            case.walk_and_judge(rules, target, &[], asked.level, &asked.target.names, entry, shared, judgement)?.pack
        }
        None => {
            let mut pack = PackBuilder::new();
            pack.add(entry.id, entry.signer.as_ref(), entry.refused)?;
            pack.build()?
        }
    };
    let mut commits = Some(commits);
    judgement.updates.extend(asked.target.names.iter().rev().map(|name| UpdateFacts {
        name: name.clone(),
        old: update.old,
        new: update.new,
        level: asked.level.number(),
        fast_forward: false,
        commits: commits.take().unwrap_or_default(),
    }));
    Ok(())
}

/// What to do about a tag where the rule speaks of commits: it is made anew, on what it stands on.
fn again(name: &RefName, problem: &Problem) -> String {
    let tag = name.tag().and_then(|tag| std::str::from_utf8(tag).ok());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    let tag = tag.filter(|tag| !tag.starts_with('-') && tag.chars().all(plain)).unwrap_or("NAME");
    let first = match problem.rule.id {
        "identity-mismatch" => "set your own registered e-mail address (`git config user.email YOU@COMPANY`) and ",
        "time-skew" => "set the clock of your computer and ",
        _ => "",
    };
    format!("{first}make the tag again, signed: `git tag -f -s {tag} {tag}^{{}}`")
}

/// Judges each tag object from the ref down to the commit, and gives the commit.
fn chain(
    case: &Case<'_>,
    asked: &Asked<'_>,
    findings: &mut Vec<Finding>,
    relied: &mut Vec<Examined>,
) -> Result<Option<ObjectId>, JudgeError> {
    let name = &asked.update.name;
    let limits = &case.ground.policy.limits;
    let mut refuse = |id: ObjectId, mut problem: Problem| {
        if problem.next.is_none() && problem.rule.next.contains("git commit") || problem.rule.next.contains("rebase") {
            problem.next = Some(again(name, &problem));
        }
        findings.push(problem.about(Subject::Tag(id)).on(name));
    };
    let mut id = asked.update.new;
    for depth in 0.. {
        let header = match case.objects.header(&id)? {
            Some(header) => header,
            None => {
                refuse(id, Problem::new(&rule::missing_object::RULE, "names an object that is not there"));
                return Ok(None);
            }
        };
        match header.kind {
            Kind::Commit if depth == 0 => {
                let problem = Problem::new(&rule::unsigned::RULE, "is a lightweight tag, which cannot be signed");
                let next = again(name, &problem);
                refuse(id, problem.next(next));
                return Ok(Some(id));
            }
            Kind::Commit => return Ok(Some(id)),
            Kind::Tree | Kind::Blob => {
                let reason = format!("points to a {}, not to a commit", header.kind.as_str());
                refuse(id, Problem::new(&rule::tag_target::RULE, reason));
                return Ok(None);
            }
            Kind::Tag => {}
        }
        if depth >= limits.tag_chain {
            let reason = format!("is a chain of more than {} tags", limits.tag_chain);
            refuse(asked.update.new, Problem::new(&rule::tag_target::RULE, reason));
            return Ok(None);
        }
        if header.size > limits.tag_bytes {
            let reason = format!("is {} bytes large; a tag may have {}", header.size, limits.tag_bytes);
            refuse(id, Problem::new(&rule::limit_exceeded::RULE, reason));
            return Ok(None);
        }
        let examined = case.objects.read(&id, |kind, raw| {
            if !hash_is(&id, kind, raw) {
                return Err(Problem::new(&rule::malformed_object::RULE, "does not have the hash it goes by"));
            }
            let tag = Tag::parse(raw, case.repository.format)?;
            // Only the outermost tag goes by the ref's name.
            let own_name = if depth == 0 { name.tag().unwrap_or_default() } else { tag.name() };
            Ok((case.ground.examine_tag(&tag, own_name), tag.object(), tag.target_type()))
        })?;
        let (examined, object, kind) = match examined {
            Some(Ok(found)) => found,
            Some(Err(problem)) => {
                refuse(id, problem);
                return Ok(None);
            }
            None => return Err(JudgeError::Git(GitError::Object(id, "it cannot be read".to_owned()))),
        };
        for objection in &examined.objections {
            refuse(id, objection.problem.clone());
        }
        if let Some(signer) = &examined.signer {
            for objection in case.objections_here(signer, asked.level, &asked.target.names) {
                refuse(id, objection.problem);
            }
        }
        relied.push(examined);
        let claimed = match kind {
            TargetType::Commit => Kind::Commit,
            TargetType::Tag => Kind::Tag,
            TargetType::Tree => Kind::Tree,
            TargetType::Blob => Kind::Blob,
        };
        let real = case.objects.header(&object)?.map(|header| header.kind);
        if real.is_some_and(|real| real != claimed) {
            let reason = format!("says that it points to a {}, which it does not", claimed.as_str());
            refuse(id, Problem::new(&rule::malformed_object::RULE, reason));
            return Ok(None);
        }
        id = object;
    }
    Ok(None)
}
