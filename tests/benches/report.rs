//! Tables in Markdown, put into the pages that show them.

use std::path::Path;

/// A heading, what was measured, and rows under their titles.
pub struct Table {
    pub title: &'static str,
    pub about: String,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = format!("### {}\n\n{}\n\n", self.title, self.about);
        text.push_str(&line(self.columns.iter().map(|&title| title.to_owned()).collect()));
        let dashes = self.columns.iter().enumerate().map(|(place, _)| if place == 0 { "---" } else { "---:" });
        text.push_str(&line(dashes.map(str::to_owned).collect()));
        self.rows.iter().for_each(|row| text.push_str(&line(row.clone())));
        text
    }
}

const BEGIN: &str = "<!-- measured: tests/benches/run -->";
const END: &str = "<!-- /measured -->";

/// Replaces what stands between the two marks of a page.
pub fn put_into(page: &Path, text: &str) {
    let old = std::fs::read_to_string(page).expect("a page");
    let (before, rest) = old.split_once(BEGIN).unwrap_or_else(|| panic!("{}: no place for results", page.display()));
    let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{}: no end of results", page.display()));
    std::fs::write(page, format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim())).expect("a page");
}
