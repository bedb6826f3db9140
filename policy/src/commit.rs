//! Raw commit bytes, read once and strictly.
//!
//! Git reads sloppily: it takes the first or the last of repeated headers, skips what it does not
//! know and stops where it likes, so one object can show different commits to different readers.
//! Whatever git itself would not write is therefore refused before the signature is looked at.

use crate::id::{ObjectFormat, ObjectId};
use crate::ident::Ident;
use crate::rule::{malformed_object, multiple_signatures, unsigned, unsigned_data};
use crate::signature::payload::Payload;
use crate::verdict::Problem;
use std::borrow::Cow;

/// Characters of a title in a message: what fits on a terminal beside the reason.
const TITLE_MAX: usize = 72;

/// A commit that follows git's grammar to the letter. Everything is borrowed from its raw bytes.
#[derive(Clone, Debug)]
pub struct Commit<'a> {
    tree: ObjectId,
    parents: Vec<ObjectId>,
    author: Ident<'a>,
    committer: Ident<'a>,
    signature: Option<&'a [u8]>,
    payload: Payload<'a>,
    message: &'a [u8],
}

impl<'a> Commit<'a> {
    /// `tree`, `parent`…, `author`, `committer`, then other headers each at most once, an empty
    /// line, the message. At most one signature, in the header of the repository's own format.
    pub fn parse(raw: &'a [u8], format: ObjectFormat) -> Result<Self, Problem> {
        let mut headers = Headers::new(raw)?;
        let tree = headers.expect(b"tree").and_then(|hex| object_id(hex, format))?;
        let mut parents = Vec::with_capacity(2);
        while let Some(hex) = headers.next_if(b"parent")? {
            parents.push(object_id(hex, format)?);
        }
        let author = headers.expect(b"author").and_then(|line| ident("author", line))?;
        let committer = headers.expect(b"committer").and_then(|line| ident("committer", line))?;
        let rest = headers.rest(format, &[b"tree", b"parent", b"author", b"committer"])?;
        if rest.own.is_none() && rest.foreign {
            let reason = "has a signature only for the other object format, which this repository does not read";
            return Err(Problem::new(&unsigned::RULE, reason));
        }
        if rest.foreign {
            let reason =
                "carries a second signature header of the other object format, which its signature does not cover";
            return Err(Problem::new(&unsigned_data::RULE, reason));
        }
        let payload = match rest.own {
            Some(header) => Payload::around(header.before, header.after),
            None => Payload::whole(raw),
        };
        let signature = rest.own.map(|header| header.value);
        Ok(Commit { tree, parents, author, committer, signature, payload, message: rest.body })
    }

    pub fn tree(&self) -> ObjectId {
        self.tree
    }

    pub fn parents(&self) -> &[ObjectId] {
        &self.parents
    }

    pub fn author(&self) -> &Ident<'a> {
        &self.author
    }

    pub fn committer(&self) -> &Ident<'a> {
        &self.committer
    }

    /// The signature block, unfolded.
    pub fn signature(&self) -> Option<Cow<'a, [u8]>> {
        self.signature.map(unfolded)
    }

    /// Every byte but the signature header: what the signature covers.
    pub fn payload(&self) -> Payload<'a> {
        self.payload
    }

    /// The first line of the message, safe for a terminal.
    pub fn title(&self) -> String {
        title(self.message)
    }

    /// What is wrong with the message, which is for whoever signed it to answer for.
    pub fn message_problem(&self) -> Option<Problem> {
        nul_in(self.message)
    }
}

/// Readers that take a text to its first NUL would show another message than was signed.
pub(crate) fn nul_in(message: &[u8]) -> Option<Problem> {
    memchr::memchr(0, message).is_some().then(|| malformed("holds a NUL byte in its message"))
}

/// Parents and the committer's Unix seconds, for walking history that is not judged.
///
/// Parents are read right after `tree`, as git reads them. A date that is missing or odd is 0.
/// `None` when the object does not even begin as a commit of this format.
pub fn walk_header(raw: &[u8], format: ObjectFormat) -> Option<(Vec<ObjectId>, i64)> {
    let mut rest = Some(raw);
    let mut lines = std::iter::from_fn(|| {
        let left = rest?;
        let (line, after) =
            memchr::memchr(b'\n', left).and_then(|end| left.split_at_checked(end)).unwrap_or((left, b""));
        rest = after.get(1..);
        Some(line)
    });
    let id = |line: &[u8], name: &[u8]| {
        line.strip_prefix(name).and_then(ObjectId::from_hex).filter(|id| id.format() == format)
    };
    id(lines.next()?, b"tree ")?;
    let mut parents = Vec::with_capacity(2);
    let mut next = lines.next();
    while let Some(line) = next.filter(|line| line.starts_with(b"parent ")) {
        parents.push(id(line, b"parent ")?);
        next = lines.next();
    }
    let committer = next
        .into_iter()
        .chain(lines)
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix(b"committer "));
    let seconds = committer.and_then(|line| {
        let date = line.rsplit(|&byte| byte == b'>').next()?.trim_ascii_start();
        std::str::from_utf8(date.split(|&byte| byte == b' ').next()?).ok()?.parse().ok()
    });
    Some((parents, seconds.unwrap_or(0)))
}

pub(crate) fn malformed(reason: impl Into<String>) -> Problem {
    Problem::new(&malformed_object::RULE, reason)
}

pub(crate) fn object_id(hex: &[u8], format: ObjectFormat) -> Result<ObjectId, Problem> {
    match ObjectId::from_hex(hex) {
        Some(id) if id.format() == format => Ok(id),
        Some(_) => Err(malformed("names an object by the other hash format")),
        None => Err(malformed("has a malformed object id in its headers")),
    }
}

pub(crate) fn ident<'a>(role: &str, line: &'a [u8]) -> Result<Ident<'a>, Problem> {
    Ident::parse(line).map_err(|why| malformed(format!("has a malformed {role} line: it {why}")))
}

pub(crate) fn title(message: &[u8]) -> String {
    let first = message.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    crate::text::shown_bytes(first.trim_ascii_end(), TITLE_MAX)
}

/// A folded header value without the space that begins each further line.
fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', value) {
        let next = end + 1;
        out.extend_from_slice(value.get(from..next).unwrap_or_default());
        from = if value.get(next) == Some(&b' ') { next + 1 } else { next };
    }
    out.extend_from_slice(value.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

/// The headers of a commit or tag, read line by line from the top.
pub(crate) struct Headers<'a> {
    raw: &'a [u8],
    /// INVARIANT: the start of a line.
    at: usize,
}

/// A signature header, and the bytes around it.
#[derive(Clone, Copy)]
pub(crate) struct SignatureHeader<'a> {
    /// Still folded, without the final line end.
    pub value: &'a [u8],
    pub before: &'a [u8],
    pub after: &'a [u8],
}

/// What comes after the headers that must be there.
pub(crate) struct Rest<'a> {
    /// The signature header of the repository's own object format.
    pub own: Option<SignatureHeader<'a>>,
    /// Whether there is a signature header of the other format.
    pub foreign: bool,
    pub body: &'a [u8],
}

impl<'a> Headers<'a> {
    pub fn new(raw: &'a [u8]) -> Result<Self, Problem> {
        let headers = memchr::memmem::find(raw, b"\n\n").map_or(raw.len(), |at| at + 2);
        if raw.get(..headers).is_none_or(|headers| memchr::memchr(0, headers).is_some()) {
            return Err(malformed("holds a NUL byte in its headers"));
        }
        Ok(Headers { raw, at: 0 })
    }

    fn remaining(&self) -> &'a [u8] {
        self.raw.get(self.at..).unwrap_or_default()
    }

    /// The next line without its end; a header line must have one.
    fn line(&self) -> Result<&'a [u8], Problem> {
        let rest = self.remaining();
        let end = memchr::memchr(b'\n', rest);
        end.and_then(|end| rest.get(..end)).ok_or_else(|| malformed("ends in the middle of its headers"))
    }

    /// The value of the next line if it is the header `name`.
    pub fn next_if(&mut self, name: &[u8]) -> Result<Option<&'a [u8]>, Problem> {
        let line = self.line()?;
        let Some(value) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(b" ")) else {
            return Ok(None);
        };
        self.at += line.len() + 1;
        Ok(Some(value))
    }

    pub fn expect(&mut self, name: &'static [u8]) -> Result<&'a [u8], Problem> {
        self.next_if(name)?
            .ok_or_else(|| malformed(format!("has no {} line where one belongs", crate::text::shown_bytes(name, 20))))
    }

    /// Reads the optional headers, the empty line and the body. `fixed` are the headers that have
    /// their place above and may not come again.
    pub fn rest(mut self, format: ObjectFormat, fixed: &[&[u8]]) -> Result<Rest<'a>, Problem> {
        let other: &[u8] = match format {
            ObjectFormat::Sha1 => ObjectFormat::Sha256.signature_header(),
            ObjectFormat::Sha256 => ObjectFormat::Sha1.signature_header(),
        };
        let (mut own, mut foreign, mut encodings) = (None, false, 0);
        loop {
            if self.remaining().is_empty() {
                return Err(malformed("ends without the empty line that closes its headers"));
            }
            let start = self.at;
            let line = self.line()?;
            self.at += line.len() + 1;
            if line.is_empty() {
                return Ok(Rest { own, foreign, body: self.remaining() });
            }
            let (name, value) = named(line)?;
            while self.remaining().starts_with(b" ") {
                self.at += self.line()?.len() + 1;
            }
            let shown = || crate::text::shown_bytes(name, 40);
            if fixed.contains(&name) {
                return Err(malformed(format!("has a second or misplaced {} line", shown())));
            }
            let value_start = start + line.len() - value.len();
            let value = self.raw.get(value_start..self.at.saturating_sub(1)).unwrap_or_default();
            // A mergetag quotes another object, whose message may hold what it likes.
            if name != b"mergetag" && memchr::memchr(b'\r', value).is_some() {
                return Err(malformed(format!("has a carriage return in its {} header", shown())));
            }
            if name == b"encoding" {
                encodings += 1;
                if encodings > 1 || value.contains(&b'\n') {
                    return Err(malformed("has a malformed or second encoding header"));
                }
                if !keeps_ascii(value) {
                    let shown = crate::text::shown_bytes(value, 40);
                    return Err(malformed(format!("has the encoding {shown}, under which git may show other names")));
                }
            } else if name == format.signature_header() {
                if own.is_some() {
                    return Err(Problem::new(&multiple_signatures::RULE, "has more than one signature header"));
                }
                let before = self.raw.get(..start).unwrap_or_default();
                own = Some(SignatureHeader { value, before, after: self.remaining() });
            } else if name == other {
                foreign = true;
            }
        }
    }
}

/// Names of encodings, without case, hyphens and underscores, in which every ASCII character stands for itself
/// and no other byte sequence stands for `<`, `>` or a line's end; followed by digits or a letter where it ends in `*`.
/// Git converts the whole commit before it looks for names: in UTF-7, UTF-16 or EBCDIC it finds other ones.
const KEEP_ASCII: [&str; 20] = [
    "utf8",
    "usascii",
    "ascii",
    "latin*",
    "iso8859*",
    "windows125*",
    "cp125*",
    "cp437",
    "cp85*",
    "cp866",
    "koi8*",
    "macintosh",
    "macroman",
    "tis620",
    "euc*",
    "shiftjis",
    "sjis",
    "cp932",
    "cp949",
    "cp936",
];
const KEEP_ASCII_TOO: [&str; 6] = ["windows31j", "gb2312", "gbk", "gb18030", "big5", "big5hkscs"];

/// Whether git's conversion of the headers leaves the names in them what their bytes say.
fn keeps_ascii(encoding: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(encoding) else { return false };
    let plain: String = name.chars().filter(|c| !"-_".contains(*c)).collect::<String>().to_ascii_lowercase();
    KEEP_ASCII.iter().chain(&KEEP_ASCII_TOO).any(|known| match known.strip_suffix('*') {
        Some(family) => plain
            .strip_prefix(family)
            .is_some_and(|rest| rest.len() <= 2 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())),
        None => plain == *known,
    })
}

/// A header line taken apart: a name of visible ASCII, one space, the value.
fn named(line: &[u8]) -> Result<(&[u8], &[u8]), Problem> {
    let space = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    match (line.get(..space), line.get(space + 1..)) {
        (Some(name), Some(value)) if !name.is_empty() && name.iter().all(u8::is_ascii_graphic) => Ok((name, value)),
        _ => Err(malformed("has a header line that is not of the form `name value`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
    const PARENT: &str = "parent 1111111111111111111111111111111111111111\n";
    const AUTHOR: &str = "author A <a@x.example> 1700000000 +0000\n";
    const COMMITTER: &str = "committer C <c@x.example> 1700000100 +0100\n";
    const GPGSIG: &str = "gpgsig -----BEGIN X-----\n \n AAAA\n -----END X-----\n";

    fn join(parts: &[&str]) -> Vec<u8> {
        parts.concat().into_bytes()
    }

    fn id_of(raw: &[u8]) -> &'static str {
        Commit::parse(raw, ObjectFormat::Sha1).map_or_else(|problem| problem.rule.id, |_| "ok")
    }

    fn judged(parts: &[&str]) -> &'static str {
        id_of(&join(parts))
    }

    #[test]
    fn a_signed_merge_is_taken_apart_without_a_copy() {
        let raw = join(&[TREE, PARENT, PARENT, AUTHOR, COMMITTER, GPGSIG, "\n", "bump axios\n\nmore\n"]);
        let commit = Commit::parse(&raw, ObjectFormat::Sha1).unwrap();
        assert_eq!(commit.parents().len(), 2);
        assert_eq!((commit.author().email, commit.committer().email), ("a@x.example", "c@x.example"));
        assert_eq!(commit.signature().unwrap().as_ref(), b"-----BEGIN X-----\n\nAAAA\n-----END X-----");
        let unsigned = join(&[TREE, PARENT, PARENT, AUTHOR, COMMITTER, "\n", "bump axios\n\nmore\n"]);
        assert_eq!(commit.payload().to_vec(), unsigned);
        assert_eq!(commit.title(), "bump axios");
        assert_eq!(walk_header(&raw, ObjectFormat::Sha1).unwrap(), (commit.parents().to_vec(), 1_700_000_100));
    }

    #[test]
    fn a01_a_commit_without_the_header_has_no_signature() {
        let raw = join(&[TREE, AUTHOR, COMMITTER, "\n", GPGSIG]);
        assert!(Commit::parse(&raw, ObjectFormat::Sha1).unwrap().signature().is_none(), "a22: not in the message");
    }

    #[test]
    fn a04_nul_is_refused_everywhere() {
        assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, "x a\0b\n", "\n", "m\n"]), "malformed-object");
        let raw = join(&[TREE, AUTHOR, COMMITTER, "\n", "m\0hidden\n"]);
        let problem = Commit::parse(&raw, ObjectFormat::Sha1).unwrap().message_problem();
        assert_eq!(problem.unwrap().rule.id, "malformed-object", "a03: once it is known who signed it");
    }

    #[test]
    fn a05_a06_a_signature_header_has_its_place_after_committer() {
        assert_eq!(judged(&[TREE, GPGSIG, PARENT, AUTHOR, COMMITTER, "\n", "m"]), "malformed-object");
        assert_eq!(judged(&[TREE, PARENT, GPGSIG, AUTHOR, COMMITTER, "\n", "m"]), "malformed-object");
        assert_eq!(judged(&[TREE, AUTHOR, GPGSIG, COMMITTER, "\n", "m"]), "malformed-object");
    }

    #[test]
    fn a07_a08_a09_nobody_is_named_twice() {
        for second in [AUTHOR, COMMITTER, TREE, PARENT] {
            assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, second, "\n", "m"]), "malformed-object", "{second}");
            assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, GPGSIG, second, "\n", "m"]), "malformed-object", "{second}");
        }
        assert_eq!(judged(&[TREE, AUTHOR, AUTHOR, COMMITTER, "\n", "m"]), "malformed-object");
    }

    #[test]
    fn a12_headers_after_the_signature_are_part_of_the_payload() {
        let raw = join(&[TREE, AUTHOR, COMMITTER, GPGSIG, "x-note later\n", "\n", "m"]);
        let payload = Commit::parse(&raw, ObjectFormat::Sha1).unwrap().payload().to_vec();
        assert_eq!(payload, join(&[TREE, AUTHOR, COMMITTER, "x-note later\n", "\n", "m"]));
    }

    #[test]
    fn a15_a38_the_other_formats_header_is_refused() {
        let other = GPGSIG.replace("gpgsig", "gpgsig-sha256");
        assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, GPGSIG, &other, "\n", "m"]), "unsigned-data");
        assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, &other, "\n", "m"]), "unsigned");
        let sha256 = join(&[TREE, AUTHOR, COMMITTER, "\n", "m"]);
        assert!(Commit::parse(&sha256, ObjectFormat::Sha256).is_err(), "ids of 40 digits");
        assert!(walk_header(&sha256, ObjectFormat::Sha256).is_none());
    }

    #[test]
    fn m08_a_sha256_commit_is_signed_in_its_own_header() {
        let long = format!("tree {}\n", "ab".repeat(32));
        let own = GPGSIG.replace("gpgsig", "gpgsig-sha256");
        let raw = join(&[&long, AUTHOR, COMMITTER, &own, "\n", "m"]);
        assert!(Commit::parse(&raw, ObjectFormat::Sha256).unwrap().signature().is_some());
        let wrong = join(&[&long, AUTHOR, COMMITTER, GPGSIG, "\n", "m"]);
        assert_eq!(Commit::parse(&wrong, ObjectFormat::Sha256).unwrap_err().rule.id, "unsigned");
    }

    #[test]
    fn a27_an_encoding_does_not_change_who_is_named() {
        for known in [
            "UTF-8",
            "utf8",
            "US-ASCII",
            "ISO-8859-1",
            "iso8859-15",
            "latin1",
            "windows-1252",
            "CP1251",
            "KOI8-R",
            "EUC-JP",
            "Shift_JIS",
            "GB18030",
            "Big5",
        ] {
            assert_eq!(
                judged(&[TREE, AUTHOR, COMMITTER, &format!("encoding {known}\n"), GPGSIG, "\n", "m"]),
                "ok",
                "{known}"
            );
        }
        for other in [
            "UTF-7",
            "UTF-16LE",
            "UTF-32",
            "IBM037",
            "EBCDIC-US",
            "ISO-2022-JP",
            "HZ",
            "\u{1b}[31m",
            "",
            "UTF-8//IGNORE",
            "cp1026",
            "windows-1252//x",
            "latin1,UTF-7",
            "latin1utf7",
            "latin/",
        ] {
            let header = format!("encoding {other}\n");
            assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, &header, GPGSIG, "\n", "m"]), "malformed-object", "{other:?}");
        }
    }

    #[test]
    fn a27_an_encoding_is_said_once() {
        let header = "encoding UTF-8\n";
        assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, header, header, GPGSIG, "\n", "m"]), "malformed-object");
        let apart = [TREE, AUTHOR, COMMITTER, header, GPGSIG, header, "\n", "m"];
        assert_eq!(judged(&apart), "malformed-object");
    }

    #[test]
    fn a21_a_space_before_the_signature_is_part_of_it() {
        let raw = join(&[TREE, AUTHOR, COMMITTER, &GPGSIG.replacen(' ', "  ", 1), "\n", "m"]);
        let commit = Commit::parse(&raw, ObjectFormat::Sha1).unwrap();
        assert!(commit.signature().unwrap().starts_with(b" -----BEGIN X-----\n\n"), "one signature has one form");
    }

    #[test]
    fn a16_a17_two_signature_headers_are_refused() {
        assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, GPGSIG, GPGSIG, "\n", "m"]), "multiple-signatures");
        assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, GPGSIG, "x y\n", GPGSIG, "\n", "m"]), "multiple-signatures");
    }

    #[test]
    fn a23_a24_a_mergetag_is_nobodys_signature() {
        let mergetag = "mergetag object 1111111111111111111111111111111111111111\n type commit\n tag v1\n \n m\r\n -----BEGIN PGP SIGNATURE-----\n";
        let raw = join(&[TREE, PARENT, AUTHOR, COMMITTER, mergetag, mergetag, "\n", "m"]);
        assert!(Commit::parse(&raw, ObjectFormat::Sha1).unwrap().signature().is_none());
        assert_eq!(judged(&[TREE, PARENT, AUTHOR, COMMITTER, mergetag, GPGSIG, "\n", "m"]), "ok", "m09");
    }

    #[test]
    fn a25_a26_headers_are_folded_by_a_space_and_end_in_a_line_feed() {
        for bad in
            ["gpgsig a\n\tb\n", "noval\n", " x\n", "x\u{7f}y z\n", "gpgsig a\r\n b\n", "encoding a\nencoding b\n"]
        {
            assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, bad, "\n", "m"]), "malformed-object", "{bad:?}");
        }
        assert_eq!(judged(&[TREE, AUTHOR, " x\n", COMMITTER, "\n", "m"]), "malformed-object");
        assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, "gpgsig a"]), "malformed-object", "truncated");
        assert_eq!(judged(&[&TREE.replace('\n', "\r\n"), AUTHOR, COMMITTER, "\n", "m"]), "malformed-object");
        assert_eq!(judged(&[TREE, &AUTHOR.replace('\n', "\r\n"), COMMITTER, "\n", "m"]), "malformed-object");
        assert_eq!(
            judged(&[TREE, &PARENT.replace("parent ", "parent  "), AUTHOR, COMMITTER, "\n", "m"]),
            "malformed-object"
        );
    }

    #[test]
    fn m09_m10_what_git_writes_is_accepted() {
        for message in ["m\n", "", "m", "a\r\nb\r\n", "\n\n  late title\n"] {
            assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, "\n", message]), "ok", "{message:?}");
        }
        let mut latin = join(&[TREE, AUTHOR, COMMITTER, "encoding ISO-8859-1\n", "\n", "caf"]);
        latin.extend_from_slice(b"\xe9\n");
        assert_eq!(Commit::parse(&latin, ObjectFormat::Sha1).unwrap().title(), "caf\\xe9");
        assert_eq!(judged(&[TREE, AUTHOR, COMMITTER, "HG:extra a\n b\n c\n", GPGSIG, "\n", "m"]), "ok");
        assert_eq!(judged(&[TREE, AUTHOR, COMMITTER]), "malformed-object", "git closes the headers by an empty line");
    }

    #[test]
    fn c31_a_title_cannot_steer_a_terminal() {
        let raw = join(&[TREE, AUTHOR, COMMITTER, "\n", "a\u{1b}[2J", &"x".repeat(200)]);
        let title = Commit::parse(&raw, ObjectFormat::Sha1).unwrap().title();
        assert!(title.starts_with("a\\u{1b}[2J") && title.chars().count() < 90);
    }

    #[test]
    fn walking_forgives_what_judging_does_not() {
        let odd = join(&[TREE, PARENT, "author x\n", "committer y\n", COMMITTER, "\n", "m\0"]);
        assert_eq!(walk_header(&odd, ObjectFormat::Sha1).unwrap().1, 0);
        let negative = join(&[TREE, PARENT, AUTHOR, "committer C <c@x> -5 +0000\n"]);
        assert_eq!(walk_header(&negative, ObjectFormat::Sha1).unwrap().1, -5);
        let cut = join(&[TREE, GPGSIG, PARENT, AUTHOR, COMMITTER, "\n"]);
        assert!(walk_header(&cut, ObjectFormat::Sha1).unwrap().0.is_empty(), "as git reads it");
        assert!(walk_header(b"blob", ObjectFormat::Sha1).is_none());
    }

    #[test]
    fn the_parser_never_panics() {
        let raw = join(&[TREE, PARENT, AUTHOR, COMMITTER, GPGSIG, "\n", "m\n"]);
        for end in 0..raw.len() {
            let _ = id_of(&raw[..end]);
            let _ = walk_header(&raw[..end], ObjectFormat::Sha1);
            for byte in [b'\n', b' ', b'<', 0xff] {
                let mut changed = raw.clone();
                changed[end] = byte;
                let _ = id_of(&changed);
            }
        }
    }
}
