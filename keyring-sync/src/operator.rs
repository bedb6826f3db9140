//! Who sits at the command line.
//!
//! Whoever may run this program as the registry's Unix user could write into the registry itself; so this is a
//! record of who decided, not a lock against that user.

use countersign_policy::text::is_deceptive;

/// Longest name of an operator in characters, as of persons.
const NAME_MAX: usize = 254;
/// Larger than the accounts of any server; what lies beyond is named by its number.
const PASSWD_MAX: usize = 16 << 20;
/// What the kernel says where nobody logged in.
const NO_LOGIN: u32 = u32::MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Who decides.
    pub name: String,
    /// The Unix user who ran the command.
    pub login: String,
}

impl Operator {
    /// The Unix user who logged in, or `named` by them.
    pub fn find(named: Option<&str>) -> Result<Self, String> {
        let login = login();
        let name = match named.map(str::trim) {
            None => login.clone(),
            Some(name) => {
                let unfit = name.is_empty() || name.chars().count() > NAME_MAX;
                if unfit || name.chars().any(|c| c.is_control() || is_deceptive(c)) {
                    return Err("the name of an operator is one line of visible characters".to_owned());
                }
                name.to_owned()
            }
        };
        Ok(Operator { name, login })
    }
}

/// The kernel remembers who logged in, also behind sudo and su. Where it does not, sudo says who called it.
fn login() -> String {
    let kernel = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse::<u32>().ok());
    let own = rustix::process::getuid().as_raw();
    let sudo = || std::env::var("SUDO_UID").ok()?.parse::<u32>().ok();
    let uid = kernel.filter(|uid| *uid != NO_LOGIN).or_else(sudo).unwrap_or(own);
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    user_name(passwd.get(..PASSWD_MAX).unwrap_or(&passwd), uid)
}

fn user_name(passwd: &str, uid: u32) -> String {
    let named = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    };
    passwd.lines().find_map(named).unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_called_by_name_or_else_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nbroken\n";
        assert_eq!([0, 1000, 7].map(|uid| user_name(passwd, uid)), ["root", "alice", "uid 7"]);
    }

    #[test]
    fn a_name_that_is_given_stands_beside_the_login() {
        let own = Operator::find(None).unwrap();
        assert_eq!(own.name, own.login);
        let named = Operator::find(Some(" alice ")).unwrap();
        assert_eq!((named.name.as_str(), named.login), ("alice", own.login));
        for bad in ["", "  ", "a\u{1b}[2J", "a\u{202e}b"] {
            assert!(Operator::find(Some(bad)).is_err());
        }
    }
}
