//! `countersign-x509`: asks `gpgsm` about CMS signatures, for one push.
//!
//! It reads one JSON object a line and answers each with a line, until its input ends; see
//! [`countersign_policy::signature::x509::wire`]. `$HOME` is an empty folder made for this run.

mod gpgsm;
mod home;

use countersign_policy::signature::x509::wire::{Ask, LINE_MAX, Reply, Start};
use gpgsm::Gpgsm;
use home::Home;
use serde::de::DeserializeOwned;
use std::io::{BufRead, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Why no answer can be given. Never a statement on a signature.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("HOME does not name a folder")]
    NoHome,
    #[error("the home is not an empty folder of our own with mode 0700")]
    UnfitHome,
    #[error("a line is longer than {LINE_MAX} bytes")]
    LineTooLong,
    #[error("a line is not what it should be: {0}")]
    Line(#[from] serde_json::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("gpgsm: {0}")]
    Gpgme(#[from] gpgme::Error),
    #[error("limits cannot be set: {0}")]
    Limit(#[from] rustix::io::Errno),
    #[error("gpgsm did not take {0} of {1} roots")]
    Roots(usize, usize),
}

fn main() -> ExitCode {
    let mut output = std::io::stdout().lock();
    let ended = run(&mut std::io::stdin().lock(), &mut output);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // The hook may be gone: then nobody is left to be told.
            let _ = reply(&mut output, &Reply::Failed(failure.to_string()));
            ExitCode::from(2)
        }
    }
}

fn run(input: &mut impl BufRead, output: &mut impl Write) -> Result<(), Failure> {
    home::limit()?;
    let home = Home::take(std::env::var_os("HOME").map(PathBuf::from).ok_or(Failure::NoHome)?)?;
    let Some(start) = line::<Start>(input)? else { return Ok(()) };
    home.furnish(&start)?;
    let mut gpgsm = Gpgsm::open(&home, &start)?;
    reply(output, &Reply::Ready)?;
    while let Some(ask) = line::<Ask>(input)? {
        let said = match gpgsm.check(&ask.payload, &ask.signature) {
            Ok(answer) => Reply::Answer(answer),
            Err(error) => Reply::Failed(Failure::from(error).to_string()),
        };
        reply(output, &said)?;
    }
    Ok(())
}

/// The next line; `None` at the end of the input.
fn line<T: DeserializeOwned>(input: &mut impl BufRead) -> Result<Option<T>, Failure> {
    let mut bytes = Vec::new();
    input.take(LINE_MAX as u64 + 1).read_until(b'\n', &mut bytes)?;
    if bytes.len() > LINE_MAX {
        return Err(Failure::LineTooLong);
    }
    if bytes.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&bytes)?)) }
}

fn reply(output: &mut impl Write, reply: &Reply) -> Result<(), Failure> {
    serde_json::to_writer(&mut *output, reply)?;
    output.write_all(b"\n")?;
    output.flush()?;
    Ok(())
}
