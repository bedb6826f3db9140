//! A hook that does nothing, for benchmarks: what a process costs that is started at all.

fn main() {}
