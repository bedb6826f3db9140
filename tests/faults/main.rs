//! What breaks around a push: programs that die, disks that fill, files that rot, clocks that jump. Each family says in one
//! sentence what must hold whatever breaks; the table at the end says how often it was tried. See `README.md`.

#[path = "../tests/common/mod.rs"]
mod common;
mod stage;
mod table;

mod clock;
mod corrupt;
mod disk;
mod kill;
mod limits;
mod policy;
mod readonly;
mod registry;
mod slow;
mod stall;
mod x509;
