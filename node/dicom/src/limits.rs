//! The bounds of what a device may send.

/// Bytes of a protocol data unit that a device is told it may send.
pub const PDU_BYTES_MAX: u32 = 128 << 10;

/// Bytes of a command set.
pub const COMMAND_BYTES_MAX: usize = 16 << 10;

/// Instances of one study.
pub const INSTANCES_MAX: usize = 20_000;

/// Bytes of the list of a study.
pub const LIST_BYTES_MAX: usize = 32 << 20;

/// Characters of one text of the list.
pub const TEXT_CHARS_MAX: usize = 128;

/// Bytes of a UID (PS3.5 section 9.1).
pub const UID_BYTES_MAX: usize = 64;

// ZIP without its extension for long files has four bytes for an offset.
const _: () = assert!(yiqiao_proto::limits::DOCUMENT_BYTES_MAX <= 1 << 32);
const _: () = assert!(INSTANCES_MAX < u16::MAX as usize);
