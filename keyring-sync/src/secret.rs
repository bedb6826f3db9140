//! Secrets in files of one line.

use std::io::Read;
use std::path::Path;

/// Bytes of a secret: the longest token seen has 200.
const SECRET_MAX: u64 = 4096;

/// A file that holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum BadSecret {
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    #[error("{0} holds no secret of one line")]
    NoLine(String),
}

/// Reads the secret; it may have been changed since.
pub fn read(path: &Path) -> Result<String, BadSecret> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(SECRET_MAX).read_to_string(&mut text))
        .map_err(|error| BadSecret::File(path.display().to_string(), error))?;
    let secret = text.trim();
    if secret.is_empty() || secret.chars().any(char::is_control) {
        return Err(BadSecret::NoLine(path.display().to_string()));
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_and_never_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            read(file.path()).map_err(|bad| bad.to_string())
        };
        assert_eq!(read("secret\n").unwrap(), "secret");
        for bad in ["", "\n", "one\ntwo\n", "a\u{1b}b"] {
            assert!(read(bad).unwrap_err().ends_with("holds no secret of one line"), "{bad:?}");
        }
        assert!(super::read(Path::new("missing")).unwrap_err().to_string().starts_with("missing: "));
    }
}
