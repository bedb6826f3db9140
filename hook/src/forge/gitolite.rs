//! gitolite, which shares the `GL_` prefix with GitLab and nothing else.

use super::{ServerSays, Variables, account, ssh_address, text};

pub fn ask(variables: Variables<'_>) -> ServerSays {
    let name = text(variables, "GL_USER");
    ServerSays {
        account: name.as_deref().and_then(|name| account("gitolite", name)),
        account_text: name,
        via: Some(if text(variables, "REMOTE_ADDR").is_some() { "http" } else { "ssh" }.to_owned()),
        address: ssh_address(variables),
        repository_id: None,
        repository_name: text(variables, "GL_REPO"),
        internal: false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::variables_of;
    use super::*;

    #[test]
    fn gitolite_names_user_and_repository() {
        let says =
            ask(&variables_of(&[("GL_USER", "alice"), ("GL_REPO", "app"), ("SSH_CONNECTION", "192.0.2.7 1 2 3")]));
        assert_eq!(says.account.unwrap().as_str(), "gitolite:alice");
        assert_eq!((says.repository_name.as_deref(), says.address.as_deref()), (Some("app"), Some("192.0.2.7")));
    }
}
