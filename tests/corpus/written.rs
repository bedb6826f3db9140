//! Vectors that are written down as raw objects: `*.yaml` beside this file.

use crate::bench::Bench;
use crate::object::{Format, Kind, Object};
use crate::signer::Signer;
use crate::vector::Vector;
use countersign_tests::handmade::{DATE, capitalised};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    vector: String,
    about: String,
    expected: String,
    #[serde(default)]
    sha256: bool,
    commit: Option<String>,
    tag: Option<String>,
    /// Commits and tags that the pushed one needs, oldest first; `{1}`, `{2}` are their ids.
    #[serde(default)]
    before: Vec<Before>,
    /// Where it is pushed to; `main`, or the tag `v1`.
    #[serde(rename = "ref")]
    name: Option<String>,
    /// Done to the bytes after they were signed.
    #[serde(default)]
    edit: Vec<[String; 2]>,
    #[serde(default)]
    append: String,
    /// Wraps the signature's base64 anew, at this width.
    rewrap: Option<usize>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
struct Before {
    commit: Option<String>,
    tag: Option<String>,
}

const FILES: &[(&str, &str)] = &[
    ("commits.yaml", include_str!("commits.yaml")),
    ("tags.yaml", include_str!("tags.yaml")),
    ("identity.yaml", include_str!("identity.yaml")),
    ("accepted.yaml", include_str!("accepted.yaml")),
];

pub fn vectors() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (file, text) in FILES {
        let written: Vec<Written> = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        for written in written {
            let (name, about, expected) = (written.vector.clone(), written.about.clone(), written.expected.clone());
            vectors.push(Vector::new(&name, &about, &expected, move |bench| written.attempt(bench)));
        }
    }
    vectors
}

impl Written {
    fn attempt(&self, bench: &Bench<'_>) -> crate::bench::Answer {
        if self.sha256 {
            bench.use_format(Format::Sha256);
        }
        let mut objects: Vec<Object> = Vec::new();
        for before in &self.before {
            let (kind, text) = one_of(&before.commit, &before.tag);
            let object = bench.object(kind, &with_ids(text, &objects));
            objects.push(object);
        }
        let (kind, text) = one_of(&self.commit, &self.tag);
        let made = bench.object(kind, &with_ids(text, &objects));
        let mut bytes = made.bytes;
        if let Some(width) = self.rewrap {
            bytes = rewrapped(&bytes, width);
        }
        for [from, to] in &self.edit {
            let (from, to) = (plain(&with_ids(from, &objects), bench), plain(&with_ids(to, &objects), bench));
            let at = bytes.windows(from.len()).position(|window| window == from);
            let at = at.unwrap_or_else(|| panic!("{}: nothing to edit", self.vector));
            bytes.splice(at..at + from.len(), to);
        }
        bytes.extend(plain(&self.append, bench));
        objects.push(Object::new(bench.format(), kind, bytes));
        match (kind, &self.name) {
            (Kind::Tag, name) => bench.to_tag(name.as_deref().unwrap_or("v1"), &objects),
            (_, None) => bench.to_main(&objects),
            (_, Some(name)) => {
                let new = objects.last().expect("a commit").id.clone();
                bench.push(&objects, &[crate::bench::Update::create(name, &new)])
            }
        }
    }
}

/// The same signature in lines of another width.
fn rewrapped(bytes: &[u8], width: usize) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).expect("text");
    let (begin, end) = ("-----BEGIN SSH SIGNATURE-----\n", "\n -----END");
    let start = text.find(begin).expect("a signature") + begin.len();
    let stop = text.find(end).expect("a signature");
    let base64: String = text[start..stop].split_whitespace().collect();
    let lines: Vec<&str> =
        base64.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("{} {}{}", &text[..start], lines.join("\n "), &text[stop..]).into_bytes()
}

fn one_of<'a>(commit: &'a Option<String>, tag: &'a Option<String>) -> (Kind, &'a str) {
    match (commit, tag) {
        (Some(text), None) => (Kind::Commit, text),
        (None, Some(text)) => (Kind::Tag, text),
        _ => panic!("a vector is one commit or one tag"),
    }
}

fn with_ids(text: &str, objects: &[Object]) -> String {
    let mut text = text.to_owned();
    for (number, object) in objects.iter().enumerate() {
        text = text.replace(&format!("{{{}}}", number + 1), &object.id);
    }
    text
}

fn plain(text: &str, bench: &Bench<'_>) -> Vec<u8> {
    let value = |name: &str| match name {
        "base" => Some(bench.base()),
        "tree" => Some(bench.tree()),
        _ => None,
    };
    fill(text, &value, &|_| None)
}

/// A place in a template where a signature comes.
enum Signature<'t> {
    /// A header, `gpgsig` or `gpgsig-sha256`, by the one named.
    Header(&'t str, &'t str),
    /// The end of a tag.
    Trailer(&'t str),
}

/// Fills a template's `{…}`. Signatures cover the filled text without themselves.
pub fn fill<'s>(
    template: &str,
    value: &dyn Fn(&str) -> Option<String>,
    signer: &dyn Fn(&str) -> Option<&'s dyn Signer>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut signatures = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        bytes.extend(before.as_bytes());
        let (word, after) = after.split_once('}').expect("a closed brace");
        rest = after;
        let (name, argument) = word.split_once(':').unwrap_or((word, ""));
        match name {
            "gpgsig" | "gpgsig-sha256" => {
                signatures.push((bytes.len(), Signature::Header(name, argument)));
                // The header is a whole line, also in the template.
                rest = rest.strip_prefix('\n').unwrap_or(rest);
            }
            "signature" => {
                signatures.push((bytes.len(), Signature::Trailer(argument)));
                rest = rest.strip_prefix('\n').unwrap_or(rest);
            }
            _ => bytes.extend(
                character(name, argument)
                    .or_else(|| value(name).map(String::into_bytes))
                    .unwrap_or_else(|| ident(name)),
            ),
        }
    }
    bytes.extend(rest.as_bytes());
    let payload = bytes.clone();
    for (at, signature) in signatures.into_iter().rev() {
        let who = match signature {
            Signature::Header(_, who) | Signature::Trailer(who) => who,
        };
        let block = signer(who).unwrap_or_else(|| panic!("nobody is called `{who}`")).sign(&payload);
        let text = match signature {
            Signature::Header(name, _) => format!("{name} {}\n", block.trim_end().replace('\n', "\n ")),
            Signature::Trailer(_) => block,
        };
        bytes.splice(at..at, text.into_bytes());
    }
    bytes
}

/// Bytes that a text file should not hold.
fn character(name: &str, argument: &str) -> Option<Vec<u8>> {
    Some(match name {
        "nul" => vec![0],
        "cr" => vec![b'\r'],
        "tab" => vec![b'\t'],
        "esc" => vec![0x1b],
        "space" => vec![b' '],
        "newline" => vec![b'\n'],
        // A byte in hex, for what is no UTF-8.
        "byte" => hex::decode(argument).expect("hex"),
        // `{date:V}` is somebody's line with another date and zone.
        "times" => {
            let (text, count) = argument.split_once('*').expect("TEXT*COUNT");
            text.repeat(count.parse().expect("a number")).into_bytes()
        }
        _ => return None,
    })
}

/// `Alice <alice@example.com> 1700000000 +0000` for `alice`; `alice=DATE ZONE` for another date.
fn ident(word: &str) -> Vec<u8> {
    let (name, date) =
        word.split_once('=').map_or((word, format!("{DATE} +0000")), |(name, date)| (name, date.to_owned()));
    assert!(
        name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
        "`{{{word}}}` stands for nothing"
    );
    format!("{} <{name}@example.com> {date}", capitalised(name)).into_bytes()
}
