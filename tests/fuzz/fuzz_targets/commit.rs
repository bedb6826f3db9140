//! A commit in a repository of either format: parsed, verified, judged.
#![no_main]

use countersign_fuzz::{clean, judged, server};
use countersign_policy::commit::{Commit, walk_header};
use countersign_policy::id::ObjectFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    for format in [ObjectFormat::Sha1, ObjectFormat::Sha256] {
        let commit = Commit::parse(raw, format).ok();
        if let Some(commit) = &commit {
            let walked = (commit.parents().to_vec(), commit.committer().when.unix_seconds());
            assert_eq!(walk_header(raw, format), Some(walked), "history would be walked along other parents");
            assert_eq!(put_together(commit, format), raw, "a byte is neither signed nor signature");
            clean(&commit.title());
        }
        let payload = commit.map(|commit| commit.payload().to_vec());
        judged(payload.as_deref(), &server().ground(format).examine_commit(raw));
    }
});

fn put_together(commit: &Commit<'_>, format: ObjectFormat) -> Vec<u8> {
    let [before, after] = commit.payload().parts();
    let Some(signature) = commit.signature() else { return [before, after].concat() };
    let folded = signature.split(|&byte| byte == b'\n').collect::<Vec<_>>().join(b"\n ".as_slice());
    [before, format.signature_header(), b" ", &folded, b"\n", after].concat()
}
