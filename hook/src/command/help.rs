//! `countersign help [ID]`: the page of a finding.

use super::{CommandError, Done};
use countersign_policy::rule::{ALL, find};
use countersign_policy::text::shown;
use countersign_policy::verdict::Effect;

pub fn run(id: Option<&str>) -> Result<Done, CommandError> {
    let Some(id) = id else {
        let mut text = String::from("countersign help ID explains a finding. The ids:\n\n");
        for rule in ALL {
            text.push_str(&format!("  {:<22} {}\n", rule.id, rule.summary));
        }
        text.push_str("\nCommands and options: countersign --help\n");
        return Ok(Done::ok(text));
    };
    // People copy the brackets along.
    let id = id.trim_matches(['[', ']']);
    let Some(rule) = find(id) else {
        return Err(CommandError::Usage(format!(
            "there is no finding `{}`; `countersign help` lists them",
            shown(id, 60)
        )));
    };
    let effect = match rule.effect {
        Effect::Deny => "The push is rejected.",
        Effect::Undecided => "The push could not be decided; the server is at fault, not the push.",
        Effect::Note => "Only noted; the push is not held up.",
    };
    Ok(Done::ok(format!("{id}: {}\n\n{effect}\n\n{}\n\nNext: {}\n", rule.summary, rule.help.trim(), rule.next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_has_a_page_and_an_unknown_one_says_so() {
        for rule in ALL {
            let page = run(Some(&format!("[{}]", rule.id))).unwrap();
            assert!(page.text.starts_with(rule.id) && page.text.contains(rule.next));
        }
        assert_eq!(run(Some("nonsense")).unwrap_err().code(), 64);
        assert!(run(None).unwrap().text.contains("unsigned"));
    }
}
