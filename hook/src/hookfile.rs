//! The file that git runs as a hook: it fixes binary, policy and forge kind, so that nothing of these
//! comes from a client's environment.
//!
//! The first line starts the binary itself; no shell runs between git and the hook. Where the path cannot
//! stand on such a line (white space, or longer than the kernel reads), a one-line shell script does it.

use crate::forge::ForgeKind;
use std::path::{Path, PathBuf};

/// Linux reads 255 bytes of a `#!` line; older kernels 127.
const SHEBANG_MAX: usize = 127;

/// A hook file larger than this was not written by `install`.
const FILE_MAX: u64 = 16 * 1024;

/// In place of a hook's name: the file is called by it.
const BY_NAME: &str = "by-name";

const MARK: &str = "#: countersign hook";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    PreReceive,
    PostReceive,
    ReferenceTransaction,
}

impl HookKind {
    pub const ALL: [HookKind; 3] = [HookKind::PreReceive, HookKind::ReferenceTransaction, HookKind::PostReceive];

    pub fn as_str(self) -> &'static str {
        match self {
            HookKind::PreReceive => "pre-receive",
            HookKind::PostReceive => "post-receive",
            HookKind::ReferenceTransaction => "reference-transaction",
        }
    }
}

impl std::str::FromStr for HookKind {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// What an installed hook file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFile {
    /// `None` in a file that serves several hooks: then the name it is called by tells
    /// (gitolite links `pre-receive.h00-countersign` to one file).
    pub hook: Option<HookKind>,
    pub config: PathBuf,
    pub forge: ForgeKind,
}

#[derive(Debug, thiserror::Error)]
pub enum HookFileError {
    #[error("the hook file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("the hook file was not written by `countersign install`")]
    NotOurs,
    #[error("`{}` cannot stand in a hook file: it is not UTF-8 or holds a line break", .0.display())]
    Path(PathBuf),
}

impl HookFile {
    pub fn read(path: &Path) -> Result<Self, HookFileError> {
        if std::fs::metadata(path)?.len() > FILE_MAX {
            return Err(HookFileError::NotOurs);
        }
        let bytes = std::fs::read(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| HookFileError::NotOurs)?;
        let mut lines = text.lines().skip_while(|line| *line != MARK).skip(1);
        let mut setting =
            |name: &str| -> Option<&str> { lines.next()?.strip_prefix("#: ")?.strip_prefix(name)?.strip_prefix(' ') };
        let (hook, config, forge) = (setting("hook"), setting("config"), setting("forge"));
        let hook = match hook {
            Some(BY_NAME) => None,
            Some(hook) => Some(hook.parse().map_err(|()| HookFileError::NotOurs)?),
            None => return Err(HookFileError::NotOurs),
        };
        match (config, forge.and_then(|forge| forge.parse().ok())) {
            (Some(config), Some(forge)) => Ok(HookFile { hook, config: PathBuf::from(config), forge }),
            _ => Err(HookFileError::NotOurs),
        }
    }

    /// The hook that stood here before ours, `hooks/NAME.local`, which ours runs after its own yes. Only directly in
    /// `hooks/`: a forge's own folders run whatever lies in them.
    pub fn local(place: &Path) -> Option<PathBuf> {
        let in_hooks = place.parent().and_then(Path::file_name).is_some_and(|folder| folder == "hooks");
        in_hooks.then(|| {
            let mut name = place.as_os_str().to_owned();
            name.push(".local");
            PathBuf::from(name)
        })
    }

    /// Which hook git wants when it runs this file as `path`.
    pub fn kind(&self, path: &Path) -> Option<HookKind> {
        let by_name = || path.file_name()?.to_str()?.split('.').next()?.parse().ok();
        self.hook.or_else(by_name)
    }

    /// The file's text, for `binary`.
    pub fn text(&self, binary: &Path) -> Result<String, HookFileError> {
        let plain = |path: &Path| {
            path.to_str()
                .filter(|text| !text.contains(['\n', '\r', '\0']))
                .map(str::to_owned)
                .ok_or_else(|| HookFileError::Path(path.to_owned()))
        };
        let (binary, config) = (plain(binary)?, plain(&self.config)?);
        let direct = format!("#!{binary} --hook-file\n");
        let start = if direct.len() <= SHEBANG_MAX && !binary.contains(char::is_whitespace) {
            direct
        } else {
            format!("#!/bin/sh\nexec '{}' --hook-file \"$0\" \"$@\"\n", binary.replace('\'', r"'\''"))
        };
        Ok(format!(
            "{start}{MARK}\n#: hook {}\n#: config {config}\n#: forge {}\n\
             # Written by `countersign install`; run that again rather than editing.\n",
            self.hook.map_or(BY_NAME, HookKind::as_str),
            self.forge.as_str()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_install_writes_is_what_the_hook_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pre-receive");
        let file = HookFile {
            hook: Some(HookKind::ReferenceTransaction),
            config: PathBuf::from("/etc/counter sign/policy.yaml"),
            forge: ForgeKind::Gitea,
        };
        for binary in ["/usr/bin/countersign", "/opt/with space/it's/countersign", &format!("/{}", "x".repeat(200))] {
            let text = file.text(Path::new(binary)).unwrap();
            std::fs::write(&path, &text).unwrap();
            assert_eq!(HookFile::read(&path).unwrap(), file);
        }
        assert!(
            file.text(Path::new("/usr/bin/countersign")).unwrap().starts_with("#!/usr/bin/countersign --hook-file\n")
        );
        std::fs::write(&path, "#!/bin/sh\nexit 0\n").unwrap();
        assert!(matches!(HookFile::read(&path), Err(HookFileError::NotOurs)));
        assert!(file.text(Path::new("/a\nb")).is_err());
        let several = HookFile { hook: None, ..file };
        std::fs::write(&path, several.text(Path::new("/usr/bin/countersign")).unwrap()).unwrap();
        assert_eq!(HookFile::read(&path).unwrap(), several);
        let called = |name: &str| several.kind(Path::new(name));
        assert_eq!(called("hooks/post-receive.h01-countersign"), Some(HookKind::PostReceive));
        assert_eq!(called("hooks/countersign"), None);
    }
}
