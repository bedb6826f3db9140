//! Where word of persons comes from: one source a room.

pub mod scim;
