//! Plain git over ssh or `git http-backend`.

use super::{ServerSays, Variables, account, ssh_address, text};

pub fn ask(variables: Variables<'_>) -> ServerSays {
    let ssh = ssh_address(variables);
    // Over ssh a client may be allowed to set variables; REMOTE_USER counts only where a web server set it.
    let user = if ssh.is_some() { None } else { text(variables, "REMOTE_USER") };
    let http = if ssh.is_some() { None } else { text(variables, "REMOTE_ADDR") };
    ServerSays {
        account: user.as_deref().and_then(|user| account("http", user)),
        via: match (&ssh, &user, &http) {
            (Some(_), _, _) => Some("ssh".to_owned()),
            (None, None, None) => None,
            _ => Some("http".to_owned()),
        },
        account_text: user,
        address: ssh.or(http),
        ..ServerSays::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::variables_of;
    use super::*;

    #[test]
    fn a_web_server_names_the_account_and_an_ssh_client_cannot() {
        let says = ask(&variables_of(&[("REMOTE_USER", "alice"), ("REMOTE_ADDR", "192.0.2.7")]));
        assert_eq!(says.account.unwrap().as_str(), "http:alice");
        assert_eq!(says.via.as_deref(), Some("http"));
        let says = ask(&variables_of(&[("REMOTE_USER", "alice"), ("SSH_CONNECTION", "192.0.2.7 1 192.0.2.1 22")]));
        assert_eq!(
            (says.account, says.via.as_deref(), says.address.as_deref()),
            (None, Some("ssh"), Some("192.0.2.7"))
        );
        assert_eq!(ask(&variables_of(&[])), ServerSays::default());
    }
}
