//! The bytes of a document as an HTTP answer: whole or by range (RFC 9110 14), read from the vault chunk by chunk as they go out.
//!
//! The sealed file's name is the strong entity tag: it says which bytes these are. Not here: who may read them.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use yiqiao_dicom::archive::List;
use yiqiao_proto::id::DocumentId;
use yiqiao_proto::limits::CHUNK_BYTES;

use crate::vault::{Document, VaultError};

/// Bytes of a document: from the first to before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// What of a document is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Whole,
    Part(Stretch),
    /// No byte of it is there.
    Unsatisfiable,
}

/// What a file of ZIP begins with: of DICOM documents, those that are studies.
const ZIP: &[u8] = b"PK\x03\x04";

/// Whether a document of DICOM that begins so is a study and not an instance.
pub(crate) fn is_study(front: &[u8]) -> bool {
    front.starts_with(ZIP)
}

/// The front of a document: its first chunk; of a study all of its list.
pub(crate) fn front(document: &Document) -> Result<Vec<u8>, VaultError> {
    let mut front = document.chunk(0)?;
    let until = List::place(&front).map_or(0, |place| place.end);
    for number in 1..document.chunks() {
        if front.len() >= until {
            break;
        }
        front.extend(document.chunk(number)?);
    }
    Ok(front)
}

/// The entity tag of a document.
pub(crate) fn etag(document: &DocumentId) -> String {
    format!("\"{document}\"")
}

/// Whether the client has these bytes already.
pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag.trim_start_matches("W/"))
}

/// Reads which stretch is wanted. Several ranges at once, and what is no range, get the whole, as RFC 9110 allows.
pub(crate) fn wanted(headers: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let same = headers.get(IF_RANGE).is_none_or(|said| said.as_bytes() == etag.as_bytes());
    let range = headers.get(RANGE).and_then(|line| line.to_str().ok()).filter(|_| same);
    let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
        return Wanted::Whole;
    };
    let part = |from: u64, until: u64| {
        if from < until { Wanted::Part(Stretch { from, until }) } else { Wanted::Unsatisfiable }
    };
    match (number(first), number(last)) {
        (Some(from), None) if last.trim().is_empty() => part(from, size),
        (Some(from), Some(last)) if from <= last => part(from, last.saturating_add(1).min(size)),
        (None, Some(count)) if first.trim().is_empty() => part(size.saturating_sub(count), size),
        _ => Wanted::Whole,
    }
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than a length has are past the end of everything.
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// The answer with the bytes; `part` is a stretch of them.
pub(crate) fn answer(
    document: Document,
    size: u64,
    part: Option<Stretch>,
    etag: &str,
    media_type: &'static str,
) -> Response {
    let stretch = part.unwrap_or(Stretch { from: 0, until: size });
    let status = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(stretch.until - stretch.from));
    let range = format!("bytes {}-{}/{size}", stretch.from, stretch.until.saturating_sub(1));
    insert(&mut headers, ETAG, etag);
    if part.is_some() {
        insert(&mut headers, CONTENT_RANGE, &range);
    }
    (status, headers, body(document, stretch)).into_response()
}

/// Tags and numbers are visible ASCII.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// The body: the next chunk is read when the one before has gone out. One that turns out damaged ends the answer before its
/// announced length.
fn body(document: Document, stretch: Stretch) -> Body {
    Body::from_stream(stretched(Arc::new(document), stretch))
}

/// A stretch of a document, chunk by chunk.
pub(crate) fn stretched(
    document: Arc<Document>,
    stretch: Stretch,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let chunk = u64::from(CHUNK_BYTES);
    let chunks = stretch.from / chunk..stretch.until.div_ceil(chunk);
    let bytes = stream::iter(chunks).then(move |number| {
        let document = Arc::clone(&document);
        async move {
            let read = tokio::task::spawn_blocking(move || document.chunk(number));
            let plain = read.await.map_err(std::io::Error::other)?.map_err(damaged)?;
            Ok::<Bytes, std::io::Error>(cut(plain, number * chunk, stretch))
        }
    });
    bytes.into_stream()
}

/// A stretch of a document as a file is read, chunk by chunk: for readers that stop when they know enough.
pub(crate) fn reader(document: &Document, stretch: Stretch) -> impl std::io::Read {
    Reader { document, stretch, held: Bytes::new() }
}

struct Reader<'d> {
    document: &'d Document,
    /// What is still to be read.
    stretch: Stretch,
    held: Bytes,
}

impl std::io::Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.held.is_empty() && self.stretch.from < self.stretch.until {
            let number = self.stretch.from / u64::from(CHUNK_BYTES);
            let plain = self.document.chunk(number).map_err(damaged)?;
            self.held = cut(plain, number * u64::from(CHUNK_BYTES), self.stretch);
            self.stretch.from += self.held.len() as u64;
        }
        let piece = self.held.split_to(into.len().min(self.held.len()));
        into.iter_mut().zip(&piece).for_each(|(place, byte)| *place = *byte);
        Ok(piece.len())
    }
}

/// What of a chunk, which begins at `begin`, is in the stretch.
fn cut(plain: Vec<u8>, begin: u64, stretch: Stretch) -> Bytes {
    let length = plain.len() as u64;
    let place = |at: u64| usize::try_from(at.saturating_sub(begin).min(length)).unwrap_or(usize::MAX);
    Bytes::from(plain).slice(place(stretch.from)..place(stretch.until))
}

fn damaged(error: VaultError) -> std::io::Error {
    tracing::error!(%error, "a document is not read");
    std::io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &str, if_range: Option<&str>) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, range.parse().unwrap());
        if let Some(tag) = if_range {
            headers.insert(IF_RANGE, tag.parse().unwrap());
        }
        wanted(&headers, "\"a\"", 10)
    }

    #[test]
    fn one_range_of_bytes_is_a_stretch_and_everything_else_the_whole() {
        let part = |from, until| Wanted::Part(Stretch { from, until });
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=3-", part(3, 10)),
            ("bytes=3-99999999999999999999", part(3, 10)),
            ("bytes=-4", part(6, 10)),
            ("bytes=-40", part(0, 10)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
        ] {
            assert_eq!(asked(range, None), expected, "{range}");
        }
        assert_eq!(wanted(&HeaderMap::new(), "\"a\"", 10), Wanted::Whole);
    }

    #[test]
    fn a_stretch_of_other_bytes_is_not_mixed_with_these() {
        assert_eq!(asked("bytes=1-2", Some("\"a\"")), Wanted::Part(Stretch { from: 1, until: 3 }));
        assert_eq!(asked("bytes=1-2", Some("\"b\"")), Wanted::Whole);
    }

    #[test]
    fn a_client_says_which_bytes_it_has() {
        let known = |line: &'static str| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(line))]);
            is_known(&headers, "\"a\"")
        };
        assert!(known("\"a\"") && known("W/\"a\"") && known("\"b\", \"a\"") && known("*"));
        assert!(!known("\"b\"") && !known(""));
    }

    #[test]
    fn chunks_are_cut_at_both_ends() {
        let stretch = Stretch { from: 3, until: 6 };
        assert_eq!(cut(vec![0, 1, 2, 3], 0, stretch), vec![3]);
        assert_eq!(cut(vec![4, 5, 6, 7], 4, stretch), vec![4, 5]);
        assert!(cut(vec![8], 8, stretch).is_empty());
    }
}
