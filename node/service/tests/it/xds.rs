//! XDS.b at a real node: what is handed in by web service is found and read by it, and by FHIR alike.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use yiqiao_simnet::story::Role;

use crate::fhir::{EVERYTHING, System, by_resident, resident};
use crate::rig::Node;
use crate::wire::{self, Answer};

const PROVIDE: &str = include_str!("../../../../docs/examples/xds/provide.xml");
const FIND: &str = include_str!("../../../../docs/examples/xds/find.xml");
const RETRIEVE: &str = include_str!("../../../../docs/examples/xds/retrieve.xml");
const SOAP: &str = "application/soap+xml; charset=utf-8";
const APPROVED: &str = "StatusType:Approved";

/// A submission of one document, its words filled in.
fn submission(patient: &str, unique: &str, content: &str) -> String {
    let unstated = ["hash", "size"].iter().fold(PROVIDE.to_owned(), |text, name| {
        let slot = format!("<rim:Slot name=\"{name}\">");
        let (head, rest) = text.split_once(&slot).unwrap();
        format!("{head}{}", rest.split_once("</rim:Slot>").unwrap().1)
    });
    let words = [("PATIENT", patient), ("UNIQUE", unique), ("CONTENT", content)];
    words.iter().fold(unstated, |text, (word, value)| text.replace(word, value))
}

/// A message of two parts, as MTOM has it.
fn parted(root: &str, content: &str, boundary: &str) -> (String, String) {
    let include = "<xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:d@x\"/>";
    let root = root.replace("CONTENT", include);
    let kind = format!(
        "multipart/related; type=\"application/xop+xml\"; boundary={boundary}; start=\"<r@x>\"; start-info=\"application/soap+xml\""
    );
    let body = format!(
        "--{boundary}\r\nContent-Type: application/xop+xml; charset=UTF-8\r\nContent-ID: <r@x>\r\n\r\n{root}\r\n--{boundary}\r\n\
         Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <d@x>\r\n\r\n{content}\r\n--{boundary}--\r\n"
    );
    (kind, body)
}

async fn sent(system: &System<'_>, envelope: &str) -> Answer {
    system.post("/xds", SOAP, envelope).await
}

/// What stands behind a mark, up to a quote.
fn attribute<'t>(text: &'t str, mark: &str) -> &'t str {
    text.split_once(mark).unwrap_or_else(|| panic!("{mark}: {text}")).1.split('"').next().unwrap()
}

fn find(patient: &str) -> String {
    FIND.replace("PATIENT", patient)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_service_hands_in_finds_and_reads_as_every_system_does() {
    let node = Node::started().await;
    let system = System { node: &node, token: node.token_for("emr", EVERYTHING).await };
    let patient = format!("{}^^^&amp;2.16.156.10011.1.3&amp;ISO", resident(Role::WalkIn));
    let root = submission(&patient, "1.2.3", "CONTENT");
    let (kind, body) = parted(&root, "检查报告一", "b1");
    let first = system.post("/xds", &kind, &body).await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert!(first.text().contains("ResponseStatusType:Success"), "{}", first.text());
    assert!(
        first.header("content-type").unwrap().starts_with("multipart/related; type=\"application/xop+xml\"")
    );
    assert!(first.text().contains("<wsa:RelatesTo>urn:uuid:7b3f1c9e"), "{}", first.text());
    // The same again, in other parts, is no other.
    let again = root.replace("7b3f1c9e", "00000000").replace("CONTENT", &STANDARD.encode("检查报告一"));
    assert!(sent(&system, &again).await.text().contains("ResponseStatusType:Success"));

    let found = sent(&system, &find(&patient)).await;
    assert_eq!((found.status, found.header("content-type")), (200, Some(SOAP)));
    let text = found.text();
    assert_eq!(text.matches("<rim:ExtrinsicObject").count(), 1, "{text}");
    assert!(text.contains("value=\"1.2.3\"") && text.contains("胸部CT检查报告"), "{text}");
    let who = format!("patient.identifier={}", by_resident(Role::WalkIn));
    let by_fhir: Vec<Value> = system.all("DocumentReference", &who).await;
    assert_eq!(by_fhir.len(), 1);
    assert_eq!(by_fhir[0]["masterIdentifier"]["value"], "urn:oid:1.2.3");

    let repository = text.split_once("repositoryUniqueId\"><rim:ValueList><rim:Value>").unwrap().1;
    let repository = repository.split('<').next().unwrap().to_owned();
    let reader = System { node: &node, token: node.token_for("viewer", &["system/*.rs"]).await };
    is_read(&reader, &repository).await;
    replaces(&system, &patient, attribute(&text, "ExtrinsicObject id=\"")).await;
    is_refused(&system, &reader, &patient, &repository).await;

    let rows = node.status().await["connections"].as_array().unwrap().clone();
    let row = rows.iter().find(|row| row["door"] == "soap").unwrap();
    let counted =
        ["came", "indexed", "refused", "repeated", "documents"].map(|name| row[name].as_u64().unwrap());
    assert_eq!(counted, [6, 2, 3, 1, 2], "{row}");
}

/// By another system, in parts and in the envelope.
async fn is_read(reader: &System<'_>, repository: &str) {
    let request = RETRIEVE.replace("REPOSITORY", repository).replace("UNIQUE", "1.2.3");
    let inline = sent(reader, &request).await.text();
    assert!(inline.contains(&STANDARD.encode("检查报告一")), "{inline}");
    let kind = "multipart/related; type=\"application/xop+xml\"; boundary=b";
    let body = format!("--b\r\nContent-ID: <a>\r\n\r\n{request}\r\n--b--");
    let parts = reader.post("/xds", kind, &body).await;
    let text = parts.text();
    assert!(
        text.contains("ResponseStatusType:Success") && text.contains("href=\"cid:document0@xds\""),
        "{text}"
    );
    assert!(text.contains("Content-ID: <document0@xds>\r\n\r\n检查报告一\r\n--"), "{text}");
    let two = request.replace("</xdsb:RetrieveDocumentSetRequest>", "<xdsb:DocumentRequest><xdsb:RepositoryUniqueId>1.9</xdsb:RepositoryUniqueId><xdsb:DocumentUniqueId>1.2.3</xdsb:DocumentUniqueId></xdsb:DocumentRequest></xdsb:RetrieveDocumentSetRequest>");
    let partial = sent(reader, &two).await.text();
    assert!(partial.contains("PartialSuccess") && partial.contains("XDSUnknownRepositoryId"), "{partial}");
}

/// A newer document takes the place of the one with this id, which stays found where replaced ones are asked for.
async fn replaces(system: &System<'_>, patient: &str, entry: &str) {
    let association = format!(
        "<rim:Association id=\"as02\" associationType=\"urn:ihe:iti:2007:AssociationType:RPLC\" sourceObject=\"Document01\" \
         targetObject=\"{entry}\"/></rim:RegistryObjectList>"
    );
    let newer = submission(patient, "1.2.4", &STANDARD.encode("检查报告二"));
    let newer = newer.replace("</rim:RegistryObjectList>", &association);
    let answer = sent(system, &newer).await.text();
    assert!(answer.contains("ResponseStatusType:Success"), "{answer}");
    let current = sent(system, &find(patient)).await.text();
    assert!(current.contains("value=\"1.2.4\"") && !current.contains("value=\"1.2.3\""), "{current}");
    let earlier = sent(system, &find(patient).replace(APPROVED, "StatusType:Deprecated")).await.text();
    assert_eq!(attribute(&earlier, "ExtrinsicObject id=\""), entry, "ids stay");
    let get = "<rim:Slot name=\"$XDSDocumentEntryEntryUUID\"><rim:ValueList><rim:Value>";
    let (head, _) = FIND.split_once("<rim:Slot").unwrap();
    let head = head.replace("14d4debf-8f97-4251-9a74-a90016b0af0d", "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4");
    let end = "</rim:Value></rim:ValueList></rim:Slot></rim:AdhocQuery></query:AdhocQueryRequest></env:Body></env:Envelope>";
    let got = sent(system, &format!("{head}{get}('{entry}'){end}")).await.text();
    assert!(got.contains("value=\"1.2.3\"") && got.contains(patient), "{got}");
    let newest = attribute(&current, "ExtrinsicObject id=\"");
    for (query, name, of, documents) in [
        ("bab9529a-4a10-40b3-a01f-f68a615d247a", "$XDSDocumentEntryEntryUUID", entry, 1),
        ("a7ae438b-4bc2-4642-93e9-be891f7bb155", "$uuid", entry, 0),
        ("a7ae438b-4bc2-4642-93e9-be891f7bb155", "$uuid", newest, 0),
    ] {
        let asked = format!("{head}{get}('{of}'){end}").replace("$XDSDocumentEntryEntryUUID", name);
        let asked = asked.replace("5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", query);
        let text = sent(system, &asked).await.text();
        assert_eq!(text.matches("<rim:ExtrinsicObject").count(), documents, "{text}");
        assert_eq!(text.matches("<rim:Association").count(), 1, "{text}");
        assert_eq!(
            (attribute(&text, "sourceObject=\""), attribute(&text, "targetObject=\"")),
            (newest, entry)
        );
    }
    let twice = newer.replace("1.2.4", "1.2.5");
    assert!(sent(system, &twice).await.text().contains("XDSReplaceFailed"), "it stands no longer");
}

async fn is_refused(system: &System<'_>, reader: &System<'_>, patient: &str, repository: &str) {
    let other = submission(patient, "1.2.4", &STANDARD.encode("别的"));
    let answer = sent(system, &other).await.text();
    assert!(answer.contains("XDSDuplicateUniqueIdInRegistry"), "{answer}");
    let nobody = submission("P9^^^HIS", "1.2.6", &STANDARD.encode("别的"));
    assert!(sent(system, &nobody).await.text().contains("XDSUnknownPatientId"));
    let none = sent(system, &find("P9^^^HIS")).await.text();
    assert!(none.contains("ResponseStatusType:Success") && !none.contains("ExtrinsicObject"), "{none}");
    let missing = RETRIEVE.replace("REPOSITORY", repository).replace("UNIQUE", "1.2.99");
    assert!(sent(system, &missing).await.text().contains("XDSDocumentUniqueIdError"));

    let forbidden = sent(reader, &other).await;
    assert_eq!(forbidden.status, 403);
    assert!(forbidden.text().contains("<env:Value>env:Sender</env:Value>"), "{}", forbidden.text());
    let unsigned = wire::post(system.node.http, "/xds", None, SOAP, other.as_bytes()).await;
    assert_eq!(unsigned.status, 401);
    assert!(unsigned.header("www-authenticate").is_some() && unsigned.text().contains("env:Fault"));
    assert_eq!(sent(system, "<a/>").await.status, 400);
    assert_eq!(system.post("/xds", "text/xml", "<a/>").await.status, 500, "of another version");
}
