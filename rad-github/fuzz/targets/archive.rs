//! Archives of strangers: a tree of plain paths within the limits, or a refusal. Tar files are compressed here, so that what
//! changes is looked at and not stopped by a checksum.
#![no_main]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use rad_github::github::{ArchiveLimits, read_archive};
use rad_github::local::TreeLimits;

fuzz_target!(|data: (bool, &[u8])| {
    let (is_packed, bytes) = data;
    let packed = if is_packed {
        bytes.to_vec()
    } else {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).expect("memory takes everything");
        packed.finish().expect("memory takes everything")
    };
    let limits = ArchiveLimits {
        packed_bytes: 1 << 20,
        unpacked_bytes: 4 << 20,
        ratio: 100,
        tree: TreeLimits::default(),
    };
    for sub_dir in ["", "modules"] {
        let Ok(tree) = read_archive(packed.as_slice(), sub_dir, None, &limits) else { continue };
        assert!(tree.content_bytes() <= limits.unpacked_bytes);
        for (path, _) in tree.iter() {
            assert!(path.split('/').all(|name| !matches!(name, "" | "." | "..")), "{path:?} is plain");
        }
    }
});
