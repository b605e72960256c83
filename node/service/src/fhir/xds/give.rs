//! ITI-43: the bytes of documents, each opened by a decision of its own and written down, streamed as parts of the answer.

use std::io;
use std::sync::Arc;

use axum::body::Bytes;
use futures::{Stream, StreamExt, stream};
use yiqiao_fhir::outcome::Problem;
use yiqiao_xds::limits::INLINE_BYTES_MAX;
use yiqiao_xds::mtom;
use yiqiao_xds::name;
use yiqiao_xds::retrieve::{self, Content, Wanted};
use yiqiao_xds::wrong::{Code, Wrong};

use super::super::answer::Refusal;
use super::super::binary::{self, blocking};
use super::super::caller::{Call, Right};
use super::{Failed, list, wrong};
use crate::content::{self, Stretch};
use crate::vault::Document;

/// An answer, and the documents that go with it.
pub(super) struct Given {
    pub(super) response: String,
    documents: Vec<Part>,
}

struct Part {
    id: String,
    opened: binary::Bytes,
}

/// A piece of a message: its head, and the document behind it.
pub(super) type Piece = (Bytes, Arc<Document>, Stretch);

impl Given {
    /// An answer without documents.
    pub(super) const fn nothing(response: String) -> Self {
        Self { response, documents: Vec::new() }
    }

    /// The documents as pieces, and how long they are together.
    pub(super) fn parts(self, boundary: &str) -> (Vec<Piece>, u64) {
        let mut length = 0;
        let mut pieces = Vec::with_capacity(self.documents.len());
        for Part { id, opened } in self.documents {
            let head = Bytes::from(mtom::part_head(boundary, &id, opened.media_type));
            length += head.len() as u64 + opened.size;
            pieces.push((head, Arc::new(opened.document), Stretch { from: 0, until: opened.size }));
        }
        (pieces, length)
    }
}

/// The body of a message: the next chunk of a document is read when the one before has gone out.
pub(super) fn streamed(
    head: Bytes,
    pieces: Vec<Piece>,
    end: Bytes,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let once = |bytes| stream::once(async move { Ok::<_, io::Error>(bytes) });
    let pieces = stream::iter(pieces);
    let pieces = pieces.flat_map(move |(head, document, stretch)| {
        stream::once(async move { Ok(head) }).chain(content::stretched(document, stretch))
    });
    once(head).chain(pieces).chain(once(end))
}

/// Opens what is asked for.
pub(super) async fn give(
    call: &Call,
    wanted: &Result<Vec<Wanted>, Wrong>,
    is_multipart: bool,
) -> Result<Given, Failed> {
    call.may("Binary", Right::Read)?;
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(wrong) => return Ok(Given::nothing(retrieve::response(&[], std::slice::from_ref(wrong)))),
    };
    let (mut given, mut said, mut documents, mut room) =
        (Vec::new(), Vec::new(), Vec::new(), INLINE_BYTES_MAX);
    for (place, wanted) in wanted.iter().enumerate() {
        match open(call, wanted, (!is_multipart).then_some(room)).await {
            Ok(opened) if is_multipart => {
                let id = format!("document{place}@xds");
                let (media, content) = (opened.media_type.to_owned(), Content::Part(id.clone()));
                given.push(retrieve::Given { wanted: wanted.clone(), media, content });
                documents.push(Part { id, opened });
            }
            Ok(opened) => {
                room -= opened.size.min(room);
                let (media, document) = (opened.media_type.to_owned(), opened.document);
                let plain = blocking(move || document.whole()).await?;
                let content = Content::Inline(plain);
                given.push(retrieve::Given { wanted: wanted.clone(), media, content });
            }
            Err(Unopened::Wrong(wrong)) => said.push(wrong.at(&wanted.unique)),
            Err(Unopened::Refusal(refusal)) => {
                said.push(wrong(refusal, Code::RepositoryBusy, Code::DocumentUniqueId).at(&wanted.unique));
            }
        }
    }
    Ok(Given { response: retrieve::response(&given, &said), documents })
}

/// Why a document is not given.
enum Unopened {
    Wrong(Wrong),
    Refusal(Refusal),
}

impl From<Refusal> for Unopened {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// Opens one; `room` is for how many bytes the envelope has room, if they are to stand in it.
async fn open(call: &Call, wanted: &Wanted, room: Option<u64>) -> Result<binary::Bytes, Unopened> {
    let member = &call.door.app.member;
    if wanted.repository != name::repository(&member.region, &member.code) {
        let what = "RepositoryUniqueId is not this one: documents name theirs in their metadata";
        return Err(Unopened::Wrong(Wrong::new(Code::UnknownRepositoryId, what)));
    }
    let missing = || Refusal::from(Problem::NotFound { kind: "document" });
    let here = list::by_unique(call, &wanted.unique).await?.ok_or_else(missing)?;
    let (holder, listing) =
        (here.holder(&call.site.organisation).clone(), here.listing(call).map_err(Refusal::from)?);
    if room.is_some_and(|room| listing.size > room) {
        let what = "the document is too long for an envelope: ask with MTOM";
        return Err(Unopened::Wrong(Wrong::new(Code::Repository, what)));
    }
    Ok(binary::bytes(call, holder, listing.entry).await?)
}
