//! The archived form of a tree: the bytes that its digest is taken of, compressed with zlib (RFC 1950).
//!
//! Those bytes are, for each entry in the order of paths, a kind (`f` file, `x` executable file, `l` link), then path and
//! content, each after its length as 8 bytes, most significant first: see [`SourceTree::digest`].

use std::io::{self, Read as _, Write as _};

use bytes::{Buf as _, Bytes};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rad_core::catalog::ARCHIVE_LIMIT;
use rad_core::source::{Digest, SourceTree, TreeEntry};

/// The most bytes before compression: twice the limit on content, which leaves room for the paths of 50,000 files.
pub(super) const LIMIT: u64 = 2 * ARCHIVE_LIMIT;

/// The bytes of a tree before compression.
pub(super) fn size(tree: &SourceTree) -> u64 {
    let framing: u64 = tree.iter().map(|(path, _)| path.len() as u64 + 17).sum();
    framing.saturating_add(tree.content_bytes())
}

pub(super) fn pack(tree: &SourceTree) -> io::Result<Vec<u8>> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    for (path, entry) in tree.iter() {
        let (kind, content): (u8, &[u8]) = match entry {
            TreeEntry::File { bytes, executable: false } => (b'f', bytes),
            TreeEntry::File { bytes, executable: true } => (b'x', bytes),
            TreeEntry::Symlink { target } => (b'l', target.as_bytes()),
        };
        packed.write_all(&[kind])?;
        for part in [path.as_bytes(), content] {
            packed.write_all(&(part.len() as u64).to_be_bytes())?;
            packed.write_all(part)?;
        }
    }
    packed.finish()
}

/// The tree in an archive, if it is the one with this digest; otherwise what is wrong, to be read after the archive's name.
pub(super) fn unpack(packed: &[u8], digest: &Digest) -> Result<SourceTree, String> {
    let mut bytes = Vec::new();
    let unpacked = ZlibDecoder::new(packed).take(LIMIT + 1).read_to_end(&mut bytes);
    unpacked.map_err(|e| format!("cannot be unpacked: {e}"))?;
    if bytes.len() as u64 > LIMIT {
        return Err(format!("holds more than {LIMIT} bytes"));
    }
    let actual = Digest::of(&bytes);
    if actual != *digest {
        return Err(format!("holds a source with the digest {actual}"));
    }
    let mut bytes = Bytes::from(bytes);
    let mut tree = SourceTree::default();
    while !bytes.is_empty() {
        let (path, entry) = entry(&mut bytes).ok_or("has an entry that cannot be read")?;
        tree.insert(path, entry).map_err(|e| format!("has a wrong path: {e}"))?;
    }
    Ok(tree)
}

fn entry(bytes: &mut Bytes) -> Option<(String, TreeEntry)> {
    let kind = bytes.try_get_u8().ok()?;
    let path = String::from_utf8(part(bytes)?.into()).ok()?;
    let content = part(bytes)?;
    let entry = match kind {
        b'f' => TreeEntry::File { bytes: content, executable: false },
        b'x' => TreeEntry::File { bytes: content, executable: true },
        b'l' => TreeEntry::Symlink { target: String::from_utf8(content.into()).ok()? },
        _ => return None,
    };
    Some((path, entry))
}

fn part(bytes: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(bytes.try_get_u64().ok()?).ok()?;
    (length <= bytes.len()).then(|| bytes.split_to(length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries() -> impl Strategy<Value = TreeEntry> {
        prop_oneof![
            (proptest::collection::vec(any::<u8>(), 0..200), any::<bool>())
                .prop_map(|(bytes, executable)| TreeEntry::File { bytes: bytes.into(), executable }),
            ".{0,40}".prop_map(|target| TreeEntry::Symlink { target }),
        ]
    }

    proptest! {
        #[test]
        fn a_tree_comes_back_and_its_bytes_are_those_of_the_digest(
            content in proptest::collection::btree_map("[a-zé]{1,9}(/[a-z.]{0,2}[a-z]){0,3}", entries(), 0..20),
        ) {
            let mut tree = SourceTree::default();
            for (path, entry) in content {
                tree.insert(path, entry).unwrap();
            }
            let packed = pack(&tree).unwrap();
            prop_assert_eq!(unpack(&packed, &tree.digest()), Ok(tree.clone()));
            let mut unpacked = Vec::new();
            ZlibDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
            prop_assert_eq!(unpacked.len() as u64, size(&tree));
        }

        #[test]
        fn no_bytes_at_all_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&bytes).unwrap();
            let _ = unpack(&packed.finish().unwrap(), &Digest::of(&bytes));
            prop_assert!(unpack(&bytes, &Digest::ZERO).is_err());
        }
    }

    #[test]
    fn what_unpacks_without_end_is_refused() {
        let mut bomb = ZlibEncoder::new(Vec::new(), Compression::fast());
        for _ in 0..=LIMIT >> 20 {
            bomb.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let refusal = unpack(&bomb.finish().unwrap(), &Digest::ZERO).unwrap_err();
        assert!(refusal.contains("more than"), "{refusal}");
    }
}
