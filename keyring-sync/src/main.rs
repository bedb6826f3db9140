//! The `keyring-sync` program.

use clap::Parser;
use keyring_sync::report::{Failure, Report, SCHEMA_VERSION};
use keyring_sync::{Cli, Format};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

const COULD_NOT: u8 = 2;

/// Characters of one line of a message.
const LINE_SHOWN: usize = 2000;

/// Exit codes: 0 yes, 1 no, 2 could not be done, 64 wrong usage.
fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let usage = error.use_stderr();
            let _ = error.print();
            return ExitCode::from(if usage { 64 } else { 0 });
        }
    };
    let filter = EnvFilter::try_from_env("KEYRING_SYNC_LOG").unwrap_or_else(|_| EnvFilter::new(cli.log_level()));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(io::stderr).init();
    let format = cli.format;
    match cli.run() {
        Ok(report) => print(report, format),
        Err(failure) => fail(&failure, format),
    }
}

fn print(report: Report, format: Format) -> ExitCode {
    for note in &report.notes {
        say(&mut io::stderr(), note);
    }
    let text = match format {
        Format::Text => report.text,
        Format::Json => versioned(report.json).to_string(),
    };
    let written = if text.is_empty() { Ok(()) } else { writeln!(io::stdout(), "{text}") };
    match written {
        Ok(()) => {}
        // A reader that has gone away is no failure: what was to be done is done.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => {
            say(&mut io::stderr(), &format!("keyring-sync: the answer could not be written: {error}"));
            return ExitCode::from(COULD_NOT);
        }
    }
    ExitCode::from(u8::from(report.refused))
}

fn fail(failure: &Failure, format: Format) -> ExitCode {
    say(&mut io::stderr(), &format!("keyring-sync: {failure}"));
    if format == Format::Json {
        say(&mut io::stdout(), &versioned(json!({"error": failure.to_string()})).to_string());
    }
    ExitCode::from(failure.exit_code())
}

fn versioned(json: Value) -> Value {
    let mut versioned = json!({"schema_version": SCHEMA_VERSION});
    if let (Value::Object(all), Value::Object(json)) = (&mut versioned, json) {
        all.extend(json);
    }
    versioned
}

/// For people: whatever others wrote, nothing in it steers a terminal.
fn say(out: &mut dyn Write, text: &str) {
    let lines: Vec<String> = text.lines().map(|line| countersign_policy::text::shown(line, LINE_SHOWN)).collect();
    let _ = writeln!(out, "{}", lines.join("\n"));
}
