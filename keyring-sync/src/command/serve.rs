//! `keyring-sync serve`

use super::Context;
use crate::config::Config;
use crate::report::{Failure, Report};
use crate::serve;

pub(super) fn run(context: &Context) -> Result<Report, Failure> {
    let config = Config::read(&context.config)?;
    let service = config.serve.clone().ok_or_else(|| {
        Failure::Usage(format!(
            "{} has no section `serve:`: deploy/systemd/keyring-sync.yaml is an example",
            context.config.display()
        ))
    })?;
    serve::run(&config, service).map_err(|error| Failure::Fault(error.to_string()))?;
    Ok(Report::default())
}
