//! Stands in for `ssh-keygen -Y sign` with a security key in software. Git calls it as
//! `sk-sign -Y sign -n git -f KEY.pub FILE` and reads `FILE.sig`.

use countersign_tests::keys::SecurityKey;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut operation, mut namespace, mut key, mut file) = (None, None, None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-Y" => operation = args.next(),
            "-n" => namespace = args.next(),
            "-f" => key = args.next().map(PathBuf::from),
            // The key is in an agent, says git; there is none here.
            "-U" => {}
            _ => file = Some(arg),
        }
    }
    match (operation.as_deref(), namespace, key.as_deref().and_then(Path::parent), file) {
        (Some("sign"), Some(namespace), Some(folder), Some(file)) => {
            let message = std::fs::read(&file).expect("the file to sign");
            let signature = SecurityKey::load(folder).sign(&namespace, &message);
            std::fs::write(format!("{file}.sig"), signature).expect("the signature");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: sk-sign -Y sign -n NAMESPACE -f KEY.pub FILE");
            ExitCode::from(64)
        }
    }
}
