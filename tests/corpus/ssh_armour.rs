//! Section E, the armour: base64 between two lines, in one form whatever the width.

use crate::desk::{forms, vector};
use crate::signer::{SshKey, Sshsig, armored};
use crate::ssh::registered;
use crate::vector::Vector;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub fn vectors() -> Vec<Vector> {
    vec![
        forms("e07-widths", "Lines of any one width, as other programs than OpenSSH write them.", "accepted", |desk| {
            let key = SshKey::named(desk.who);
            desk.register("--ssh", key.line());
            [4, 19, 64, 70, 76, 4096]
                .map(|width| {
                    let commit = desk.bench.plain_with_block(desk.who, |payload| {
                        armored("SSH SIGNATURE", &Sshsig::of(&key, payload).blob(), width)
                    });
                    let update = crate::bench::Update::create(&format!("refs/heads/width-{width}"), &commit.id);
                    (format!("{width} characters"), desk.bench.push(&[commit], &[update]))
                })
                .into()
        }),
        forms(
            "e07-irregular",
            "Lines of uneven width, white space, other alphabets, wrong padding.",
            "malformed-signature",
            |desk| {
                let key = registered(desk);
                let (begin, end) = ("-----BEGIN SSH SIGNATURE-----\n", "-----END SSH SIGNATURE-----\n");
                let base64 = |payload: &[u8]| STANDARD.encode(Sshsig::of(&key, payload).blob());
                let form = |form: &str, make: &(dyn Fn(&str) -> String + Send + Sync)| {
                    (form.to_owned(), desk.push(|payload| make(&base64(payload))))
                };
                let lines = |text: &str, between: &str| {
                    let parts = [&text[..70], &text[70..140], &text[140..]];
                    format!("{begin}{}\n{end}", parts.join(between))
                };
                vec![
                    form("a short line first", &|text| format!("{begin}{}\n{}\n{end}", &text[..40], &text[40..])),
                    form("a short line between", &|text| {
                        format!("{begin}{}\n{}\n{}\n{end}", &text[..70], &text[70..100], &text[100..])
                    }),
                    form("a space at the end of a line", &|text| lines(text, " \n")),
                    form("a space at the start of a line", &|text| lines(text, "\n ")),
                    form("a tab", &|text| lines(text, "\t\n")),
                    form("a form feed", &|text| lines(text, "\x0c\n")),
                    form("an empty line", &|text| lines(text, "\n\n")),
                    form("a space inside", &|text| format!("{begin}{} {}\n{end}", &text[..40], &text[40..])),
                    form("a comment", &|text| format!("{begin}Comment: x\n\n{text}\n{end}")),
                    form("an equals sign more", &|text| format!("{begin}{text}=\n{end}")),
                    form("padding in the middle", &|text| format!("{begin}{}=={}\n{end}", &text[..70], &text[70..])),
                    form("the other alphabet", &|text| format!("{begin}{}-_\n{end}", &text[..text.len() - 2])),
                    form("a character of none", &|text| format!("{begin}{}!\n{end}", &text[..text.len() - 1])),
                    form("one character less", &|text| format!("{begin}{}\n{end}", &text[..text.len() - 1])),
                    form("no line but the two", &|_| format!("{begin}{end}")),
                    form("text behind the first line", &|text| {
                        format!("-----BEGIN SSH SIGNATURE----- \n{text}\n{end}")
                    }),
                    form("text behind the last line", &|text| format!("{begin}{text}\n-----END SSH SIGNATURE-----x\n")),
                    form("another last line", &|text| format!("{begin}{text}\n-----END PGP SIGNATURE-----\n")),
                    form("no last line", &|text| format!("{begin}{text}\n")),
                    form("small letters", &|text| format!("-----begin ssh signature-----\n{text}\n{end}")),
                ]
            },
        ),
        forms(
            "e07-loose-bits",
            "Base64 whose last character has bits that stand for nothing.",
            "malformed-signature",
            |desk| {
                let key = registered(desk);
                // The blob's last field is cut by its namespace's length: one of three lengths needs padding.
                let with = |last: char| {
                    desk.push(|payload| {
                        let text = STANDARD.encode(Sshsig::of(&key, payload).blob());
                        let bare = text.trim_end_matches('=');
                        let padding = &text[bare.len()..];
                        assert!(!padding.is_empty(), "the blob's length must ask for padding");
                        let text = format!("{}{last}{padding}", &bare[..bare.len() - 1]);
                        format!("-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n")
                    })
                };
                vec![("B".to_owned(), with('B')), ("/".to_owned(), with('/'))]
            },
        ),
        vector(
            "e07-carriage-return",
            "Lines that end as on Windows: no such character belongs into a header.",
            "malformed-object",
            |desk| {
                let key = registered(desk);
                desk.push(|payload| {
                    let block = Sshsig::of(&key, payload).armored();
                    block.replacen("=\n", "=\r\n", 1)
                })
            },
        ),
        vector("e07-two-blocks", "The signature twice.", "multiple-signatures", |desk| {
            let key = registered(desk);
            desk.push(|payload| Sshsig::of(&key, payload).armored().repeat(2))
        }),
        vector("e07-pgp-label", "An SSH signature between OpenPGP's lines.", "malformed-signature", |desk| {
            let key = registered(desk);
            desk.push(|payload| armored("PGP SIGNATURE", &Sshsig::of(&key, payload).blob(), 64))
        }),
        vector(
            "e07-cms-label",
            "An SSH signature between the lines of a CMS message.",
            "malformed-signature",
            |desk| {
                let key = registered(desk);
                desk.push(|payload| armored("SIGNED MESSAGE", &Sshsig::of(&key, payload).blob(), 64))
            },
        ),
    ]
}
