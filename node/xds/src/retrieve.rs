//! ITI-43 Retrieve Document Set: which documents, and the envelope around their bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;
use yiqiao_intake::xml;

use crate::limits::DOCUMENTS_MAX;
use crate::mtom::XOP;
use crate::rim;
use crate::soap::XDS;
use crate::writer::Xml;
use crate::wrong::{Code, Ended, Wrong, write_response};

/// A document that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The community, as asked; empty if none is named.
    pub home: String,
    /// The repository.
    pub repository: String,
    /// The unique id.
    pub unique: String,
}

/// Reads which documents are asked for.
///
/// # Errors
/// [`Wrong`] naming the element.
pub fn read(request: Node<'_, '_>) -> Result<Vec<Wanted>, Wrong> {
    let wanted: Vec<_> = xml::children(request, "DocumentRequest").map(one).collect::<Result<_, _>>()?;
    if wanted.is_empty() || wanted.len() > DOCUMENTS_MAX {
        let what = format!("1 to {DOCUMENTS_MAX} documents are asked for at once");
        return Err(Wrong::new(Code::Repository, what));
    }
    Ok(wanted)
}

fn one(request: Node<'_, '_>) -> Result<Wanted, Wrong> {
    let text = |name: &str| xml::child(request, name).and_then(xml::text).unwrap_or_default();
    let need = |name: &str| {
        let missing = Wrong { code: Code::Repository, ..rim::missing(name) };
        Some(text(name)).filter(|value| !value.is_empty()).ok_or(missing)
    };
    Ok(Wanted {
        home: text("HomeCommunityId"),
        repository: need("RepositoryUniqueId")?,
        unique: need("DocumentUniqueId")?,
    })
}

/// A document that is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// As it was asked for.
    pub wanted: Wanted,
    /// Its media type.
    pub media: String,
    /// Its bytes.
    pub content: Content,
}

/// Where the bytes of a document stand.
#[derive(Clone, Debug)]
pub enum Content {
    /// In the part of this id.
    Part(String),
    /// Here.
    Inline(Vec<u8>),
}

/// The answer: what is given, and what is wrong with the others.
pub fn response(given: &[Given], said: &[Wrong]) -> String {
    let ended = match (given.is_empty(), said.is_empty()) {
        (_, true) => Ended::Success,
        (false, false) => Ended::Partial,
        (true, false) => Ended::Failure,
    };
    let mut xml = Xml::default();
    xml.element("xdsb:RetrieveDocumentSetResponse", &[("xmlns:xdsb", XDS)], |xml| {
        write_response(xml, ended, said);
        given.iter().for_each(|one| write(xml, one));
    });
    xml.into_string()
}

fn write(xml: &mut Xml, given: &Given) {
    let Wanted { home, repository, unique } = &given.wanted;
    xml.element("xdsb:DocumentResponse", &[], |xml| {
        if !home.is_empty() {
            xml.leaf("xdsb:HomeCommunityId", &[], home);
        }
        xml.leaf("xdsb:RepositoryUniqueId", &[], repository);
        xml.leaf("xdsb:DocumentUniqueId", &[], unique);
        xml.leaf("xdsb:mimeType", &[], &given.media);
        xml.element("xdsb:Document", &[], |xml| match &given.content {
            Content::Part(id) => {
                let href = format!("cid:{id}");
                xml.element("xop:Include", &[("xmlns:xop", XOP), ("href", &href)], |_| {});
            }
            Content::Inline(bytes) => xml.text(&STANDARD.encode(bytes)),
        });
    });
}
