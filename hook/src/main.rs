//! The binary: a hook when git calls it, a command line when a person does.

use clap::Parser;
use clap::error::ErrorKind;
use countersign::call::{Call, Clock};
use countersign::cli::{self, Cli, OutputFormat};
use countersign::command;
use countersign::forge::ForgeKind;
use countersign::hookfile::{HookFile, HookKind};
use countersign::voice;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

const WRONG_USAGE: u8 = 64;
const COULD_NOT: u8 = 2;

/// What is kept of a hook's input for the hook that runs after ours: more than `limits.refs` updates take.
const INPUT_MAX: u64 = 128 * 1024 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let code = match as_hook(&arguments) {
        Some(code) => code,
        None => as_command(arguments),
    };
    ExitCode::from(code)
}

/// Called through an installed hook file (`--hook-file FILE ARGS…`) or under a hook's name.
fn as_hook(arguments: &[OsString]) -> Option<u8> {
    let rest = |from: usize| {
        arguments
            .get(from..)
            .unwrap_or_default()
            .iter()
            .map(|text| text.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
    };
    if arguments.get(1).is_some_and(|first| first == "--hook-file") {
        let path = PathBuf::from(arguments.get(2)?);
        return Some(match HookFile::read(&path) {
            Ok(file) => match file.kind(&path) {
                Some(hook) => {
                    let local = HookFile::local(&path).filter(|local| local.is_file());
                    run_hook(hook, file.config, file.forge, &rest(3), local.as_deref())
                }
                None => {
                    say(
                        "countersign: push could not be decided: the hook was called by no hook's name   [policy-unreadable]",
                    );
                    COULD_NOT
                }
            },
            Err(error) => {
                say(&format!("countersign: push could not be decided: {error}   [policy-unreadable]"));
                COULD_NOT
            }
        });
    }
    let name = Path::new(arguments.first()?).file_name()?.to_str()?;
    let hook: HookKind = name.parse().ok()?;
    Some(run_hook(hook, PathBuf::from("/etc/countersign/policy.yaml"), ForgeKind::Plain, &rest(1), None))
}

/// Runs our hook and, after its yes, the one that stood here before.
fn run_hook(hook: HookKind, config: PathBuf, forge: ForgeKind, arguments: &[String], local: Option<&Path>) -> u8 {
    let Some(local) = local else { return our_hook(hook, config, forge, arguments, std::io::stdin()) };
    // Git holds its ref locks meanwhile: the log says what went wrong.
    let tell = |text: &str| match hook {
        HookKind::ReferenceTransaction => tracing::error!("{text}"),
        HookKind::PreReceive | HookKind::PostReceive => say(text),
    };
    let mut input = Vec::new();
    let read = std::io::stdin().lock().take(INPUT_MAX + 1).read_to_end(&mut input);
    if read.is_err() || input.len() as u64 > INPUT_MAX {
        tell("countersign: push could not be decided: its ref updates could not be read   [repository-unreadable]");
        return COULD_NOT;
    }
    let code = our_hook(hook, config, forge, arguments, input.as_slice());
    if code != 0 {
        return code;
    }
    match run_local(local, arguments, &input) {
        Ok(code) => code,
        Err(error) => {
            let shown = countersign_policy::text::shown(&local.to_string_lossy(), 200);
            tell(&format!("countersign: accepted, but {shown} could not be run: {error}"));
            COULD_NOT
        }
    }
}

fn run_local(local: &Path, arguments: &[String], input: &[u8]) -> std::io::Result<u8> {
    let mut child = Command::new(local).args(arguments).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // It need not read what it is told.
        let _ = stdin.write_all(input);
    }
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(COULD_NOT))
}

fn our_hook(hook: HookKind, config: PathBuf, forge: ForgeKind, arguments: &[String], input: impl Read) -> u8 {
    let variables = |name: &str| std::env::var_os(name);
    let call = Call { config, forge, variables: &variables, clock: Clock::system() };
    let Ok(cwd) = std::env::current_dir() else {
        say("countersign: push could not be decided: the folder of the repository is gone   [repository-unreadable]");
        return COULD_NOT;
    };
    let outcome = countersign::run(hook, &call, arguments, &cwd, input);
    if !outcome.lines.is_empty() {
        let patience = match hook {
            // Git holds its ref locks now: a client that does not read must not be able to hold them with us.
            HookKind::ReferenceTransaction => Duration::ZERO,
            HookKind::PreReceive | HookKind::PostReceive => voice::PATIENCE,
        };
        voice::say(&format!("{}\n", outcome.lines.join("\n")), patience);
    }
    outcome.exit_code
}

/// A client that does not read keeps no process for ever.
fn say(text: &str) {
    voice::say(&format!("{text}\n"), voice::PATIENCE);
}

fn as_command(arguments: Vec<OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
                _ => WRONG_USAGE,
            };
        }
    };
    if let cli::Command::Hook { hook, arguments, forge } = &cli.command {
        return match (hook.parse::<HookKind>(), forge.parse::<ForgeKind>()) {
            (Ok(hook), Ok(forge)) => run_hook(hook, cli.config.clone(), forge, arguments, None),
            (Err(()), _) => {
                say("countersign: hooks are pre-receive, post-receive and reference-transaction");
                WRONG_USAGE
            }
            (_, Err(error)) => {
                say(&format!("countersign: {error}"));
                WRONG_USAGE
            }
        };
    }
    match countersign::incident::caught(|| command::run(&cli)) {
        Ok(Ok(done)) => {
            if std::io::stdout().lock().write_all(done.text.as_bytes()).is_err() {
                return COULD_NOT;
            }
            done.code
        }
        Ok(Err(error)) => {
            say(&format!("countersign: {error}"));
            tell_programs(cli.format, &error.to_string());
            error.code()
        }
        Err(incident) => {
            say(&format!(
                "countersign: this is a bug of countersign itself, incident {}   [internal-error]",
                incident.id
            ));
            tell_programs(cli.format, &format!("internal error, incident {}", incident.id));
            COULD_NOT
        }
    }
}

/// A program that asked for JSON gets JSON, also for an answer that there is none.
fn tell_programs(format: OutputFormat, error: &str) {
    if format == OutputFormat::Json {
        let json = serde_json::json!({ "schema_version": 1, "error": error });
        let _ = writeln!(std::io::stdout().lock(), "{json}");
    }
}
