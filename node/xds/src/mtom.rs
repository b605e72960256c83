//! Messages of several parts: MTOM (XOP in `multipart/related`, RFC 2387), and messages of one part.
//!
//! A message is in memory as a whole, bounded by the door; here its parts are found in it, and nothing is copied.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;

use crate::limits::{HEAD_BYTES_MAX, PARTS_MAX};
use crate::soap::Fault;

/// XOP 1.0.
pub(crate) const XOP: &str = "http://www.w3.org/2004/08/xop/include";
/// The media type of SOAP 1.2.
pub const SOAP_XML: &str = "application/soap+xml";
/// The media type of an envelope whose content stands in parts of its own.
const XOP_XML: &str = "application/xop+xml";

/// A message in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'b> {
    /// The envelope.
    pub envelope: &'b [u8],
    /// The other parts, by their ids.
    parts: BTreeMap<String, &'b [u8]>,
    /// Whether it came as several parts: the answer does, too.
    pub is_multipart: bool,
}

/// Finds the parts of a message.
///
/// # Errors
/// [`Fault`] if it is no message of SOAP 1.2, or was cut.
pub fn read<'b>(content_type: &str, body: &'b [u8]) -> Result<Message<'b>, Fault> {
    let (essence, parameters) = media(content_type);
    if essence == SOAP_XML {
        return Ok(Message { envelope: body, parts: BTreeMap::new(), is_multipart: false });
    }
    let is_xop = parameters.get("type").is_some_and(|of| of.eq_ignore_ascii_case(XOP_XML));
    let boundary = parameters.get("boundary").filter(|text| (1..=70).contains(&text.len()));
    let Some(boundary) = boundary.filter(|_| essence == "multipart/related" && is_xop) else {
        return Err(Fault::Version);
    };
    let mut parts = BTreeMap::new();
    let mut first = None;
    for part in split(body, boundary)? {
        let (id, content) = part_of(part)?;
        first.get_or_insert_with(|| id.clone());
        if parts.insert(id, content).is_some() {
            return Err(Fault::Sender("two parts of the message have the same Content-ID".to_owned()));
        }
    }
    let root = parameters.get("start").map(|id| plain_id(id)).or(first).unwrap_or_default();
    let envelope = parts.remove(&root).ok_or_else(|| Fault::Sender("the root part is missing".to_owned()))?;
    Ok(Message { envelope, parts, is_multipart: true })
}

impl<'b> Message<'b> {
    /// The bytes of an element: those of the part that it includes, or else its text in base64.
    ///
    /// # Errors
    /// [`Fault::Sender`] if there is no such part, or the text is no base64.
    pub fn content(&self, element: Node<'_, '_>) -> Result<Cow<'b, [u8]>, Fault> {
        if let Some(include) = element.children().find(|node| node.has_tag_name((XOP, "Include"))) {
            let href = include.attribute("href").unwrap_or_default();
            let id = href.strip_prefix("cid:").and_then(unescaped);
            let part = id.and_then(|id| self.parts.get(&id));
            let missing = || Fault::Sender("a part that xop:Include names is not in the message".to_owned());
            return part.map(|part| Cow::Borrowed(*part)).ok_or_else(missing);
        }
        let texts = element.children().filter_map(|node| node.text());
        let digits: String = texts.flat_map(str::split_ascii_whitespace).collect();
        let bytes =
            STANDARD.decode(digits).map_err(|_| Fault::Sender("a Document is no base64".to_owned()))?;
        Ok(Cow::Owned(bytes))
    }
}

/// The media type of a message of several parts.
pub fn content_type(boundary: &str) -> String {
    format!(
        "multipart/related; type=\"{XOP_XML}\"; boundary=\"{boundary}\"; start=\"<root@xds>\"; start-info=\"{SOAP_XML}\""
    )
}

/// What stands before the envelope of such a message.
pub fn root_head(boundary: &str) -> String {
    format!(
        "--{boundary}\r\nContent-Type: {XOP_XML}; charset=UTF-8; type=\"{SOAP_XML}\"\r\n\
         Content-Transfer-Encoding: binary\r\nContent-ID: <root@xds>\r\n\r\n"
    )
}

/// What stands before another part of it; the id is of letters, digits and `@`.
pub fn part_head(boundary: &str, id: &str, media: &str) -> String {
    format!(
        "\r\n--{boundary}\r\nContent-Type: {media}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{id}>\r\n\r\n"
    )
}

/// What stands behind its last part.
pub fn end(boundary: &str) -> String {
    format!("\r\n--{boundary}--\r\n")
}

/// The essence of a media type and its parameters, names and essence in lower case.
fn media(text: &str) -> (String, BTreeMap<String, String>) {
    let mut quoted = false;
    let words = text.split(|c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    });
    let mut words = words.map(str::trim);
    let essence = words.next().unwrap_or_default().to_ascii_lowercase();
    let parameter = |word: &str| {
        let (name, value) = word.split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned()))
    };
    (essence, words.filter_map(parameter).collect())
}

/// What stands between the boundaries.
fn split<'b>(body: &'b [u8], boundary: &str) -> Result<Vec<&'b [u8]>, Fault> {
    let cut = || Fault::Sender("the message is no multipart of its boundary, or was cut".to_owned());
    let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
    // The first boundary may stand at the very beginning.
    let mut rest = match body.strip_prefix(delimiter.get(2..).unwrap_or_default()) {
        Some(rest) => rest,
        None => after(body, &delimiter).ok_or_else(cut)?.1,
    };
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let (blanks, begun) = after(rest, b"\r\n").ok_or_else(cut)?;
        if !blanks.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(cut());
        }
        let (part, next) = after(begun, &delimiter).ok_or_else(cut)?;
        parts.push(part);
        if parts.len() > PARTS_MAX {
            return Err(Fault::Sender(format!("the message has more than {PARTS_MAX} parts")));
        }
        rest = next;
    }
    Ok(parts)
}

/// Id and content of a part.
fn part_of(part: &[u8]) -> Result<(String, &[u8]), Fault> {
    let head = part.get(..part.len().min(HEAD_BYTES_MAX)).unwrap_or_default();
    let end = position(head, b"\r\n\r\n").filter(|_| !part.starts_with(b"\r\n"));
    let end = end.ok_or_else(|| Fault::Sender("a part has no head, or one that is too long".to_owned()))?;
    let content = part.get(end + 4..).unwrap_or_default();
    let head = String::from_utf8_lossy(head.get(..end).unwrap_or_default()).into_owned();
    let mut id = String::new();
    for (name, value) in head.lines().filter_map(|line| line.split_once(':')) {
        match name.trim().to_ascii_lowercase().as_str() {
            "content-id" => id = plain_id(value),
            "content-transfer-encoding" if !is_plain(value) => {
                return Err(Fault::Sender(
                    "parts are sent as they are: Content-Transfer-Encoding binary".into(),
                ));
            }
            _ => {}
        }
    }
    Ok((id, content))
}

fn is_plain(encoding: &str) -> bool {
    matches!(encoding.trim().to_ascii_lowercase().as_str(), "binary" | "8bit" | "7bit")
}

fn plain_id(id: &str) -> String {
    id.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}

/// What stands before a mark, and what after it.
fn after<'b>(bytes: &'b [u8], mark: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = position(bytes, mark)?;
    Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?))
}

fn position(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}

/// Takes the escapes of a URL away.
fn unescaped(text: &str) -> Option<String> {
    let (mut plain, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        plain.push(if byte == b'%' { u8::try_from(digit()? * 16 + digit()?).ok()? } else { byte });
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/related; type=\"application/xop+xml\"; boundary=\"b;1\"; start=\"<root@a>\"; \
                        start-info=\"application/soap+xml\"; action=\"urn:a;b\"";
    const BODY: &[u8] = b"preamble\r\n--b;1 \r\nContent-Type: application/xop+xml\r\nContent-ID: <root@a>\r\n\r\n\
        <a xmlns:x='http://www.w3.org/2004/08/xop/include'><d><x:Include href='cid:one%40a'/></d><d>\n AAE= </d></a>\
        \r\n--b;1\r\ncontent-id: <one@a>\r\nContent-Transfer-Encoding: Binary\r\n\r\none\r\n--b\r\n--b;1--\r\nend";

    #[test]
    fn content_stands_in_a_part_or_in_the_element() {
        let message = read(TYPE, BODY).unwrap();
        assert!(message.is_multipart);
        let text = String::from_utf8(message.envelope.to_vec()).unwrap();
        let document = roxmltree::Document::parse(&text).unwrap();
        let contents: Vec<_> =
            document.root_element().children().map(|node| message.content(node).unwrap()).collect();
        assert_eq!(contents, [b"one\r\n--b".as_slice(), &[0, 1]]);
        let simple = read("application/soap+xml; charset=utf-8", b"<a/>").unwrap();
        assert_eq!((simple.envelope, simple.is_multipart), (b"<a/>".as_slice(), false));
        assert_eq!(read("text/xml", b"<a/>"), Err(Fault::Version));
    }

    #[test]
    fn what_was_cut_is_refused_at_every_place() {
        let end = BODY.len() - "--\r\nend".len();
        for length in 0..end {
            assert!(read(TYPE, &BODY[..length]).is_err(), "{length}");
        }
        assert!(read(TYPE, &BODY[..end + 2]).is_ok());
    }

    #[test]
    fn a_part_that_is_named_and_not_there_is_missed() {
        let text = "<a><x:Include xmlns:x='http://www.w3.org/2004/08/xop/include' href='cid:two'/></a>";
        let document = roxmltree::Document::parse(text).unwrap();
        let message = read(TYPE, BODY).unwrap();
        assert!(message.content(document.root_element()).is_err());
    }

    proptest! {
        #[test]
        fn whatever_comes_is_taken_without_panic(kind in "\\PC{0,60}", body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&kind, &body);
            let _ = read("multipart/related; type=\"application/xop+xml\"; boundary=b", &[b"--b\r\n", body.as_slice()].concat());
            let _ = unescaped(&kind);
        }
    }
}
