//! What a registered OpenPGP key may say in a signature that it really made: the hashed area.
#![no_main]

use countersign_fuzz::{COMMIT, OPENPGP_KEY_ID, armoured, pair, server};
use countersign_policy::signature::SignedBy;
use libfuzzer_sys::fuzz_target;

fn signed(hashed: &[u8]) -> Option<SignedBy> {
    let length = u16::try_from(hashed.len()).ok()?;
    // Version 4, type binary, Ed25519, SHA-256 (RFC 9580, section 5.2.3).
    let head = [&[4, 0, 27, 8], length.to_be_bytes().as_slice(), hashed].concat();
    let trailer = [&[4, 0xff], u32::try_from(head.len()).ok()?.to_be_bytes().as_slice()].concat();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &[COMMIT, &head, &trailer].concat());
    let issuer = [&[0, 10, 9, 16], OPENPGP_KEY_ID.as_slice(), &digest.as_ref()[..2]].concat();
    let body = [head, issuer, pair(1).sign(digest.as_ref()).as_ref().to_vec()].concat();
    let packet = [&[0xc2, 0xff], u32::try_from(body.len()).ok()?.to_be_bytes().as_slice(), &body].concat();
    server().verify(&armoured("PGP SIGNATURE", &packet))
}

fn a_good_one_is_taken() {
    assert!(signed(include_bytes!("../seeds/openpgp_subpackets/date")).is_some());
}

fuzz_target!(init: a_good_one_is_taken(), |hashed: &[u8]| {
    if let Some(signed) = signed(hashed) {
        let skew = server().policy.signatures.clock_skew.get();
        assert!(signed.signed_at().expect("a date") <= server().now.plus(skew), "a signature from the future");
    }
});
