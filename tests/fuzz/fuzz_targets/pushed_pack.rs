//! The pack of a push, as its commits are read before libgit2 is asked.
#![no_main]

use countersign::git::objects::{Kind, hash_is};
use countersign::git::pushed_pack::PushedPacks;
use countersign_policy::id::{ObjectFormat, ObjectId};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

/// A store whose pack has an index that names one object, behind the pack's header.
static STORE: LazyLock<PathBuf> = LazyLock::new(|| {
    let store = std::env::temp_dir().join(format!("countersign-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(store.join("pack")).expect("a folder");
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    index.extend((0..256).flat_map(|first| u32::from(first >= 0x11).to_be_bytes()));
    index.extend([[0x11; 20].as_slice(), &[0; 4], &12_u32.to_be_bytes(), &[0; 40]].concat());
    std::fs::write(store.join("pack/pack-1.idx"), index).expect("an index");
    store
});

const COMMIT_MAX: usize = 16 * 1024;

fuzz_target!(|input: &[u8]| {
    let pack = [b"PACK\0\0\0\x02\0\0\0\x01".as_slice(), input].concat();
    std::fs::write(STORE.join("pack/pack-1.pack"), pack).expect("a pack");
    let id = ObjectId::from_bytes(&[0x11; 20]).expect("20 bytes");
    let packs = PushedPacks::of(&STORE, ObjectFormat::Sha1);
    assert!(packs.hold(&id));
    if let Some(bytes) = packs.commit(&id, COMMIT_MAX, <[u8]>::to_vec) {
        assert!(bytes.len() <= COMMIT_MAX);
        assert!(!hash_is(&id, Kind::Commit, &bytes), "nobody finds such a commit");
    }
});
