//! SOAP 1.2 with WS-Addressing: what an envelope asks, and envelopes out.
//!
//! What a header must have understood and is not of WS-Addressing is not understood here: such a message is refused, as SOAP has it.
//! Signatures and assertions in a header are passed over if they may be: who calls is told by HTTP.

use roxmltree::{Document, Node};
use yiqiao_intake::flag::Flags;
use yiqiao_intake::{refusal, xml};

use crate::writer::Xml;

/// SOAP 1.2.
pub(crate) const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
const SOAP_1_1: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// WS-Addressing 1.0.
const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
/// ebRIM 3.0.
pub(crate) const RIM: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0";
/// ebRS 3.0.
pub(crate) const RS: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0";
/// Queries of ebRS 3.0.
pub(crate) const QUERY: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0";
/// XDS.b.
pub(crate) const XDS: &str = "urn:ihe:iti:xds-b:2007";
/// How a transaction ended.
pub(crate) const STATUS: &str = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:";

/// A transaction that this door has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// ITI-41.
    ProvideAndRegister,
    /// ITI-18.
    StoredQuery,
    /// ITI-43.
    Retrieve,
}

impl Transaction {
    const ALL: [Self; 3] = [Self::ProvideAndRegister, Self::StoredQuery, Self::Retrieve];

    /// Namespace and name of its request.
    const fn element(self) -> (&'static str, &'static str) {
        match self {
            Self::ProvideAndRegister => (XDS, "ProvideAndRegisterDocumentSetRequest"),
            Self::StoredQuery => (QUERY, "AdhocQueryRequest"),
            Self::Retrieve => (XDS, "RetrieveDocumentSetRequest"),
        }
    }

    /// The action of its request.
    pub const fn action(self) -> &'static str {
        match self {
            Self::ProvideAndRegister => "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
            Self::StoredQuery => "urn:ihe:iti:2007:RegistryStoredQuery",
            Self::Retrieve => "urn:ihe:iti:2007:RetrieveDocumentSet",
        }
    }
}

/// Why an envelope is answered by a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No SOAP 1.2.
    #[error("the message is not of SOAP 1.2: send application/soap+xml, or multipart/related of it")]
    Version,
    /// A header that must be understood.
    #[error("a header that must be understood is not: {0}")]
    NotUnderstood(String),
    /// Anything else that the sender can mend.
    #[error("{0}")]
    Sender(String),
    /// Not a matter of the message.
    #[error("{0}")]
    Receiver(&'static str),
}

impl Fault {
    /// The code of SOAP 1.2 (section 5.4.6).
    const fn code(&self) -> &'static str {
        match self {
            Self::Version => "env:VersionMismatch",
            Self::NotUnderstood(_) => "env:MustUnderstand",
            Self::Sender(_) => "env:Sender",
            Self::Receiver(_) => "env:Receiver",
        }
    }

    /// The HTTP status (SOAP 1.2 part 2, table 20).
    pub const fn status(&self) -> u16 {
        if matches!(self, Self::Sender(_)) { 400 } else { 500 }
    }

    /// The envelope that says it.
    pub fn write(&self) -> String {
        let mut xml = Xml::default();
        xml.element("env:Fault", &[], |xml| {
            xml.element("env:Code", &[], |xml| xml.leaf("env:Value", &[], self.code()));
            let text = self.to_string();
            xml.element("env:Reason", &[], |xml| xml.leaf("env:Text", &[("xml:lang", "en")], &text));
        });
        envelope(&format!("{ADDRESSING}/soap/fault"), "", &xml.into_string())
    }
}

impl From<refusal::Refusal> for Fault {
    fn from(refusal: refusal::Refusal) -> Self {
        Self::Sender(refusal.to_string())
    }
}

/// Decodes an envelope.
///
/// # Errors
/// [`Fault::Sender`] if it is too long.
pub fn decode(bytes: &[u8]) -> Result<String, Fault> {
    Ok(xml::decode(bytes, &mut Flags::none())?)
}

/// Parses an envelope, under the bounds of every XML here; a document type is refused.
///
/// # Errors
/// [`Fault::Sender`] naming line and column.
pub fn parse(text: &str) -> Result<Document<'_>, Fault> {
    Ok(xml::parse(text)?)
}

/// What an envelope asks.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a, 'i> {
    /// Which transaction.
    pub transaction: Transaction,
    /// Its request.
    pub request: Node<'a, 'i>,
    /// The id of the message; empty if it has none.
    pub message_id: &'a str,
}

/// Reads what an envelope asks.
///
/// # Errors
/// [`Fault`] if it is none, asks for something else, or must have something understood that is not.
pub fn read<'a, 'i>(document: &'a Document<'i>) -> Result<Asked<'a, 'i>, Fault> {
    let envelope = document.root_element();
    match (envelope.tag_name().name(), envelope.tag_name().namespace()) {
        ("Envelope", Some(SOAP)) => {}
        ("Envelope", Some(SOAP_1_1)) => return Err(Fault::Version),
        _ => return Err(Fault::Sender("the message is no SOAP envelope".to_owned())),
    }
    let blocks = || xml::child(envelope, "Header").into_iter().flat_map(|header| header.children());
    if let Some(foreign) = blocks().find(|block| block.is_element() && !is_understood(*block)) {
        return Err(Fault::NotUnderstood(foreign.tag_name().name().to_owned()));
    }
    let addressed = |name| blocks().find(|block| block.has_tag_name((ADDRESSING, name)));
    let text = |name| addressed(name).and_then(|block| block.text()).map(str::trim).unwrap_or_default();
    let body = xml::child(envelope, "Body").ok_or_else(|| Fault::Sender("there is no Body".to_owned()))?;
    let request = body.children().find(Node::is_element);
    let transaction =
        Transaction::ALL.into_iter().find(|one| request.is_some_and(|node| node.has_tag_name(one.element())));
    let (Some(transaction), Some(request)) = (transaction, request) else {
        let known = "ITI-41, ITI-18 and ITI-43 are served here, and the Body holds no request of these";
        return Err(Fault::Sender(known.to_owned()));
    };
    if !["", transaction.action()].contains(&text("Action")) {
        return Err(Fault::Sender(format!("the Action of this request is {}", transaction.action())));
    }
    Ok(Asked { transaction, request, message_id: text("MessageID") })
}

/// Whether a block of the header may be passed over, or is of WS-Addressing.
fn is_understood(block: Node<'_, '_>) -> bool {
    let must = block.attribute((SOAP, "mustUnderstand")).is_some_and(|said| matches!(said, "1" | "true"));
    let role = block.attribute((SOAP, "role")).unwrap_or_default();
    // What is for somebody on the way is not for us.
    let ours = role.is_empty() || role.ends_with("/next") || role.ends_with("/ultimateReceiver");
    !must || !ours || block.tag_name().namespace() == Some(ADDRESSING)
}

/// An answer to a message.
pub fn answer(asked: Transaction, message_id: &str, body: &str) -> String {
    envelope(&format!("{}Response", asked.action()), message_id, body)
}

fn envelope(action: &str, relates_to: &str, body: &str) -> String {
    let mut xml = Xml::default();
    xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    xml.element("env:Envelope", &[("xmlns:env", SOAP), ("xmlns:wsa", ADDRESSING)], |xml| {
        xml.element("env:Header", &[], |xml| {
            xml.leaf("wsa:Action", &[("env:mustUnderstand", "true")], action);
            if !relates_to.is_empty() {
                xml.leaf("wsa:RelatesTo", &[], relates_to);
            }
        });
        xml.element("env:Body", &[], |xml| xml.raw(body));
    });
    xml.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(header: &str, body: &str) -> Result<(Transaction, String), Fault> {
        let text = format!(
            "<e:Envelope xmlns:e='{SOAP}' xmlns:a='{ADDRESSING}'><e:Header>{header}</e:Header>\
             <e:Body>{body}</e:Body></e:Envelope>"
        );
        let document = parse(&text)?;
        read(&document).map(|asked| (asked.transaction, asked.message_id.to_owned()))
    }

    #[test]
    fn the_body_says_what_is_asked_and_the_action_must_agree() {
        let query = format!("<AdhocQueryRequest xmlns='{QUERY}'/>");
        let action = "<a:Action e:mustUnderstand='1'>urn:ihe:iti:2007:RegistryStoredQuery</a:Action>";
        let id = "<a:MessageID> urn:uuid:1 </a:MessageID>";
        let found = asked(&format!("{action}{id}"), &query).unwrap();
        assert_eq!(found, (Transaction::StoredQuery, "urn:uuid:1".to_owned()));
        let other = action.replace("RegistryStoredQuery", "RetrieveDocumentSet");
        assert!(matches!(asked(&other, &query), Err(Fault::Sender(_))));
        assert!(matches!(asked("", "<a/>"), Err(Fault::Sender(_))));
        assert!(matches!(asked("", ""), Err(Fault::Sender(_))));
    }

    #[test]
    fn a_header_that_must_be_understood_and_is_not_is_refused() {
        let query = format!("<AdhocQueryRequest xmlns='{QUERY}'/>");
        let security = "<s:Security xmlns:s='urn:s' e:mustUnderstand='true'/>";
        assert_eq!(asked(security, &query), Err(Fault::NotUnderstood("Security".to_owned())));
        assert!(asked(&security.replace("true", "false"), &query).is_ok());
        let elsewhere = security.replace("e:must", "e:role='urn:other' e:must");
        assert!(asked(&elsewhere, &query).is_ok(), "for somebody on the way");
    }

    #[test]
    fn another_version_of_soap_and_a_document_type_are_refused() {
        let old = format!("<Envelope xmlns='{SOAP_1_1}'/>");
        assert_eq!(read(&parse(&old).unwrap()).unwrap_err(), Fault::Version);
        assert!(matches!(parse("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), Err(Fault::Sender(_))));
    }

    #[test]
    fn an_answer_says_to_which_message_and_a_fault_why() {
        let text = answer(Transaction::Retrieve, "urn:uuid:<1>", "<x/>");
        let document = parse(&text).unwrap();
        let header = xml::child(document.root_element(), "Header").unwrap();
        assert_eq!(xml::text(xml::child(header, "RelatesTo").unwrap()).unwrap(), "urn:uuid:<1>");
        let said = xml::text(xml::child(header, "Action").unwrap()).unwrap();
        assert_eq!(said, "urn:ihe:iti:2007:RetrieveDocumentSetResponse");
        let fault = Fault::Sender("a < b".to_owned()).write();
        assert!(fault.contains("<env:Value>env:Sender</env:Value>") && fault.contains("a &lt; b"), "{fault}");
    }
}
