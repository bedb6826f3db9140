//! GitLab, through Gitaly.

use super::{ServerSays, Variables, account, text};

pub fn ask(variables: Variables<'_>) -> ServerSays {
    // `GL_ID` of a deploy key begins with `key-`; `GL_USERNAME` then names nobody who pushed.
    let id = text(variables, "GL_ID");
    let name = match id.as_deref() {
        Some(id) if !id.starts_with("user-") => Some(id.to_owned()),
        _ => text(variables, "GL_USERNAME"),
    };
    ServerSays {
        account: name.as_deref().and_then(|name| account("gitlab", name)),
        account_text: name,
        via: text(variables, "GL_PROTOCOL"),
        address: None,
        repository_id: text(variables, "GL_REPOSITORY").map(|id| format!("gitlab:{id}")),
        repository_name: text(variables, "GL_PROJECT_PATH"),
        internal: false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::variables_of;
    use super::*;

    #[test]
    fn gitlab_names_user_project_and_protocol() {
        let says = ask(&variables_of(&[
            ("GL_ID", "user-7"),
            ("GL_USERNAME", "alice"),
            ("GL_REPOSITORY", "project-3"),
            ("GL_PROJECT_PATH", "group/app"),
            ("GL_PROTOCOL", "web"),
        ]));
        assert_eq!(says.account.unwrap().as_str(), "gitlab:alice");
        assert_eq!(says.repository_id.as_deref(), Some("gitlab:project-3"));
        assert_eq!(ask(&variables_of(&[("GL_ID", "key-4")])).account.unwrap().as_str(), "gitlab:key-4");
    }
}
