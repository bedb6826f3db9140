//! Gitea and Forgejo.

use super::{ServerSays, Variables, account, ssh_address, text};

pub fn ask(variables: Variables<'_>) -> ServerSays {
    let deploy_key = text(variables, "GITEA_DEPLOY_KEY_ID").filter(|id| id != "0");
    let name = match &deploy_key {
        // For a deploy key Gitea names the repository's owner, who did not push.
        Some(id) => Some(format!("deploy-key-{id}")),
        None => text(variables, "GITEA_PUSHER_NAME"),
    };
    let ssh = ssh_address(variables);
    let command = text(variables, "SSH_ORIGINAL_COMMAND").unwrap_or_default();
    let via = if command == "gitea-internal" {
        Some("web")
    } else if text(variables, "GITEA_KEY_ID").is_some() || command.starts_with("git") {
        Some("ssh")
    } else if name.is_some() {
        Some("http")
    } else {
        None
    };
    ServerSays {
        account: name.as_deref().and_then(|name| account("gitea", name)),
        account_text: name,
        via: via.map(str::to_owned),
        address: ssh,
        repository_id: text(variables, "GITEA_REPO_ID").map(|id| format!("gitea:{id}")),
        repository_name: match (text(variables, "GITEA_REPO_USER_NAME"), text(variables, "GITEA_REPO_NAME")) {
            (Some(owner), Some(name)) => Some(format!("{owner}/{name}")),
            _ => None,
        },
        internal: text(variables, "GITEA_INTERNAL_PUSH").as_deref() == Some("true"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::variables_of;
    use super::*;

    #[test]
    fn the_pusher_is_the_account_and_a_deploy_key_is_not_its_owner() {
        let base = [("GITEA_REPO_ID", "12"), ("GITEA_REPO_USER_NAME", "Alice"), ("GITEA_REPO_NAME", "app")];
        let with = |more: &[(&'static str, &'static str)]| {
            let all: Vec<_> = base.iter().chain(more).copied().collect();
            ask(&variables_of(&all))
        };
        let says = with(&[("GITEA_PUSHER_NAME", "alice"), ("GITEA_KEY_ID", "3"), ("GITEA_DEPLOY_KEY_ID", "0")]);
        assert_eq!(says.account.unwrap().as_str(), "gitea:alice");
        assert_eq!((says.via.as_deref(), says.repository_id.as_deref()), (Some("ssh"), Some("gitea:12")));
        let says = with(&[("GITEA_PUSHER_NAME", "alice"), ("GITEA_DEPLOY_KEY_ID", "4")]);
        assert_eq!(says.account.unwrap().as_str(), "gitea:deploy-key-4");
        let says = with(&[("GITEA_PUSHER_NAME", "bob"), ("SSH_ORIGINAL_COMMAND", "gitea-internal")]);
        assert_eq!((says.via.as_deref(), says.internal), (Some("web"), false));
        assert!(with(&[("GITEA_INTERNAL_PUSH", "true")]).internal);
    }
}
