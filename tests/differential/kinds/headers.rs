//! Headers moved, doubled, folded and added: after signing, and by the signer.

use crate::cast::Cast;
use crate::object::{AUTHOR, COMMITTER, MESSAGE, PARENT, TAG_HEAD, TAGGER, TREE};
use crate::object::{Objects, What, folded, with_header};
use crate::{openpgp, sshsig};

pub fn generate(cast: &Cast, objects: &mut Objects) {
    for signer in &cast.signers {
        let payload = What::Commit.payload();
        let signature = (signer.sign)(&payload);
        commit_after(&What::Commit.signed(&payload, &signature), &payload, &signature, objects);
        let payload = What::Tag.payload();
        let signature = (signer.sign)(&payload);
        tag_after(&What::Tag.signed(&payload, &signature), &payload, &signature, objects);
    }
    let by_openpgp = |payload: &[u8]| {
        let pair = &cast.soft_openpgp.pair;
        openpgp::Recipe::usual(pair).sign(pair, payload)
    };
    let by_ssh = |payload: &[u8]| sshsig::Recipe::usual(&cast.soft_ssh).sign(&cast.soft_ssh, payload);
    for sign in [&by_openpgp as &dyn Fn(&[u8]) -> Vec<u8>, &by_ssh] {
        for (variant, payload) in commits() {
            let kind = format!("headers-signed/{variant}");
            objects.add(kind, What::Commit, What::Commit.signed(&payload, &sign(&payload)));
        }
        for (variant, payload) in tags() {
            objects.add(format!("headers-signed/{variant}"), What::Tag, What::Tag.signed(&payload, &sign(&payload)));
        }
    }
}

fn replaced(raw: &[u8], old: &str, new: &str) -> Vec<u8> {
    let at = raw.windows(old.len()).position(|window| window == old.as_bytes());
    let at = at.unwrap_or_else(|| panic!("no {old:?} in the object"));
    [&raw[..at], new.as_bytes(), &raw[at + old.len()..]].concat()
}

/// A signed commit that somebody else changes.
fn commit_after(raw: &[u8], payload: &[u8], signature: &[u8], objects: &mut Objects) {
    let header = folded(signature);
    let at = |text: &str| payload.windows(text.len()).position(|window| window == text.as_bytes()).expect("a header");
    let end = at(MESSAGE);
    let put = |at: usize| with_header(payload, at, &header);
    let change = |old: &str, new: &str| replaced(raw, old, new);
    let signature_as = |header: &[u8]| with_header(payload, end, header);
    let text = String::from_utf8_lossy(&header).into_owned();
    let other = text.replacen("gpgsig ", "gpgsig-sha256 ", 1);
    let variants = [
        ("none", payload.to_vec()),
        ("first", put(0)),
        ("before-parent", put(at(PARENT))),
        ("before-author", put(at(AUTHOR))),
        ("before-committer", put(at(COMMITTER))),
        ("after-the-message", [payload, &header].concat()),
        ("in-the-message", [payload, signature].concat()),
        ("begins-the-message", replaced(payload, "\n\n", &format!("\n\n{}", String::from_utf8_lossy(signature)))),
        ("in-a-mergetag", signature_as(text.replacen("gpgsig ", "mergetag ", 1).as_bytes())),
        ("other-name", signature_as(text.replacen("gpgsig ", "gpgsignature ", 1).as_bytes())),
        ("upper-case-name", signature_as(text.replacen("gpgsig ", "GPGSIG ", 1).as_bytes())),
        ("two-blanks-after-name", signature_as(text.replacen("gpgsig ", "gpgsig  ", 1).as_bytes())),
        ("tab-after-name", signature_as(text.replacen("gpgsig ", "gpgsig\t", 1).as_bytes())),
        ("blank-before-name", signature_as(format!(" {text}").as_bytes())),
        ("empty-first-line", signature_as(text.replacen("gpgsig ", "gpgsig \n ", 1).as_bytes())),
        ("folded-by-tabs", signature_as(text.replace("\n ", "\n\t").as_bytes())),
        ("folded-by-two-blanks", signature_as(text.replace("\n ", "\n  ").as_bytes())),
        ("not-folded", signature_as(text.replace("\n ", "\n").as_bytes())),
        ("carriage-returns", signature_as(text.replace('\n', "\r\n").as_bytes())),
        ("one-more-empty-line", signature_as(format!("{text} \n").as_bytes())),
        ("two-more-empty-lines", signature_as(format!("{text} \n \n").as_bytes())),
        ("one-more-line", signature_as(format!("{text} approved\n").as_bytes())),
        ("sha256-instead", signature_as(other.as_bytes())),
        ("sha256-too", signature_as(format!("{text}{other}").as_bytes())),
        ("sha256-first", signature_as(format!("{other}{text}").as_bytes())),
        ("sha256-garbage", signature_as(format!("{text}gpgsig-sha256 x\n").as_bytes())),
        ("sha256-without-value", signature_as(format!("{text}gpgsig-sha256 \n").as_bytes())),
        ("sha256-as-prefix", signature_as(format!("{text}gpgsig-sha256x y\n").as_bytes())),
        ("header-after", signature_as(format!("{text}x-note y\n").as_bytes())),
        ("header-before", signature_as(format!("x-note y\n{text}").as_bytes())),
        ("encoding-after", signature_as(format!("{text}encoding UTF-8\n").as_bytes())),
        ("mergetag-after", signature_as(format!("{text}mergetag x\n").as_bytes())),
        ("committer-after", signature_as(format!("{text}committer Bob <bob@example.com> 1 +0000\n").as_bytes())),
        ("author-after", signature_as(format!("{text}author Bob <bob@example.com> 1 +0000\n").as_bytes())),
        ("parent-after", signature_as(format!("{text}{PARENT}").as_bytes())),
        ("parent-lost", change(PARENT, "")),
        ("parent-twice", change(PARENT, &[PARENT, PARENT].concat())),
        ("parent-changed", change("1111", "2222")),
        ("tree-changed", change("4b825d", "5b825d")),
        ("tree-twice", change(TREE, &[TREE, TREE].concat())),
        ("upper-case-id", change("tree 4b825d", "tree 4B825D")),
        ("author-changed", change("author Alice", "author Bob")),
        ("author-twice", change(AUTHOR, &[AUTHOR, AUTHOR].concat())),
        ("author-lost", change(AUTHOR, "")),
        ("committer-changed", change("committer Alice", "committer Bob")),
        ("committer-before-author", change(&[AUTHOR, COMMITTER].concat(), &[COMMITTER, AUTHOR].concat())),
        ("date-changed", change("1750000100", "1750000101")),
        ("zone-changed", change("+0200", "+0100")),
        ("message-changed", change("Add a line", "Add a word")),
        ("message-longer", [raw, b"more\n"].concat()),
        ("message-shorter", raw[..raw.len() - 1].to_vec()),
        ("message-lost", change(MESSAGE, "\n")),
        ("empty-line-lost", change(MESSAGE, &MESSAGE[1..])),
        ("empty-line-doubled", change(MESSAGE, &format!("\n{MESSAGE}"))),
        ("nul-and-more", [raw, b"\0more\n"].concat()),
        ("nul-before-the-message", change(MESSAGE, &format!("\0{MESSAGE}"))),
        ("nul-after-author", change(COMMITTER, &format!("\0{COMMITTER}"))),
        ("carriage-returns-everywhere", String::from_utf8_lossy(raw).replace('\n', "\r\n").into_bytes()),
        ("byte-order-mark", [b"\xef\xbb\xbf", raw].concat()),
        ("blank-after-author", change(" +0000\n", " +0000 \n")),
        ("zero-bytes", Vec::new()),
    ];
    for (variant, changed) in variants {
        objects.add(format!("headers-after/{variant}"), What::Commit, changed);
    }
}

/// A signed tag that somebody else changes.
fn tag_after(raw: &[u8], payload: &[u8], signature: &[u8], objects: &mut Objects) {
    let change = |old: &str, new: &str| replaced(raw, old, new);
    let header = String::from_utf8_lossy(&folded(signature)).into_owned();
    let other = header.replacen("gpgsig ", "gpgsig-sha256 ", 1);
    let block = String::from_utf8_lossy(signature).into_owned();
    let end = TAG_HEAD.len() + TAGGER.len();
    let variants = [
        ("none", payload.to_vec()),
        ("in-a-header", with_header(payload, end, header.as_bytes())),
        ("in-a-sha256-header", with_header(payload, end, other.as_bytes())),
        ("header-and-body", with_header(raw, end, header.as_bytes())),
        ("sha256-too", with_header(raw, end, other.as_bytes())),
        ("sha256-garbage", with_header(raw, end, b"gpgsig-sha256 x\n")),
        ("before-the-message", replaced(payload, "\n\n", &format!("\n\n{block}"))),
        ("first", [signature, payload].concat()),
        ("line-begun-before", replaced(raw, "-----BEGIN", "x-----BEGIN")),
        ("blank-before", replaced(raw, "-----BEGIN", " -----BEGIN")),
        ("text-after", [raw, b"Approved by the board\n"].concat()),
        ("text-after-without-end", [raw, b"Approved by the board"].concat()),
        ("empty-line-after", [raw, b"\n"].concat()),
        ("nul-after", [raw, b"\0"].concat()),
        ("begin-line-after", [raw, b"-----BEGIN PGP SIGNATURE-----\n"].concat()),
        ("begin-line-of-ssh-after", [raw, b"-----BEGIN SSH SIGNATURE-----\n"].concat()),
        ("begin-line-in-message", change("With notes", "-----BEGIN PGP MESSAGE-----\nWith notes")),
        ("header-added", change(TAGGER, &format!("{TAGGER}x-note y\n"))),
        ("tagger-lost", change(TAGGER, "")),
        ("tagger-twice", change(TAGGER, &[TAGGER, TAGGER].concat())),
        ("tagger-changed", change("tagger Alice", "tagger Bob")),
        ("name-changed", change("tag v1.0", "tag v1.1")),
        ("type-changed", change("type commit", "type tree")),
        ("object-changed", change("object 1111", "object 2222")),
        ("object-twice", change(TAG_HEAD, &format!("{}{TAG_HEAD}", &TAG_HEAD[..48]))),
        ("date-changed", change("1750000200", "1750000201")),
        ("message-changed", change("First", "Last!")),
        ("line-end-before-block-lost", change("notes.\n-----", "notes.-----")),
        ("line-end-before-block-doubled", change("notes.\n-----", "notes.\n\n-----")),
        ("carriage-returns-everywhere", String::from_utf8_lossy(raw).replace('\n', "\r\n").into_bytes()),
        ("empty-line-lost", change("\n\nFirst", "\nFirst")),
        ("byte-order-mark", [b"\xef\xbb\xbf", raw].concat()),
        ("zero-bytes", Vec::new()),
    ];
    for (variant, changed) in variants {
        objects.add(format!("headers-after/{variant}"), What::Tag, changed);
    }
}

/// Commits that their own signer writes in odd ways.
fn commits() -> Vec<(&'static str, Vec<u8>)> {
    let join = |parts: &[&str]| parts.concat().into_bytes();
    let with = |headers: &str| join(&[TREE, PARENT, AUTHOR, COMMITTER, headers, MESSAGE]);
    let victim_committer = "committer Bob <bob@example.com> 1750000100 +0200\n";
    let victim_author = "author Bob <bob@example.com> 1750000000 +0000\n";
    let crowd: String = (0..200).map(|number| format!("parent {number:040x}\n")).collect();
    vec![
        ("usual", with("")),
        ("second-committer", with(victim_committer)),
        ("second-author", with(victim_author)),
        ("two-authors", join(&[TREE, PARENT, AUTHOR, victim_author, COMMITTER, MESSAGE])),
        ("committer-first", join(&[TREE, PARENT, COMMITTER, AUTHOR, MESSAGE])),
        ("no-author", join(&[TREE, PARENT, COMMITTER, MESSAGE])),
        ("no-committer", join(&[TREE, PARENT, AUTHOR, MESSAGE])),
        ("no-tree", join(&[PARENT, AUTHOR, COMMITTER, MESSAGE])),
        ("two-trees", join(&[TREE, TREE, PARENT, AUTHOR, COMMITTER, MESSAGE])),
        ("parent-last", join(&[TREE, AUTHOR, COMMITTER, PARENT, MESSAGE])),
        ("parent-before-tree", join(&[PARENT, TREE, AUTHOR, COMMITTER, MESSAGE])),
        ("same-parent-twice", join(&[TREE, PARENT, PARENT, AUTHOR, COMMITTER, MESSAGE])),
        ("many-parents", join(&[TREE, &crowd, AUTHOR, COMMITTER, MESSAGE])),
        ("long-parent", join(&[TREE, "parent ", &"1".repeat(64), "\n", AUTHOR, COMMITTER, MESSAGE])),
        ("short-parent", join(&[TREE, "parent 1111\n", AUTHOR, COMMITTER, MESSAGE])),
        ("two-blanks-before-parent", join(&[TREE, &PARENT.replace(' ', "  "), AUTHOR, COMMITTER, MESSAGE])),
        ("upper-case-tree", join(&[&TREE.replace("4b825dc", "4B825DC"), PARENT, AUTHOR, COMMITTER, MESSAGE])),
        ("header-between", join(&[TREE, PARENT, "x-note y\n", AUTHOR, COMMITTER, MESSAGE])),
        ("unknown-header", with("x-note y\n")),
        ("folded-header", with("x-note y\n z\n \n w\n")),
        ("header-without-value", with("x-note\n")),
        ("header-with-empty-value", with("x-note \n")),
        ("header-by-tab", with("x-note\ty\n")),
        ("header-odd-name", with("x\u{7f}note y\n")),
        ("header-not-ascii", with("x-n\u{f6}te y\n")),
        ("header-twice", with("x-note y\nx-note z\n")),
        ("header-begins-with-blank", with(" x-note y\n")),
        ("header-long", with(&format!("x-note {}\n", "y".repeat(70_000)))),
        ("headers-many", with(&"x-note y\n".repeat(3000))),
        ("carriage-return-in-header", with("x-note y\r\n")),
        ("carriage-return-in-author", join(&[TREE, PARENT, &AUTHOR.replace('\n', "\r\n"), COMMITTER, MESSAGE])),
        ("carriage-return-in-tree", join(&[&TREE.replace('\n', "\r\n"), PARENT, AUTHOR, COMMITTER, MESSAGE])),
        ("folded-author", join(&[TREE, PARENT, &AUTHOR.replace(" 175", "\n 175"), COMMITTER, MESSAGE])),
        ("folded-tree", join(&[TREE, " x\n", PARENT, AUTHOR, COMMITTER, MESSAGE])),
        ("nul-in-header", with("x-note y\0z\n")),
        ("nul-in-author", join(&[TREE, PARENT, &AUTHOR.replace("Alice", "Al\0ce"), COMMITTER, MESSAGE])),
        ("nul-in-message", join(&[TREE, PARENT, AUTHOR, COMMITTER, "\nshown\0hidden\n"])),
        ("nul-ends-message", join(&[TREE, PARENT, AUTHOR, COMMITTER, "\nshown\n\0"])),
        ("escape-in-message", join(&[TREE, PARENT, AUTHOR, COMMITTER, "\n\x1b[2Jshown\n"])),
        ("encoding-utf-8", with("encoding UTF-8\n")),
        ("encoding-latin-1", with("encoding ISO-8859-1\n")),
        ("encoding-utf-7", with("encoding UTF-7\n")),
        ("encoding-utf-16", with("encoding UTF-16LE\n")),
        ("encoding-iso-2022", with("encoding ISO-2022-JP\n")),
        ("encoding-ebcdic", with("encoding IBM037\n")),
        ("encoding-unknown", with("encoding no-such-thing\n")),
        ("encoding-empty", with("encoding \n")),
        ("encoding-twice", with("encoding UTF-8\nencoding ISO-8859-1\n")),
        ("encoding-folded", with("encoding UTF-8\n more\n")),
        ("encoding-carriage-return", with("encoding UTF-8\r\n")),
        ("mergetag", with("mergetag object x\n type commit\n")),
        ("two-mergetags", with("mergetag object x\nmergetag object y\n")),
        ("signature-quoted-in-message", join(&[TREE, PARENT, AUTHOR, COMMITTER, "\n-----BEGIN PGP SIGNATURE-----\n"])),
        ("signature-header-in-message", join(&[TREE, PARENT, AUTHOR, COMMITTER, "\ngpgsig x\n"])),
        ("long-message", join(&[TREE, PARENT, AUTHOR, COMMITTER, "\n", &"m".repeat(500_000)])),
        ("bidi-in-message", join(&[TREE, PARENT, AUTHOR, COMMITTER, "\n\u{202e}shown\n"])),
        ("no-empty-line", join(&[TREE, PARENT, AUTHOR, COMMITTER])),
        ("empty-lines-first", join(&[TREE, PARENT, AUTHOR, COMMITTER, "\n\n\nlate\n"])),
    ]
}

/// Tags that their own signer writes in odd ways.
fn tags() -> Vec<(&'static str, Vec<u8>)> {
    let join = |parts: &[&str]| parts.concat().into_bytes();
    let message = "\nFirst release\n";
    let head = |old: &str, new: &str| join(&[&TAG_HEAD.replace(old, new), TAGGER, message]);
    let with = |headers: &str| join(&[TAG_HEAD, TAGGER, headers, message]);
    vec![
        ("usual", with("")),
        ("no-tagger", join(&[TAG_HEAD, message])),
        ("second-tagger", with("tagger Bob <bob@example.com> 1750000200 +0200\n")),
        ("second-name", with("tag v2.0\n")),
        ("second-object", with("object 2222222222222222222222222222222222222222\n")),
        ("tagger-first", join(&[TAGGER, TAG_HEAD, message])),
        (
            "type-first",
            join(&["type commit\nobject 1111111111111111111111111111111111111111\ntag v1.0\n", TAGGER, message]),
        ),
        ("type-upper-case", head("type commit", "type Commit")),
        ("type-unknown", head("type commit", "type release")),
        ("type-blob", head("type commit", "type blob")),
        ("type-tag", head("type commit", "type tag")),
        ("name-empty", head("v1.0", "")),
        ("name-with-blank", head("v1.0", "v1.0 final")),
        ("name-with-tab", head("v1.0", "v1.0\tfinal")),
        ("name-with-escape", head("v1.0", "v1.0\x1b[31m")),
        ("name-with-carriage-return", head("v1.0", "v1.0\r")),
        ("name-not-ascii", head("v1.0", "v1.\u{f6}")),
        ("name-of-another", head("v1.0", "v1.1")),
        ("name-with-nul", head("v1.0", "v1.0\0")),
        ("object-short", head("1111111111111111111111111111111111111111", "1111")),
        ("object-long", head("1111111111111111111111111111111111111111", &"1".repeat(64))),
        ("object-upper-case", head("1111111111111111111111111111111111111111", &"A".repeat(40))),
        ("unknown-header", with("x-note y\n")),
        ("folded-header", with("x-note y\n z\n")),
        ("header-without-value", with("x-note\n")),
        ("header-carriage-return", with("x-note y\r\n")),
        ("encoding-utf-8", with("encoding UTF-8\n")),
        ("encoding-utf-7", with("encoding UTF-7\n")),
        ("signature-header", with("gpgsig x\n")),
        ("sha256-header", with("gpgsig-sha256 x\n")),
        ("parent-header", with(PARENT)),
        ("begin-line-in-message", join(&[TAG_HEAD, TAGGER, "\nquoting:\n-----BEGIN PGP SIGNATURE-----\n"])),
        ("begin-line-of-ssh-in-message", join(&[TAG_HEAD, TAGGER, "\n-----BEGIN SSH SIGNATURE-----\n"])),
        ("begin-line-of-cms-in-message", join(&[TAG_HEAD, TAGGER, "\n-----BEGIN SIGNED MESSAGE-----\n"])),
        ("begin-line-indented", join(&[TAG_HEAD, TAGGER, "\n -----BEGIN PGP SIGNATURE-----\n"])),
        ("end-line-in-message", join(&[TAG_HEAD, TAGGER, "\n-----END PGP SIGNATURE-----\n"])),
        ("nul-in-message", join(&[TAG_HEAD, TAGGER, "\nshown\0hidden\n"])),
        ("escape-in-message", join(&[TAG_HEAD, TAGGER, "\n\x1b[2Jshown\n"])),
        ("no-final-line-end", join(&[TAG_HEAD, TAGGER, "\nFirst release"])),
        ("no-empty-line", join(&[TAG_HEAD, TAGGER])),
        ("no-message", join(&[TAG_HEAD, TAGGER, "\n"])),
        ("long-message", join(&[TAG_HEAD, TAGGER, "\n", &"m".repeat(500_000), "\n"])),
    ]
}
