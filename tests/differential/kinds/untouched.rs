//! What honest people make: everybody accepts it.

use crate::cast::Cast;
use crate::object::{AUTHOR, COMMITTER, MESSAGE, Objects, PARENT, TAG_HEAD, TAGGER, TREE, What};

pub fn generate(cast: &Cast, objects: &mut Objects) {
    let mergetag = "mergetag object 2222222222222222222222222222222222222222\n type commit\n tag v0.9\n \
        tagger Bob <bob@example.com> 1740000000 +0000\n \n Before\n -----BEGIN PGP SIGNATURE-----\n \n AAAA\n \
        -----END PGP SIGNATURE-----\n";
    let commit = |middle: &[&str], headers: &str, message: &[u8]| {
        let fixed = [TREE, &middle.concat(), AUTHOR, COMMITTER, headers].concat();
        [fixed.as_bytes(), message].concat()
    };
    let other = "parent 3333333333333333333333333333333333333333\n";
    let plain = MESSAGE.as_bytes();
    let commits = [
        ("root", commit(&[], "", plain)),
        ("plain", commit(&[PARENT], "", plain)),
        ("merge", commit(&[PARENT, other], "", plain)),
        ("merge-of-a-tag", commit(&[PARENT, other], mergetag, plain)),
        ("latin-1", commit(&[PARENT], "encoding ISO-8859-1\n", b"\ncaf\xe9\n")),
        ("other-header", commit(&[PARENT], "HG:rename-source hg\n", plain)),
        ("no-message", commit(&[PARENT], "", b"\n")),
        ("no-final-line-end", commit(&[PARENT], "", b"\nm")),
        ("carriage-returns", commit(&[PARENT], "", b"\nm\r\n\r\nn\r\n")),
        ("many-lines", commit(&[PARENT], "", "\nline\n".repeat(400).as_bytes())),
    ];
    let tag = |message: &str| [TAG_HEAD, TAGGER, message].concat().into_bytes();
    let tags = [
        ("plain", tag("\nFirst release\n")),
        ("no-message", tag("\n")),
        ("carriage-returns", tag("\nFirst\r\n\r\nrelease\r\n")),
        ("many-lines", tag(&"\nline\n".repeat(400))),
        ("of-a-tree", [TAG_HEAD.replace("type commit", "type tree").as_str(), TAGGER, "\nA tree\n"].concat().into()),
    ];
    for signer in &cast.signers {
        for (variant, payload) in &commits {
            let kind = format!("untouched/{variant}");
            objects.add(kind, What::Commit, What::Commit.signed(payload, &(signer.sign)(payload)));
        }
        for (variant, payload) in &tags {
            objects.add(format!("untouched/{variant}"), What::Tag, What::Tag.signed(payload, &(signer.sign)(payload)));
        }
    }
}
