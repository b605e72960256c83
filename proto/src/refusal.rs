//! Refusals as they go over the link: a closed code, a clause, and a time after which to try again (H-2).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::calls::Refusal;
use crate::codes::RefusalCode;
use crate::decode::DecodeError;
use crate::time::Millis;
use crate::wire::calls::Refused as RefusedWire;
use prost::Message;

/// When a caller may try again if who it asked is behind.
pub const RETRY_BUSY: Millis = Millis::new(200);
/// When a caller may try again if something failed there.
pub const RETRY_FAILED: Millis = Millis::from_secs(10);

/// The code and the bytes of a refusal as it goes out.
pub fn write(refusal: &Refusal) -> (u16, Vec<u8>) {
    let waits = match refusal.code {
        RefusalCode::Busy => Some(RETRY_BUSY),
        RefusalCode::Failed => Some(RETRY_FAILED),
        RefusalCode::NotMember
        | RefusalCode::Malformed
        | RefusalCode::BadSignature
        | RefusalCode::Conflict
        | RefusalCode::OutOfOrder
        | RefusalCode::OverLimit
        | RefusalCode::Nothing
        | RefusalCode::Stale
        | RefusalCode::Stopped => None,
    };
    let (code, retry_after) = (refusal.code.number(), refusal.retry_after.or(waits));
    let retry_after_ms = retry_after.map_or(0, Millis::get);
    let told = RefusedWire { code, clause: refusal.clause.to_owned(), retry_after_ms };
    (u16::try_from(code).unwrap_or(u16::MAX), told.encode_to_vec())
}

/// A refusal that another process gave, from its bytes.
///
/// # Errors
/// [`DecodeError::Invalid`] if they are none.
pub fn read(bytes: &[u8]) -> Result<Refusal, DecodeError> {
    let invalid = |rule| DecodeError::Invalid { field: "refused", rule };
    let told = RefusedWire::decode(bytes).map_err(|_| invalid("a refusal (H-2)"))?;
    let code = RefusalCode::try_from(told.code).map_err(|_| invalid("a known code (H-2)"))?;
    let clause = CLAUSES.get(told.clause.as_str()).map_or("H-2", String::as_str);
    let retry_after = (told.retry_after_ms > 0).then(|| Millis::new(told.retry_after_ms));
    Ok(Refusal { code, clause, retry_after })
}

/// Everything that has the form of a clause: what a refusal names becomes one of these, and nothing else.
static CLAUSES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    ('A'..='Z').flat_map(|part| (1..=40).map(move |number| format!("{part}-{number}"))).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: u32, clause: &str) -> Vec<u8> {
        RefusedWire { code, clause: clause.to_owned(), retry_after_ms: 200 }.encode_to_vec()
    }

    #[test]
    fn h2_a_refusal_is_a_closed_code_and_a_clause_and_nothing_else() {
        let busy = read(&told(RefusalCode::Busy.number(), "N-5")).unwrap();
        assert_eq!((busy.code, busy.clause), (RefusalCode::Busy, "N-5"));
        assert_eq!(busy.retry_after, Some(Millis::new(200)));
        let text = read(&told(RefusalCode::Busy.number(), "张三")).unwrap();
        assert_eq!(text.clause, "H-2");
        assert!(read(&told(999, "N-5")).is_err() && read(b"\xff").is_err());
    }

    #[test]
    fn h2_a_refusal_says_when_to_try_again_where_that_helps() {
        let waits = |code, retry_after| {
            let (number, bytes) = write(&Refusal { code, clause: "P-6", retry_after });
            assert_eq!(u32::from(number), code.number());
            read(&bytes).unwrap().retry_after
        };
        assert_eq!(waits(RefusalCode::Busy, None), Some(RETRY_BUSY));
        assert_eq!(waits(RefusalCode::Failed, None), Some(RETRY_FAILED));
        assert_eq!(waits(RefusalCode::Nothing, None), None);
        assert_eq!(waits(RefusalCode::Busy, Some(Millis::new(7))), Some(Millis::new(7)));
    }
}
