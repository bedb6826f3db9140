//! A transmitter's keys and signatures, made by `openssl`: nothing of it is our own code but the encoding.

use crate::common::Room;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

pub struct Signer(PathBuf);

impl Signer {
    /// `rsa`, `ec` and `ed` are in the key set; `stranger` and `weak` are not.
    pub fn new(room: &Room) -> Self {
        let signer = Signer(room.path(""));
        for (name, kind) in [
            ("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"),
            ("stranger", "RSA -pkeyopt rsa_keygen_bits:2048"),
            ("weak", "RSA -pkeyopt rsa_keygen_bits:1024"),
            ("ec", "EC -pkeyopt ec_paramgen_curve:P-256"),
            ("ed", "ED25519"),
        ] {
            signer.openssl(&format!("genpkey -algorithm {kind} -out {name}.key 2>/dev/null"));
        }
        signer
    }

    fn openssl(&self, args: &str) -> Vec<u8> {
        let output = Command::new("sh").args(["-c", &format!("openssl {args}")]).current_dir(&self.0).output().unwrap();
        assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    pub fn rsa(&self, name: &str, kid: &str) -> Value {
        let said = String::from_utf8(self.openssl(&format!("rsa -in {name}.key -noout -modulus"))).unwrap();
        let modulus = hex::decode(said.trim().strip_prefix("Modulus=").unwrap()).unwrap();
        json!({"kty": "RSA", "kid": kid, "use": "sig", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"})
    }

    pub fn jwks(&self) -> Value {
        let point = |name: &str| self.openssl(&format!("pkey -in {name}.key -pubout -outform DER"));
        let (ec, ed) = (point("ec"), point("ed"));
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [
            self.rsa("rsa", "rsa"),
            {"kty": "EC", "crv": "P-256", "kid": "ec", "x": encode(&ec[ec.len() - 64..ec.len() - 32]),
                "y": encode(&ec[ec.len() - 32..])},
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(&ed[ed.len() - 32..])},
            {"kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB"},
        ]})
    }

    /// An ordinary token.
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({"typ": "secevent+jwt", "alg": "RS256", "kid": "rsa"});
        self.token_of(&header.to_string(), &claims.to_string(), "rsa")
    }

    /// Signed with `key` by the algorithm that the header names; `hmac` uses the public RSA key as a secret.
    pub fn token_of(&self, header: &str, claims: &str, key: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        std::fs::write(self.0.join("signed"), &signed).unwrap();
        let header: Value = serde_json::from_str(header).unwrap_or_default();
        let algorithm = header["alg"].as_str().unwrap_or_default();
        let signature = match (algorithm, key) {
            (_, "none") => Vec::new(),
            (_, "hmac") => {
                let public = self.openssl("rsa -in rsa.key -pubout 2>/dev/null");
                self.openssl(&format!("dgst -sha256 -mac HMAC -macopt hexkey:{} -binary signed", hex::encode(public)))
            }
            ("PS256", key) => self.openssl(&format!(
                "dgst -sha256 -sign {key}.key -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -binary signed"
            )),
            ("EdDSA", key) => self.openssl(&format!("pkeyutl -sign -inkey {key}.key -rawin -in signed")),
            ("ES256", key) => raw(&self.openssl(&format!("dgst -sha256 -sign {key}.key -binary signed"))),
            (_, key) => self.openssl(&format!("dgst -sha256 -sign {key}.key -binary signed")),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// `SEQUENCE { INTEGER r, INTEGER s }` ─► `r` and `s` of 32 bytes each.
fn raw(der: &[u8]) -> Vec<u8> {
    let (mut rest, mut out) = (&der[2..], Vec::new());
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number: Vec<u8> = rest[2..2 + length].iter().copied().skip_while(|byte| *byte == 0).collect();
        out.extend(vec![0; 32 - number.len()]);
        out.extend(number);
        rest = &rest[2 + length..];
    }
    out
}
