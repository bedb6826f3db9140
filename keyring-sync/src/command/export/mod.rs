//! `keyring-sync export`

mod allowed_signers;
mod krl;
mod openpgp;

use super::Context;
use crate::export::file;
use crate::report::{Failure, Report};
use std::path::Path;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The SSH keys of current holders, for `gpg.ssh.allowedSignersFile`
    AllowedSigners(allowed_signers::Args),
    /// The compromised SSH keys, for `gpg.ssh.revocationFile` and sshd's `RevokedKeys`
    Krl(krl::Args),
    /// The OpenPGP certificates in use and the revoked ones, for `gpg --import`
    Gnupg(openpgp::Gnupg),
    /// The same as a Web Key Directory, to be served by a web server
    Wkd(openpgp::Wkd),
}

pub(super) fn run(context: &Context, command: &Command) -> Result<Report, Failure> {
    match command {
        Command::AllowedSigners(args) => allowed_signers::run(context, args),
        Command::Krl(args) => krl::run(context, args),
        Command::Gnupg(args) => openpgp::gnupg(context, args),
        Command::Wkd(args) => openpgp::wkd(context, args),
    }
}

/// False: it was there already.
fn put(path: &Path, bytes: &[u8]) -> Result<bool, Failure> {
    file::write(path, bytes).map_err(Failure::file(path))
}

fn wrote(new: bool) -> &'static str {
    if new { "wrote" } else { "nothing new for" }
}
