//! What real git writes: parsed strictly, then verified, in repositories of both formats.

use super::*;
use crate::commit::{Commit, walk_header};
use crate::id::ObjectFormat;
use crate::signature::ssh::register;
use crate::tag::{Tag, TargetType};

struct Repository {
    home: tempfile::TempDir,
    format: ObjectFormat,
    server: Server,
}

impl Repository {
    fn new(format: ObjectFormat) -> Self {
        let home = tempfile::tempdir().unwrap();
        run("ssh-keygen", home.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "id"], b"");
        let server =
            Server::with_alice([register(&std::fs::read_to_string(home.path().join("id.pub")).unwrap()).unwrap()]);
        let name = if format == ObjectFormat::Sha1 { "--object-format=sha1" } else { "--object-format=sha256" };
        let repository = Repository { home, format, server };
        repository.git(&["init", "-q", "-b", "main", name, "."]);
        repository
    }

    fn git(&self, arguments: &[&str]) -> Vec<u8> {
        let key = format!("user.signingkey={}", self.home.path().join("id").display());
        let fixed = ["-c", "gpg.format=ssh", "-c", &key, "-c", "user.name=Alice", "-c", "user.email=alice@example.com"];
        run("git", self.home.path(), &[&fixed, arguments].concat(), b"")
    }

    fn commit(&self, name: &str) -> Vec<u8> {
        self.git(&["cat-file", "commit", name])
    }

    fn judged(&self, raw: &[u8]) -> Result<SignedBy, Problem> {
        let commit = Commit::parse(raw, self.format)?;
        assert_eq!(walk_header(raw, self.format).unwrap().0, commit.parents());
        self.server.verify(&commit.payload().to_vec(), commit.signature().unwrap())
    }
}

#[test]
fn m08_m09_m10_commits_of_real_git_pass_in_both_formats() {
    for format in [ObjectFormat::Sha1, ObjectFormat::Sha256] {
        let repository = Repository::new(format);
        repository.git(&["commit", "-q", "-S", "--allow-empty", "-m", "first"]);
        repository.git(&["commit", "-q", "-S", "--allow-empty", "--allow-empty-message", "-m", ""]);
        repository.git(&[
            "-c",
            "i18n.commitEncoding=ISO-8859-1",
            "commit",
            "-q",
            "-S",
            "--allow-empty",
            "-m",
            "encoded",
        ]);
        repository.git(&["commit", "-q", "-S", "--allow-empty", "--cleanup=verbatim", "-m", "a\r\nb\r\n"]);
        repository.git(&["checkout", "-q", "-b", "side", "HEAD~1"]);
        repository.git(&["commit", "-q", "-S", "--allow-empty", "-m", "side"]);
        repository.git(&["tag", "-s", "-m", "side tag", "v1"]);
        repository.git(&["checkout", "-q", "main"]);
        repository.git(&["merge", "-q", "-S", "--no-ff", "-m", "merge", "v1"]);
        assert!(repository.commit("HEAD").windows(9).any(|window| window == b"\nmergetag"));
        for name in ["HEAD", "HEAD~1", "HEAD~2", "HEAD~3", "HEAD~4", "side"] {
            let raw = repository.commit(name);
            assert!(repository.judged(&raw).unwrap().problems().is_empty(), "{name}");
        }
    }
}

#[test]
fn a02_every_changed_byte_of_a_signed_commit_is_noticed() {
    let repository = Repository::new(ObjectFormat::Sha1);
    repository.git(&["commit", "-q", "-S", "--allow-empty", "-m", "first"]);
    let raw = repository.commit("HEAD");
    assert!(repository.judged(&raw).is_ok());
    let text = String::from_utf8(raw.clone()).unwrap();
    let begin = text.find("gpgsig").unwrap();
    let end = text.find("-----END SSH SIGNATURE-----").unwrap() + 28;
    for at in (0..begin).chain(end..raw.len()) {
        let mut changed = raw.clone();
        changed[at] ^= 1;
        let refused = Commit::parse(&changed, ObjectFormat::Sha1).is_err()
            || Commit::parse(&changed, ObjectFormat::Sha1).unwrap().signature().is_none()
            || repository.judged(&changed).is_err();
        assert!(refused, "byte {at}");
    }
    let gitlab = [&text[..end], " \n", &text[end..]].concat();
    assert!(repository.judged(gitlab.as_bytes()).is_ok(), "an empty folded line at the end, as GitLab writes it");
    let appended = [&text[..end], "x-note y\n", &text[end..]].concat();
    assert_eq!(repository.judged(appended.as_bytes()).unwrap_err().rule.id, "bad-signature", "a12");
}

#[test]
fn tags_of_real_git_pass_in_both_formats() {
    for format in [ObjectFormat::Sha1, ObjectFormat::Sha256] {
        let repository = Repository::new(format);
        repository.git(&["commit", "-q", "--allow-empty", "-m", "first"]);
        repository.git(&["tag", "-s", "-m", "first release\n\nnotes", "v1.0"]);
        let raw = repository.git(&["cat-file", "tag", "v1.0"]);
        let tag = Tag::parse(&raw, format).unwrap();
        assert_eq!((tag.name(), tag.target_type()), (b"v1.0".as_slice(), TargetType::Commit));
        assert_eq!(tag.tagger().unwrap().email, "alice@example.com");
        let signed = repository.server.verify(&tag.payload().to_vec(), tag.signature().unwrap()).unwrap();
        assert!(signed.problems().is_empty());
        let renamed = [tag.payload().to_vec(), tag.signature().unwrap().to_vec()].concat();
        let renamed = String::from_utf8(renamed).unwrap().replace("tag v1.0", "tag v1.1");
        let tag = Tag::parse(renamed.as_bytes(), format).unwrap();
        let refused = repository.server.verify(&tag.payload().to_vec(), tag.signature().unwrap());
        assert_eq!(refused.unwrap_err().rule.id, "bad-signature");
    }
}
