//! Table `token`: the bearer tokens by which sources are known. Only hashes are kept.

use super::{StoreError, Tables};
use countersign_policy::id::Source;
use countersign_policy::time::Time;
use rusqlite::params;

/// So many are valid at once: the one in use and the one that is to replace it.
pub const TOKENS_AT_ONCE: usize = 2;

/// One token of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Its public half, by which it is found and called.
    pub id: String,
    pub source: Source,
    /// SHA-256 of its secret half.
    pub hash: Vec<u8>,
    pub made: Time,
    pub ended: Option<Time>,
}

impl Tables<'_> {
    pub fn add_token(&self, token: &TokenRow) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO token (id, source, hash, made_at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![token.id, token.source.as_str(), token.hash, token.made.unix_millis()])?;
        Ok(())
    }

    /// Ends a token; false when it had ended before.
    pub fn end_token(&self, id: &str, now: Time) -> Result<bool, StoreError> {
        let mut statement =
            self.connection.prepare_cached("UPDATE token SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL")?;
        Ok(statement.execute(params![id, now.unix_millis()])? > 0)
    }

    pub fn token(&self, id: &str) -> Result<Option<TokenRow>, StoreError> {
        Ok(self.tokens_where("WHERE id = ?1", &[&id])?.into_iter().next())
    }

    /// All tokens that were ever made, the oldest first.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.tokens_where("", &[])
    }

    fn tokens_where(&self, condition: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<TokenRow>, StoreError> {
        let sql = format!("SELECT id, source, hash, made_at, ended_at FROM token {condition} ORDER BY made_at, id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(values)?;
        let mut tokens = Vec::new();
        while let Some(row) = rows.next()? {
            let (source, made, ended): (String, i64, Option<i64>) = (row.get(1)?, row.get(3)?, row.get(4)?);
            tokens.push(TokenRow {
                id: row.get(0)?,
                source: Source::new(&source).map_err(StoreError::damaged)?,
                hash: row.get(2)?,
                made: Time::from_unix_millis(made),
                ended: ended.map(Time::from_unix_millis),
            });
        }
        Ok(tokens)
    }
}
