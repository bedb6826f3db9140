//! Where word of persons comes from: sources ─► events. One kind of source a room.

pub mod csv;
pub mod ldap;
pub mod list;
pub mod scim;
pub mod signals;
pub mod webhook;
