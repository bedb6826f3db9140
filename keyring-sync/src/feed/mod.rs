//! Sources ─► events. One source a file.

pub mod csv;
