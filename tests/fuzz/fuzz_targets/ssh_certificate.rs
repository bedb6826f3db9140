//! An SSH certificate whose authority signed whatever stands in it, up to the name of the authority.
#![no_main]

use countersign_fuzz::{AUTHORITY, CERTIFIED, COMMIT, armoured, pair, server, ssh_blob, ssh_fields};
use countersign_policy::signature::SignedBy;
use libfuzzer_sys::fuzz_target;

fn certified(fields: &[u8]) -> Option<SignedBy> {
    let by = |secret: u8, data: &[u8]| ssh_fields(&[b"ssh-ed25519", pair(secret).sign(data).as_ref()]);
    let signed = [fields, &ssh_fields(&[&ssh_blob(&pair(AUTHORITY))])].concat();
    let certificate = [signed.as_slice(), &ssh_fields(&[&by(AUTHORITY, &signed)])].concat();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, COMMIT);
    let to_sign = [b"SSHSIG".to_vec(), ssh_fields(&[b"git", b"", b"sha256", digest.as_ref()])].concat();
    let envelope = ssh_fields(&[&certificate, b"git", b"", b"sha256", &by(CERTIFIED, &to_sign)]);
    server().verify(&armoured("SSH SIGNATURE", &[b"SSHSIG\0\0\0\x01", envelope.as_slice()].concat()))
}

fn a_good_one_is_taken() {
    assert!(certified(include_bytes!("../seeds/ssh_certificate/person")).is_some());
}

fuzz_target!(init: a_good_one_is_taken(), |fields: &[u8]| {
    if certified(fields).is_some() {
        let names = |name: &[u8]| fields.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name));
        assert!(names(b"E1001") || names(b"alice@example.com"), "it speaks for somebody whom it does not name");
    }
});
