//! Environment ─► who pushed, where, how; and how to talk back.
//!
//! Which variables are believed is fixed by the kind of forge that the operator installed the hook for.
//! A client that can set variables (`SendEnv`) so cannot pose as another forge.

mod gitea;
mod gitlab;
mod gitolite;
mod plain;

use countersign_policy::id::{Account, RefName};
use std::ffi::OsString;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForgeKind {
    #[default]
    Plain,
    Gitea,
    Gitlab,
    Gitolite,
}

impl ForgeKind {
    pub const ALL: [ForgeKind; 4] = [ForgeKind::Plain, ForgeKind::Gitea, ForgeKind::Gitlab, ForgeKind::Gitolite];

    pub fn as_str(self) -> &'static str {
        match self {
            ForgeKind::Plain => "plain",
            ForgeKind::Gitea => "gitea",
            ForgeKind::Gitlab => "gitlab",
            ForgeKind::Gitolite => "gitolite",
        }
    }
}

impl std::str::FromStr for ForgeKind {
    type Err = String;

    /// `forgejo` is read as `gitea`: their hooks speak the same variables.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = if text == "forgejo" { "gitea" } else { text };
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            format!(
                "`{}` is no forge kind: plain, gitea, forgejo, gitlab, gitolite",
                countersign_policy::text::shown(text, 40)
            )
        })
    }
}

/// What the server says about a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSays {
    /// As the registry maps it, `gitea:alice`.
    pub account: Option<Account>,
    /// As the server wrote it, for the record.
    pub account_text: Option<String>,
    pub via: Option<String>,
    pub address: Option<String>,
    /// The forge's own id of the repository, `gitea:12`; outlives renames.
    pub repository_id: Option<String>,
    /// `owner/name`.
    pub repository_name: Option<String>,
    /// The forge makes this write itself, not on a person's word (review refs).
    pub internal: bool,
}

/// Looks variables up; a function, so that tests need no process environment.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Longest value taken over from the environment, in characters.
const VALUE_MAX: usize = 200;

fn text(variables: Variables<'_>, name: &str) -> Option<String> {
    let value = variables(name)?;
    let value =
        countersign_policy::text::shown_bytes(std::os::unix::ffi::OsStrExt::as_bytes(value.as_os_str()), VALUE_MAX);
    (!value.is_empty()).then_some(value)
}

/// The client's address of `SSH_CONNECTION`.
fn ssh_address(variables: Variables<'_>) -> Option<String> {
    text(variables, "SSH_CONNECTION")?.split(' ').next().filter(|address| !address.is_empty()).map(str::to_owned)
}

fn account(forge: &str, name: &str) -> Option<Account> {
    Account::new(&format!("{forge}:{name}")).ok()
}

pub fn ask(kind: ForgeKind, variables: Variables<'_>) -> ServerSays {
    match kind {
        ForgeKind::Plain => plain::ask(variables),
        ForgeKind::Gitea => gitea::ask(variables),
        ForgeKind::Gitlab => gitlab::ask(variables),
        ForgeKind::Gitolite => gitolite::ask(variables),
    }
}

/// Whether the forge itself keeps such refs, so that a write marked as its own is recorded and not refused.
pub fn is_review_ref(kind: ForgeKind, name: &RefName) -> bool {
    let name = name.as_bytes();
    match kind {
        ForgeKind::Gitea => name.starts_with(b"refs/pull/") || name.starts_with(b"refs/remotes/mergebase-"),
        ForgeKind::Gitlab => [
            b"refs/merge-requests/".as_slice(),
            b"refs/keep-around/",
            b"refs/pipelines/",
            b"refs/environments/",
            b"refs/tmp/",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix)),
        ForgeKind::Plain | ForgeKind::Gitolite => false,
    }
}

/// How a line reaches the person through this forge. GitLab shows only marked lines on its pages.
pub fn line(kind: ForgeKind, says: &ServerSays, line: &str) -> String {
    match kind {
        ForgeKind::Gitlab if says.via.as_deref() == Some("web") => format!("GL-HOOK-ERR: {line}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
pub(crate) fn variables_of<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
    move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
}
