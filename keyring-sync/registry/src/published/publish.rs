//! Writes the published keyring. Only ever called under the registry's lock.

use super::CURRENT;
use super::base::{Base, BaseBuilder, OpenBase};
use super::overlay::{Head, Overlay, encode};
use crate::store::{StoreError, Tables};
use countersign_policy::time::Time;
use rustix::fs::{Mode, fchmod};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Past this many changed persons the base is rebuilt: every cold start of a hook reads the overlay.
pub(crate) const OVERLAY_PERSONS: u64 = 1000;
/// Past this many bytes the base is rebuilt: some hundred persons, whose directory costs a cold hook a million
/// instructions where the processor has none for SHA-256. A base of 100,000 takes a second there, and who comes next waits.
pub(crate) const OVERLAY_BYTES: u64 = 128 << 10;
/// A single change beyond this does not go through an overlay at all.
pub(crate) const OVERLAY_HARD_MAX: u64 = 1 << 20;

/// Everybody may read the keyring: it holds public keys and who is employed, and the hooks run as another user.
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o755);

/// A keyring that readers can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    pub epoch: u64,
    /// From the end of the transaction to the rename.
    pub took: Duration,
}

/// Publishes the registry's epoch in `dir`, unless that is what lies there already.
pub(crate) fn publish(dir: &Path, tables: &Tables<'_>, now: Time) -> Result<Published, StoreError> {
    let started = Instant::now();
    make_folder(dir)?;
    let epoch = tables.epoch()?;
    if let Some(published) = announced_epoch(dir).filter(|published| *published > epoch) {
        return Err(StoreError::Rollback { dir: dir.to_owned(), published, registry: epoch });
    }
    let Some(base) = current_head(dir) else {
        write_base(dir, tables, epoch, now)?;
        return Ok(Published { epoch, took: started.elapsed() });
    };
    let size = tables.changed_since(base.base_epoch)?;
    if size.bytes > OVERLAY_HARD_MAX {
        write_base(dir, tables, epoch, now)?;
        return Ok(Published { epoch, took: started.elapsed() });
    }
    let persons = tables.persons_since(base.base_epoch)?;
    write_overlay(dir, tables, &Head { epoch, commits: tables.commits()?, published_at: now, ..base }, &persons)?;
    let took = started.elapsed();
    if size.persons > OVERLAY_PERSONS || size.bytes > OVERLAY_BYTES {
        // The change is out already; this only keeps the next cold starts short, and the next change tries again.
        if let Err(error) = write_base(dir, tables, epoch, now) {
            tracing::warn!(%error, "the base of the keyring could not be written anew");
        }
    }
    Ok(Published { epoch, took })
}

/// As [`publish`], and reads what lies there first: a base with damage anywhere is written anew.
pub(crate) fn mend(dir: &Path, tables: &Tables<'_>, now: Time) -> Result<Published, StoreError> {
    let started = Instant::now();
    let published = publish(dir, tables, now)?;
    let Some(head) = current_head(dir) else { return Ok(published) };
    match Base::open(&dir.join(&head.base_name), &head.base_digest) {
        Ok(OpenBase::Open(base)) if base.check().is_ok() => return Ok(published),
        Ok(_) | Err(_) => tracing::warn!(base = head.base_name, "the base of the keyring is damaged and written anew"),
    }
    write_base(dir, tables, published.epoch, now)?;
    Ok(Published { took: started.elapsed(), ..published })
}

/// The epoch that was published last, whether or not its base can still be read.
pub(crate) fn announced_epoch(dir: &Path) -> Option<u64> {
    Overlay::read(&dir.join(CURRENT)).ok().map(|overlay| overlay.epoch())
}

/// The epoch that readers see, if there is a keyring in `dir` that can be read.
pub(crate) fn published_epoch(dir: &Path) -> Option<u64> {
    current_head(dir).map(|head| head.epoch)
}

/// What lies in `dir`, provided that its base is there: else all is written anew.
fn current_head(dir: &Path) -> Option<Head> {
    let overlay = match Overlay::read(&dir.join(CURRENT)) {
        Ok(overlay) => overlay,
        Err(error) => {
            tracing::debug!(%error, "no usable keyring is published");
            return None;
        }
    };
    match overlay.check().and_then(|()| Base::open(&dir.join(overlay.base_name()), overlay.base_digest())) {
        Ok(OpenBase::Open(_)) => Some(overlay.head().clone()),
        Ok(OpenBase::Gone) | Err(_) => None,
    }
}

fn write_base(dir: &Path, tables: &Tables<'_>, epoch: u64, now: Time) -> Result<(), StoreError> {
    let former = Overlay::read(&dir.join(CURRENT)).ok().map(|overlay| overlay.head().clone());
    let mut builder = BaseBuilder::default();
    tables.each_person(|person| builder.add(&person.id, &person.keys, person.record).map_err(StoreError::Keyring))?;
    let generation = former.as_ref().and_then(|head| generation(&head.base_name)).unwrap_or(0).saturating_add(1);
    let base_name = format!("base-{epoch}-{generation}");
    let mut base_digest = [0; 32];
    replace(dir, &base_name, |out| {
        base_digest = builder.write(epoch, out)?;
        Ok(())
    })?;
    let commits = tables.commits()?;
    let head = Head { epoch, commits, published_at: now, base_name: base_name.clone(), base_epoch: epoch, base_digest };
    write_overlay(dir, tables, &head, &[])?;
    remove_old(dir, &base_name, former.as_ref().map(|head| head.base_name.as_str()))
}

/// `base-EPOCH-GENERATION`: the generation keeps two bases of one epoch apart.
fn generation(base_name: &str) -> Option<u64> {
    base_name.rsplit_once('-')?.1.parse().ok()
}

fn write_overlay(
    dir: &Path,
    tables: &Tables<'_>,
    head: &Head,
    persons: &[super::overlay::StoredPerson],
) -> Result<(), StoreError> {
    let authorities = serde_json::to_vec(&tables.authorities()?).map_err(StoreError::json)?;
    let bytes = encode(head, &authorities, persons);
    replace(dir, CURRENT, |out| out.write_all(&bytes))
}

/// New file, fsync, rename, fsync of the folder: readers see the old content or the new one.
fn replace(
    dir: &Path,
    name: &str,
    fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), StoreError> {
    let path = dir.join(name);
    let new = dir.join(format!(".{name}.new"));
    let write = || -> io::Result<()> {
        let file = File::create(&new)?;
        let mut out = BufWriter::new(&file);
        fill(&mut out)?;
        out.flush()?;
        drop(out);
        // Before the rename and whatever the umask says: nobody may see a keyring they cannot read.
        fchmod(&file, FILE_MODE)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&new);
        StoreError::io(&path)(error)
    })
}

/// Keeps the base in use and the one before it, which slow readers may be about to open.
fn remove_old(dir: &Path, latest: &str, former: Option<&str>) -> Result<(), StoreError> {
    for entry in fs::read_dir(dir).map_err(StoreError::io(dir))? {
        let entry = entry.map_err(StoreError::io(dir))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let kept = name == latest || Some(name) == former;
        if !kept && (name.starts_with("base-") || name.starts_with(".base-")) {
            fs::remove_file(entry.path()).map_err(StoreError::io(&entry.path()))?;
        }
    }
    Ok(())
}

fn make_folder(dir: &Path) -> Result<(), StoreError> {
    match fs::create_dir(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(StoreError::io(dir)(error)),
    }
    let folder = File::open(dir).map_err(StoreError::io(dir))?;
    fchmod(&folder, FOLDER_MODE).map_err(|error| StoreError::io(dir)(error.into()))
}
