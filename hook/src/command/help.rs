//! `countersign help [ID]`: the page of a finding.

use super::{CommandError, Done, printed};
use crate::cli::OutputFormat;
use countersign_policy::rule::{ALL, find};
use countersign_policy::text::shown;
use countersign_policy::verdict::Effect;
use serde_json::json;

pub fn run(id: Option<&str>, format: OutputFormat) -> Result<Done, CommandError> {
    let Some(id) = id else {
        let mut text = String::from("countersign help ID explains a finding. The ids:\n\n");
        for rule in ALL {
            text.push_str(&format!("  {:<22} {}\n", rule.id, rule.summary));
        }
        text.push_str("\nCommands and options: countersign --help\n");
        let ids: Vec<_> = ALL.iter().map(|rule| json!({ "id": rule.id, "summary": rule.summary })).collect();
        return Ok(Done::ok(printed(format, &json!({ "schema_version": 1, "findings": ids }), || text)?));
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
    let facts = json!({
        "schema_version": 1, "id": rule.id, "effect": rule.effect, "summary": rule.summary, "help": rule.help.trim(),
        "next": rule.next,
    });
    Ok(Done::ok(printed(format, &facts, || {
        format!("{id}: {}\n\n{effect}\n\n{}\n\nNext: {}\n", rule.summary, rule.help.trim(), rule.next)
    })?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_has_a_page_and_an_unknown_one_says_so() {
        for rule in ALL {
            let page = run(Some(&format!("[{}]", rule.id)), OutputFormat::Text).unwrap();
            assert!(page.text.starts_with(rule.id) && page.text.contains(rule.next));
        }
        assert_eq!(run(Some("nonsense"), OutputFormat::Json).unwrap_err().code(), 64);
        assert!(run(None, OutputFormat::Text).unwrap().text.contains("unsigned"));
    }
}
