//! Tables `authority` and `authority_mark`: SSH authorities and X.509 roots, and what became of them.

use super::{StoreError, Tables};
use countersign_policy::id::Fingerprint;
use countersign_policy::keyring::{Authorities, Authority, Compromised, Material, RetireReason, Retired};
use countersign_policy::time::Time;
use rusqlite::params;

/// Something said of an authority after it was added. It is never taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityMark {
    Retired(Retired),
    Compromised(Compromised),
}

impl Tables<'_> {
    /// Adds an authority that is not there yet.
    pub fn add_authority(
        &self,
        fingerprint: &Fingerprint,
        material: &Material,
        source: &[u8],
        now: Time,
    ) -> Result<(), StoreError> {
        let material = serde_json::to_vec(material).map_err(StoreError::json)?;
        self.connection
            .prepare_cached("INSERT INTO authority (fingerprint, added_at, material, source) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![fingerprint.as_str(), now.unix_millis(), material, source])?;
        self.own(fingerprint.as_str(), fingerprint, None)
    }

    pub fn mark_authority(&self, fingerprint: &Fingerprint, mark: AuthorityMark, now: Time) -> Result<(), StoreError> {
        let (reason, since) = match mark {
            AuthorityMark::Retired(Retired { at, reason: RetireReason::Retired }) => ("retired", Some(at)),
            AuthorityMark::Retired(Retired { at, reason: RetireReason::Superseded }) => ("superseded", Some(at)),
            AuthorityMark::Compromised(Compromised { since, .. }) => ("compromised", since),
        };
        self.connection
            .prepare_cached(
                "INSERT INTO authority_mark (fingerprint, reason, since, received_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![fingerprint.as_str(), reason, since.map(Time::unix_millis), now.unix_millis()])?;
        Ok(())
    }

    /// All authorities with everything said of them; of several marks the harshest counts.
    pub fn authorities(&self) -> Result<Authorities, StoreError> {
        let mut authorities = Authorities::default();
        let mut statement = self
            .connection
            .prepare_cached("SELECT fingerprint, added_at, material FROM authority ORDER BY fingerprint")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (fingerprint, added, material): (String, i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let mut authority = Authority {
                fingerprint: Fingerprint::new(&fingerprint).map_err(StoreError::damaged)?,
                added: Time::from_unix_millis(added),
                retired: None,
                compromised: None,
                material: serde_json::from_slice(&material).map_err(StoreError::json)?,
            };
            self.apply_marks(&mut authority)?;
            match &authority.material {
                Material::Ssh(_) => authorities.ssh.push(authority),
                Material::X509(_) => authorities.x509.push(authority),
                Material::OpenPgp(_) => return Err(StoreError::Damaged(format!("{fingerprint} is no authority"))),
            }
        }
        Ok(authorities)
    }

    fn apply_marks(&self, authority: &mut Authority) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT reason, since, received_at FROM authority_mark WHERE fingerprint = ?1 ORDER BY seq",
        )?;
        let mut rows = statement.query([authority.fingerprint.as_str()])?;
        while let Some(row) = rows.next()? {
            let (reason, since, received): (String, Option<i64>, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (since, received) = (since.map(Time::from_unix_millis), Time::from_unix_millis(received));
            let retired = |reason| Retired { at: since.unwrap_or(received), reason };
            match reason.as_str() {
                "compromised" => {
                    let former = authority.compromised.unwrap_or(Compromised { since, from: received });
                    // No instant means always, and is less than any instant.
                    authority.compromised =
                        Some(Compromised { since: former.since.min(since), from: former.from.min(received) });
                }
                "superseded" => keep_first(&mut authority.retired, retired(RetireReason::Superseded)),
                _ => keep_first(&mut authority.retired, retired(RetireReason::Retired)),
            }
        }
        Ok(())
    }
}

fn keep_first(kept: &mut Option<Retired>, new: Retired) {
    if kept.is_none_or(|kept| new.at < kept.at) {
        *kept = Some(new);
    }
}
