//! The wire types, generated from `schema/`. Words leave this crate as the types of its modules; calls are used as they are.

#![expect(missing_docs, reason = "generated; docs/protocol.md describes every field")]

/// Payloads that get signed.
pub mod words {
    include!(concat!(env!("OUT_DIR"), "/yiqiao.words.rs"));
}

/// The sealed bodies of referral steps.
pub mod referral {
    include!(concat!(env!("OUT_DIR"), "/yiqiao.referral.rs"));
}

/// What processes say to each other over the link.
pub mod calls {
    include!(concat!(env!("OUT_DIR"), "/yiqiao.calls.rs"));
}
