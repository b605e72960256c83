//! The bounds of every reader. What exceeds one is refused with its name, never cut.

/// Bytes of one input of a folder or an HTTP door: a batch, a document, a bundle.
pub const INPUT_BYTES_MAX: usize = 64 << 20;

/// Bytes of one MLLP frame, and of one HL7 v2 message in a batch.
pub const MESSAGE_BYTES_MAX: usize = 32 << 20;

/// Messages in one batch.
pub const BATCH_MESSAGES_MAX: usize = 10_000;

/// Segments of one HL7 v2 message.
pub const SEGMENTS_MAX: usize = 50_000;

/// Repetitions of PID-3 that are read.
pub const IDENTIFIERS_MAX: usize = 64;

/// Repetitions of a name, a telephone number or an address that are looked at.
pub const REPETITIONS_MAX: usize = 1_000;

/// Laboratory rows of one report.
pub const LAB_ROWS_MAX: usize = 20_000;

/// Results of one message at which the rules of quality look.
pub const QUALITY_ROWS_MAX: usize = 512;

/// Bytes of one XML document.
pub const XML_BYTES_MAX: usize = 32 << 20;

/// Depth of nested XML elements. Real documents stay below 40; the Chinese nesting of wards below 30.
pub const XML_DEPTH_MAX: usize = 200;

/// Attributes of one XML element: the parser compares them pairwise.
pub const XML_ATTRIBUTES_MAX: usize = 256;

/// Namespaces that one XML element inherits; real documents have fewer than ten.
pub const XML_NAMESPACES_MAX: usize = 64;

/// Nodes of one XML document.
pub const XML_NODES_MAX: u32 = 2_000_000;

/// Blocks that one rendering holds; a longer document is rendered up to here and says so.
pub const RENDER_BLOCKS_MAX: usize = 20_000;

/// Entries of one FHIR bundle.
pub const BUNDLE_ENTRIES_MAX: usize = 20_000;

/// Patients of one bundle that are compared with each other; more than one person goes to review in any case.
pub const BUNDLE_PATIENTS_MAX: usize = 16;

/// Columns of a table.
pub const TABLE_COLUMNS_MAX: usize = 1_024;

/// Documents of one table.
pub const TABLE_DOCUMENTS_MAX: usize = 100_000;

/// Characters of an identifier, a code, or a name that are kept; longer ones are not identifiers.
pub const TOKEN_CHARS_MAX: usize = 256;

/// Characters of one field of the sender's that an acknowledgement repeats.
pub const ECHO_CHARS_MAX: usize = 227;

/// Bytes of a DICOM file, uncompressed, that are read for what stands before its pixel data.
pub const DICOM_HEADER_BYTES_MAX: usize = 16 << 20;

/// Bytes of one element of DICOM that are kept; longer ones are passed over.
pub const DICOM_VALUE_BYTES_MAX: usize = 16 << 10;

/// Bytes of JSON in which an instance is said, but for its pixels.
pub const DICOM_JSON_BYTES_MAX: usize = 8 << 20;

/// Depth of nested sequences of DICOM.
pub const DICOM_DEPTH_MAX: usize = 128;

const _: () = assert!(MESSAGE_BYTES_MAX <= INPUT_BYTES_MAX && XML_BYTES_MAX <= INPUT_BYTES_MAX);
