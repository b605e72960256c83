//! The bytes of version 1, so that the format cannot change by accident. They were computed from the description of the format by
//! another program.

use crate::rig::{append, disk, opened};

/// A line break where the header and the first frame end, and every 40 bytes.
const SEGMENT: &str = "
    79716a726e6c0d0a01000000746573742d6c6f6700000000000000005a5a5a5a5a5a5a5a5a5a5a5a
    5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a000000000000000000000000000000009776e9c7
    595146f7020000001500000000000000000000000000000000000000574f4d42aba65d2f05000000
    7e00e1ab666972737400000000b92362f5
    595146f7010000000e0000000100000000000000390000000000000031cf10965e2c53cf06000000
    ef9306107365636f6e64
";

#[test]
fn a_segment_with_two_frames_has_exactly_these_bytes() {
    let disk = disk();
    let mut journal = opened(&disk);
    append(&mut journal, &[b"first".to_vec(), b"".to_vec()]);
    journal.sync().unwrap();
    append(&mut journal, &[b"second".to_vec()]);
    let bytes = disk.bytes("0000000000000000.segment").unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, SEGMENT.split_whitespace().collect::<String>());
}
