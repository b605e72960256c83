//! ITI-41: what a submission becomes, and what is refused of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::provide::Provided;
use yiqiao_fhir::resource::Site;
use yiqiao_fhir::search::{Token, Who};
use yiqiao_intake::facts::{Document, Payload, SourceId, Status, Understood};
use yiqiao_intake::intake::Door;
use yiqiao_intake::kind::{Class, KindCode};
use yiqiao_proto::id::Code as MemberCode;
use yiqiao_proto::phi::Phi;
use yiqiao_xds::mtom;
use yiqiao_xds::provide::{Refused, Submission, read};
use yiqiao_xds::soap::{self, Fault};
use yiqiao_xds::wrong::Code;

const EXAMPLE: &str = include_str!("../../../../docs/examples/xds/provide.xml");
const PATIENT: &str = "11010519491231002X^^^&amp;2.16.156.10011.1.3&amp;ISO";
/// Of `hello world`.
const HASH: &str = "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed";

/// The example with its words filled in.
fn example() -> String {
    let content = "aGVsbG8g\n d29ybGQ=";
    let words =
        [("PATIENT", PATIENT), ("UNIQUE", "1.2.3.4"), ("HASH", HASH), ("SIZE", "11"), ("CONTENT", content)];
    words.iter().fold(EXAMPLE.to_owned(), |text, (word, value)| text.replace(word, value))
}

fn submitted(text: &str) -> Result<Submission<'static>, Refused> {
    let bytes: &'static [u8] = text.to_owned().leak().as_bytes();
    let message = mtom::read("application/soap+xml", bytes)?;
    let text = soap::decode(message.envelope)?;
    let document = soap::parse(&text)?;
    read(soap::read(&document)?.request, &message)
}

/// The bundle as the FHIR door and intake read it.
fn handed_on(bundle: &[u8]) -> (Result<Provided, Problem>, Vec<Document>) {
    let organisation = MemberCode::new("hospital-a").unwrap();
    let site =
        Site { base: "https://a.example/fhir".to_owned(), organisation, name: "市第一医院".to_owned() };
    let understood = yiqiao_intake::fhir::read_json(bundle, 0..bundle.len(), &Door::any()).unwrap();
    let Understood::Documents(documents) = understood else { panic!("documents") };
    (yiqiao_fhir::provide::read(bundle, &site), documents)
}

#[test]
fn a_submission_is_the_same_as_one_by_fhir() {
    let bundle = submitted(&example()).unwrap().bundle(&BTreeMap::new());
    let (provided, documents) = handed_on(&bundle);
    let system = Some("urn:oid:2.16.156.10011.1.3".to_owned());
    let value = Phi::new("11010519491231002X".to_owned());
    let who = Who::Identifier(Token { system, value });
    assert_eq!(provided.unwrap().who(), Some(&who));
    let [document] = documents.as_slice() else { panic!("one document") };
    assert_eq!(document.source_id, SourceId::new("urn:ietf:rfc:3986", "urn:oid:1.2.3.4"));
    assert_eq!(document.kind.code, KindCode::Wst500(6));
    assert_eq!(document.title.as_ref().map(|title| title.expose().as_str()), Some("胸部CT检查报告"));
    assert_eq!(document.payload, Payload::Embedded(b"hello world".to_vec()));
    assert_eq!(document.author.organization.as_deref(), Some("桥州市人民医院"));
    let person = document.author.person.as_ref().unwrap();
    assert_eq!((person.code.as_str(), person.name.as_str()), ("2041", "周远"));
    assert_eq!(document.confidentiality.as_deref(), Some("N"));
    assert_eq!((document.status, document.replaces.clone()), (Status::Final, None));
    assert!(document.service.start.is_some() && document.date.is_some());
}

#[test]
fn the_same_submission_makes_the_same_bytes_however_it_came() {
    let plain = submitted(&example()).unwrap().bundle(&BTreeMap::new());
    let include = "<x:Include xmlns:x='http://www.w3.org/2004/08/xop/include' href='cid:d1@a'/>";
    let root = example().replace("aGVsbG8g\n d29ybGQ=", include).replace("7b3f1c9e", "00000000");
    let text = format!(
        "--b\r\nContent-Type: application/xop+xml\r\nContent-ID: <r>\r\n\r\n{root}\r\n--b\r\nContent-ID: <d1@a>\r\n\r\n\
         hello world\r\n--b--"
    );
    let kind = "multipart/related; type=\"application/xop+xml\"; boundary=b; start=\"<r>\"";
    let message = mtom::read(kind, text.as_bytes()).unwrap();
    let envelope = soap::decode(message.envelope).unwrap();
    let document = soap::parse(&envelope).unwrap();
    let parted = read(soap::read(&document).unwrap().request, &message).unwrap();
    assert_eq!(parted.bundle(&BTreeMap::new()), plain);
}

#[test]
fn a_replacement_names_what_its_source_calls_the_earlier() {
    let replaces = "<rim:Association id='as02' associationType='urn:ihe:iti:2007:AssociationType:RPLC' \
                    sourceObject='Document01' targetObject='urn:uuid:1'/></rim:RegistryObjectList>";
    let text = example().replace("</rim:RegistryObjectList>", replaces);
    let submission = submitted(&text).unwrap();
    assert_eq!(submission.documents[0].replaces.as_deref(), Some("urn:uuid:1"));
    let earlier = SourceId::new("urn:oid:1.2", "x").unwrap();
    let (provided, documents) =
        handed_on(&submission.bundle(&BTreeMap::from([("urn:uuid:1".to_owned(), earlier.clone())])));
    assert!(provided.is_ok(), "{provided:?}");
    assert_eq!(documents[0].replaces, Some(earlier));
}

#[test]
fn an_id_of_the_sources_own_is_a_further_name() {
    let id = "urn:uuid:0f0a6c1e-1b5b-4f0e-8a56-0a7a43f1f1b2";
    let bundle = submitted(&example().replace("Document01", id)).unwrap().bundle(&BTreeMap::new());
    let (_, documents) = handed_on(&bundle);
    let further = SourceId::new("urn:ietf:rfc:3986", id);
    assert_eq!(documents[0].also_known_as, further.into_iter().collect::<Vec<_>>());
}

#[test]
fn d13_fees_are_known_by_their_class_or_type() {
    let examination = "nodeRepresentation=\"examination\"";
    let local = example().replace("2.16.156.10011.2.4", "urn:yiqiao:document-type");
    for (text, class) in [
        (local.replace("C0006", "CHARGE"), Class::Charge),
        (local.replace("C0006", "SETTLEMENT"), Class::Settlement),
        (local.replace("C0006", "X").replace(examination, "nodeRepresentation=\"finance\""), Class::Charge),
        (local.replace("C0006", "X"), Class::Other),
    ] {
        let (_, documents) = handed_on(&submitted(&text).unwrap().bundle(&BTreeMap::new()));
        assert_eq!(documents[0].kind.class, class);
    }
}

#[test]
fn what_is_wrong_is_named_and_never_quoted() {
    let member = "<rim:Association id=\"as01\"";
    let folder = "<rim:RegistryPackage id='f'/><rim:RegistryPackage";
    for (from, to, code) in [
        (HASH, "2aae6c35c94fcfb415dbe95f408b9ce91ee846ee", Code::RepositoryMetadata),
        (">11<", ">12<", Code::RepositoryMetadata),
        ("<xdsb:Document id=\"Document01\">", "<xdsb:Document id=\"other\">", Code::MissingDocument),
        (
            "</xdsb:ProvideAndRegister",
            "<xdsb:Document id='b'>AA==</xdsb:Document></xdsb:ProvideAndRegister",
            Code::MissingDocumentMetadata,
        ),
        (
            "registryObject=\"SubmissionSet01\" value=\"1101",
            "registryObject=\"SubmissionSet01\" value=\"2101",
            Code::PatientIdDoesNotMatch,
        ),
        ("value=\"1.2.3.4\"", "value=\"\"", Code::RegistryMetadata),
        ("20261120081500", "gestern", Code::RegistryMetadata),
        ("urn:uuid:7edca82f", "urn:uuid:34268e47", Code::RegistryMetadata),
        ("AssociationType:HasMember", "AssociationType:APND", Code::RegistryMetadata),
        ("targetObject=\"Document01\"", "targetObject=\"Document02\"", Code::RegistryMetadata),
        ("urn:uuid:a54d6aa5", "urn:uuid:d9d542f3", Code::RegistryMetadata),
        ("<rim:RegistryPackage", folder, Code::RegistryMetadata),
        ("urn:uuid:f0306f51", "urn:uuid:f0306f52", Code::RegistryMetadata),
        (member, "<rim:Association", Code::RegistryMetadata),
    ] {
        let text = example();
        assert!(text.contains(from), "{from}");
        match submitted(&text.replacen(from, to, if from == "<rim:RegistryPackage" { 1 } else { 9 })) {
            Err(Refused::Wrong(wrong)) => {
                assert_eq!(wrong.code, code, "{from}: {wrong}");
                let said = wrong.to_string();
                assert!(!said.contains("1101") && !said.contains("gestern"), "{said}");
            }
            // An Association needs no id of its own.
            Ok(_) => assert_eq!(from, member),
            Err(Refused::Fault(fault)) => panic!("{from}: {fault}"),
        }
    }
    let broken = example().replace("aGVsbG8g", "!");
    assert!(matches!(submitted(&broken), Err(Refused::Fault(Fault::Sender(_)))));
}

proptest! {
    /// Whatever a sender makes of a message, it is read or refused.
    #[test]
    fn a_damaged_submission_is_read_without_panic(at in 0_usize..9_000, length in 0_usize..60, put in "[<>/a-z0-9\"'&; ]{0,12}") {
        let mut text: Vec<char> = example().chars().collect();
        let at = at.min(text.len());
        text.splice(at..(at + length).min(text.len()), put.chars());
        if let Ok(submission) = submitted(&text.into_iter().collect::<String>()) {
            submission.bundle(&BTreeMap::new());
        }
    }
}
