//! A tag in a repository of either format: parsed, verified, judged.
#![no_main]

use countersign_fuzz::{judged, server};
use countersign_policy::id::ObjectFormat;
use countersign_policy::judge::Examined;
use countersign_policy::tag::Tag;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    for format in [ObjectFormat::Sha1, ObjectFormat::Sha256] {
        let tag = match Tag::parse(raw, format) {
            Ok(tag) => tag,
            Err(problem) => {
                judged(None, &Examined::refused(problem));
                continue;
            }
        };
        assert_eq!(Tag::target(raw, format), Some(tag.object()), "history would lead elsewhere");
        let payload = tag.payload().to_vec();
        assert_eq!(
            [&payload, tag.signature().unwrap_or_default()].concat(),
            raw,
            "a byte is neither signed nor signature"
        );
        assert_ne!(tag.signature(), Some(&[][..]));
        judged(Some(&payload), &server().ground(format).examine_tag(&tag, b"v1"));
    }
});
