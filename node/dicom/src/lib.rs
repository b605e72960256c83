//! DICOM as the node speaks it: the upper layer as a machine without a socket, and a study as one document of many parts.
//!
//! | module | what it is |
//! |---|---|
//! | [`association`] | an association that a device opens (PS3.8): what is negotiated, stored and answered |
//! | [`command`] | the command sets of C-ECHO and C-STORE (PS3.7) |
//! | [`archive`] | a study as a ZIP whose first part lists the others |
//! | [`multipart`] | bodies of many instances (STOW-RS) |
//! | [`limits`] | bounds |
//!
//! What an instance says is read by `yiqiao-intake`. Not here: files, sockets, clocks, pixels.

pub mod archive;
pub mod association;
pub mod command;
pub mod limits;
pub mod multipart;

pub use dicom_ul::pdu::Pdu;
pub use dicom_ul::read_pdu;
