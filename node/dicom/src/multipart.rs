//! `multipart/related` (RFC 2387) as STOW-RS sends it: parts one after the other, each passed on as it comes.
//!
//! A machine: bytes go in, parts come out. Only a boundary, and the head of a part, are ever held.

/// Bytes of the head of one part.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// Characters of a boundary. RFC 2046 section 5.1.1 lets it have 70; Orthanc sends two UUIDs, which are 73.
const BOUNDARY_MAX: usize = 128;

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins, of this media type.
    Begin(String),
    /// More of it.
    Bytes(Vec<u8>),
    /// It is whole.
    End,
}

/// A body is no `multipart/related`, or was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is no multipart of this boundary, or was cut")]
pub struct NoMultipart;

/// A body that comes piece by piece.
pub struct Multipart {
    /// A line's end, two dashes, the boundary.
    delimiter: Vec<u8>,
    held: Vec<u8>,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In front of the first part.
    Preamble,
    /// Behind a boundary.
    Boundary,
    Head,
    Content,
    /// Behind the last part.
    Epilogue,
}

/// The boundary that a content type names, and the type of its parts; none if it is no `multipart/related`.
pub fn related(content_type: &str) -> Option<(String, String)> {
    let mut words = content_type.split(';').map(str::trim);
    let is_related = words.next()?.eq_ignore_ascii_case("multipart/related");
    let (mut boundary, mut kind) = (None, String::new());
    for (name, value) in words.filter_map(|word| word.split_once('=')) {
        let value = value.trim().trim_matches('"').to_owned();
        match name.trim().to_ascii_lowercase().as_str() {
            "boundary" => boundary = Some(value),
            "type" => kind = value.to_ascii_lowercase(),
            _ => {}
        }
    }
    let boundary = boundary.filter(|text| (1..=BOUNDARY_MAX).contains(&text.len()));
    is_related.then_some(()).and(boundary).map(|boundary| (boundary, kind))
}

impl Multipart {
    /// A body of this boundary.
    pub fn new(boundary: &str) -> Self {
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        // The first boundary may stand at the very beginning.
        Self { delimiter, held: b"\r\n".to_vec(), place: Place::Preamble }
    }

    /// Takes more of it.
    ///
    /// # Errors
    /// [`NoMultipart`] if it is none.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, NoMultipart> {
        if self.place != Place::Epilogue {
            self.held.extend(bytes);
        }
        let mut events = Vec::new();
        while self.step(&mut events)? {}
        Ok(events)
    }

    /// Whether it may end here.
    pub fn is_whole(&self) -> bool {
        self.place == Place::Epilogue
    }

    /// Whether something was done that more may follow.
    fn step(&mut self, events: &mut Vec<Event>) -> Result<bool, NoMultipart> {
        match self.place {
            Place::Preamble | Place::Content => Ok(self.content(events)),
            Place::Boundary => self.boundary(),
            Place::Head => self.head(events),
            Place::Epilogue => Ok(false),
        }
    }

    fn content(&mut self, events: &mut Vec<Event>) -> bool {
        let found = find(&self.held, &self.delimiter);
        // What may be the beginning of a boundary stays.
        let until = found.unwrap_or((self.held.len() + 1).saturating_sub(self.delimiter.len()));
        let rest = self.held.split_off(until.min(self.held.len()));
        let content = core::mem::replace(&mut self.held, rest);
        let is_part = self.place == Place::Content;
        if is_part && !content.is_empty() {
            events.push(Event::Bytes(content));
        }
        if found.is_some() {
            self.held.drain(..self.delimiter.len());
            self.place = Place::Boundary;
            if is_part {
                events.push(Event::End);
            }
        }
        found.is_some()
    }

    fn boundary(&mut self) -> Result<bool, NoMultipart> {
        if self.held.len() < 2 {
            return Ok(false);
        }
        if self.held.starts_with(b"--") {
            self.held.clear();
            self.place = Place::Epilogue;
            return Ok(false);
        }
        // Blanks may stand in front of the line's end, which belongs to the head.
        let Some(end) = find(&self.held, b"\r\n") else { return self.bounded() };
        if !self.held.iter().take(end).all(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(NoMultipart);
        }
        self.held.drain(..end);
        self.place = Place::Head;
        Ok(true)
    }

    fn head(&mut self, events: &mut Vec<Event>) -> Result<bool, NoMultipart> {
        let Some(end) = find(&self.held, b"\r\n\r\n") else { return self.bounded() };
        let head: Vec<u8> = self.held.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut named = head.lines().filter_map(|line| line.split_once(':'));
        let kind = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("content-type"));
        let kind = kind.map(|(_, value)| value.trim().to_ascii_lowercase()).unwrap_or_default();
        events.push(Event::Begin(kind));
        self.place = Place::Content;
        Ok(true)
    }

    fn bounded(&self) -> Result<bool, NoMultipart> {
        if self.held.len() > HEAD_BYTES_MAX { Err(NoMultipart) } else { Ok(false) }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Type and bytes of each part of a body that comes in pieces of this length.
    fn parts(body: &[u8], piece: usize) -> Result<Vec<(String, Vec<u8>)>, NoMultipart> {
        let (mut multipart, mut found, mut open) = (Multipart::new("b1"), Vec::new(), None);
        for piece in body.chunks(piece) {
            for event in multipart.take(piece)? {
                match event {
                    Event::Begin(kind) => open = Some((kind, Vec::new())),
                    Event::Bytes(bytes) => open.as_mut().unwrap().1.extend(bytes),
                    Event::End => found.push(open.take().unwrap()),
                }
            }
        }
        if multipart.is_whole() { Ok(found) } else { Err(NoMultipart) }
    }

    const BODY: &[u8] =
        b"--b1\r\nContent-Type: application/dicom; transfer-syntax=1.2\r\nX: y\r\n\r\none\r\n--b\r\n\
        --b1\r\ncontent-type: application/json\r\n\r\n{}\r\n--b1--\r\n";

    #[test]
    fn parts_are_the_same_whatever_the_pieces_in_which_they_come() {
        let expected = [
            ("application/dicom; transfer-syntax=1.2".to_owned(), b"one\r\n--b".to_vec()),
            ("application/json".to_owned(), b"{}".to_vec()),
        ];
        for piece in 1..BODY.len() {
            assert_eq!(parts(BODY, piece).as_deref(), Ok(&expected[..]), "pieces of {piece}");
        }
    }

    #[test]
    fn what_was_cut_or_has_a_head_without_end_is_none() {
        for length in 0..BODY.len() - 4 {
            assert_eq!(parts(&BODY[..length], 7), Err(NoMultipart), "{length}");
        }
        let long = [b"--b1\r\nX: ".as_slice(), &[b'y'; HEAD_BYTES_MAX]].concat();
        assert_eq!(Multipart::new("b1").take(&long), Err(NoMultipart));
        assert_eq!(Multipart::new("b1").take(b"--b1x\r\n"), Err(NoMultipart));
    }

    #[test]
    fn a_content_type_names_boundary_and_type() {
        let said = "multipart/related; type=\"application/dicom\"; boundary=b1";
        assert_eq!(related(said), Some(("b1".to_owned(), "application/dicom".to_owned())));
        let orthanc = ["18ef52a5-15bc-40e0-8c42-846964483f63"; 2].join("-");
        let said = format!("multipart/related; type=\"application/dicom\"; boundary={orthanc}");
        assert_eq!(related(&said), Some((orthanc, "application/dicom".to_owned())));
        assert_eq!(related(&format!("multipart/related; boundary={}", "b".repeat(BOUNDARY_MAX + 1))), None);
        assert_eq!(related("multipart/form-data; boundary=b1"), None);
        assert_eq!(related("multipart/related"), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_taken_without_panic(body in proptest::collection::vec(any::<u8>(), 0..400), piece in 1_usize..50) {
            let _ = parts(&[b"--b1\r\n\r\n", body.as_slice()].concat(), piece);
        }
    }
}
