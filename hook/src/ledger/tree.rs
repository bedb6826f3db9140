//! The Merkle tree of RFC 6962, kept as its right edge, so that an append costs O(log n).

use countersign_policy::sha256::sha256;
use std::ops::Range;

pub type Hash = [u8; 32];

pub fn leaf_hash(leaf: &[u8]) -> Hash {
    sha256([&[0], leaf])
}

pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256([&[1], left.as_slice(), right])
}

/// The roots of the complete subtrees that a tree of `size` leaves is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// INVARIANT: one for each set bit of `size`, the largest subtree first.
    peaks: Vec<Hash>,
}

impl Frontier {
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        let mut size = self.size;
        while size & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
            size >>= 1;
        }
        self.peaks.push(node);
        self.size += 1;
    }

    pub fn root(&self) -> Hash {
        let mut right_to_left = self.peaks.iter().rev();
        match right_to_left.next() {
            Some(last) => right_to_left.fold(*last, |root, peak| node_hash(peak, &root)),
            None => sha256([]),
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// Fails unless `bytes` holds exactly the peaks that a tree of `size` has.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (peaks, rest) = bytes.as_chunks::<32>();
        let complete = rest.is_empty() && u32::try_from(peaks.len()) == Ok(size.count_ones());
        complete.then(|| Frontier { size, peaks: peaks.to_vec() })
    }
}

/// The largest power of two below `n`, for `n` of two and more.
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The audit path of leaf `index` in the tree of `size` leaves, from the leaf up.
/// `root_of` gives the tree head over a range of leaves. `None`: there is no such leaf.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut root_of: impl FnMut(Range<u64>) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if index >= size {
        return Ok(None);
    }
    let mut path = Vec::new();
    let mut here = 0..size;
    while here.end - here.start > 1 {
        let middle = here.start + split(here.end - here.start);
        if index < middle {
            path.push(root_of(middle..here.end)?);
            here.end = middle;
        } else {
            path.push(root_of(here.start..middle)?);
            here.start = middle;
        }
    }
    path.reverse();
    Ok(Some(path))
}

/// Proves that the tree of `old` leaves is a prefix of the tree of `new` leaves.
/// `None`: `old` is zero, which needs no proof, or larger than `new`, which has none.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    mut root_of: impl FnMut(Range<u64>) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if old == 0 || old > new {
        return Ok(None);
    }
    let mut path = Vec::new();
    let mut here = 0..new;
    while here.end > old {
        let middle = here.start + split(here.end - here.start);
        if old <= middle {
            path.push(root_of(middle..here.end)?);
            here.end = middle;
        } else {
            path.push(root_of(here.start..middle)?);
            here.start = middle;
        }
    }
    // The verifier knows the old root itself; a smaller subtree it has to be told.
    if here.start > 0 {
        path.push(root_of(here)?);
    }
    path.reverse();
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use std::convert::Infallible;

    type Reference = MemoryBackedTree<sha2_of_ct_merkle::Sha256, Vec<u8>>;

    fn leaf(n: u64) -> Vec<u8> {
        format!("leaf {n}").into_bytes()
    }

    fn root_of(range: Range<u64>) -> Result<Hash, Infallible> {
        let mut frontier = Frontier::default();
        range.for_each(|n| frontier.append(leaf_hash(&leaf(n))));
        Ok(frontier.root())
    }

    #[test]
    fn the_empty_tree_and_the_empty_leaf_hash_as_in_rfc_6962() {
        assert_eq!(
            hex::encode(Frontier::default().root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(hex::encode(leaf_hash(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    }

    #[test]
    fn every_root_up_to_300_leaves_is_that_of_another_implementation() {
        let mut reference = Reference::new();
        let mut frontier = Frontier::default();
        for n in 0..300 {
            assert_eq!(frontier.root()[..], reference.root().as_bytes()[..], "size {n}");
            assert_eq!(Frontier::from_bytes(n, &frontier.to_bytes()), Some(frontier.clone()));
            assert_eq!(Frontier::from_bytes(n ^ 1, &frontier.to_bytes()), None, "peaks of another size");
            frontier.append(leaf_hash(&leaf(n)));
            reference.push(leaf(n));
        }
    }

    #[test]
    fn proofs_are_those_of_another_implementation() {
        let mut reference = Reference::new();
        for size in 1..70 {
            reference.push(leaf(size - 1));
            for index in 0..size {
                let proof = inclusion_proof(index, size, root_of).unwrap().unwrap();
                assert_eq!(proof.concat(), reference.prove_inclusion(index as usize).as_bytes(), "{index} of {size}");
            }
            for old in 1..size {
                let proof = consistency_proof(old, size, root_of).unwrap().unwrap();
                let expected = reference.prove_consistency((size - old) as usize);
                assert_eq!(proof.concat(), expected.as_bytes(), "{old} to {size}");
            }
        }
        assert_eq!(inclusion_proof(3, 3, root_of), Ok(None));
        assert_eq!(consistency_proof(4, 3, root_of), Ok(None));
        assert_eq!(consistency_proof(0, 3, root_of), Ok(None));
    }
}
