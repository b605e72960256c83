//! Messages written for these tests. Identity numbers have region 999999, which is nobody's.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails where an expectation does"
)]

use yiqiao_intake::facts::{Document, PatientEvent, Review, Understood};
use yiqiao_intake::intake::{Door, Item, read};

pub(crate) const RESIDENT_ID: &str = "999999198503120026";

pub(crate) const ADMISSION: &str = "MSH|^~\\&|HIS|第一医院|EHR|区域|20260302083000||ADT^A01|H1001|P|2.4\r\
EVN|A01|20260302082955\r\
PID|1||0088123^^^HIS^MR~999999198503120026^^^^1~~JKK99001^^^^健康卡||欧阳  静^OUYANG JING||19850312|2|||沁园路7号^^云州市||13900000000\r\
PV1|1|I|N301&呼吸内科^12^3||||D077&王  芳||||||||||||ZY20260302-1|||||||||||||||||||||||||20260302082900\r";

pub(crate) const BLOOD_COUNT: &str = "MSH|^~\\&|LIS|第一医院|||20260303101500||ORU^R01|L7|P|2.3.1||||||UNICODE UTF-8\r\
PID|1||0088123^^^^21~999999198503120026^^^^1||欧阳静|||2\r\
OBR|1|REQ55|RPT-2026-0301|XCG^血常规^LIS|||20260303090000||||||||血液|||||||20260303100500||HM|F\r\
ORC|RE|REQ55\r\
OBX|1|NM|WBC^*白细胞计数||12.5|^10*9/L|3.5-9.5|H|||F\r\
OBX|2|NM|HGB^血红蛋白||128|g/L|115-150|N||F\r\
OBX|3|SN|CRP^C反应蛋白||>^200|mg/L|轻:10-50\\.br\\重:>100|H|||0\r";

pub(crate) const DISCHARGE: &str = "MSH|^~\\&|EMR|第一医院|||20260310160000||MDM^T02|E9|P|2.5.1|||AL|NE\r\
EVN|T02|20260310155500\r\
PID|1||0088123^^^HIS^MR||欧阳静||19850312|2\r\
PV1|1|I|N301&呼吸内科\r\
TXA|1|C0053^出院小结|ED|20260310150000||20260310154000|||D077^王芳|||EMR-77||||||R||AV\r\
OBX|1|ED|C0053||^application^pdf^Base64^JVBERi0xLjcKJeWHuumZogo=||||||F\r";

pub(crate) const SUMMARY_CDA: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
 <templateId root="2.16.156.10011.2.1.1.27"/>
 <id root="2.16.156.10011.1.1" extension="DOC-42"/>
 <code code="C0007" codeSystem="2.16.156.10011.2.4"/>
 <title>检验报告</title><effectiveTime value="20260303100500"/>
 <confidentialityCode code="R"/><setId/><versionNumber/>
 <recordTarget><patientRole>
  <id root="2.16.156.10011.1.12" extension="ZY20260302"/><id root="2.16.156.10011.1.33" extension="RPT-9"/>
  <patient><id root="2.16.156.10011.1.3" extension="999999198503120026"/><name>欧阳静</name>
  <administrativeGenderCode code="2"/><birthTime value="19850312"/><age unit="岁" value="40"/></patient>
 </patientRole></recordTarget>
 <author><assignedAuthor><id root="2.16.156.10011.1.7" extension="D077"/><assignedPerson><name>王芳</name></assignedPerson></assignedAuthor></author>
 <custodian><assignedCustodian><representedCustodianOrganization><name>第一医院</name></representedCustodianOrganization></assignedCustodian></custodian>
 <relatedDocument typeCode="RPLC"><parentDocument><id/></parentDocument></relatedDocument>
 <component><structuredBody><component><section><code code="30954-2" displayName="STUDIES SUMMARY"/><text/>
  <entry><observation><code code="DE04" displayName="白细胞计数"/><value value="12.5" unit="10*9/L"/></observation></entry>
 </section></component></structuredBody></component>
</ClinicalDocument>"#;

pub(crate) const REPORT_BUNDLE: &str = r#"{"resourceType":"Bundle","type":"collection","timestamp":"2026-03-03T10:05:00+08:00","entry":[
{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.156.10011.1.3","value":"999999198503120026"}],
 "name":[{"text":"欧阳静"}],"gender":"female","birthDate":"1985-03-12"}},
{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Organization","name":"第一医院"}},
{"fullUrl":"urn:uuid:3","resource":{"resourceType":"DiagnosticReport","identifier":[{"value":"RPT-3"}],"status":"corrected",
 "code":{"text":"血常规"},"subject":{"reference":"urn:uuid:1"},"performer":[{"reference":"urn:uuid:2"}],"effectiveDateTime":"2026-03-03T09:00:00+08:00"}}]}"#;

pub(crate) const SUBMISSION: &str = r#"{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:a","resource":{"resourceType":"DocumentReference","masterIdentifier":{"value":"urn:oid:1.2.3"},"status":"current",
 "type":{"coding":[{"system":"http://loinc.org","code":"18842-5"}]},"date":"2026-03-10T16:00:00+08:00",
 "subject":{"identifier":{"system":"urn:oid:2.16.156.10011.1.3","value":"999999198503120026"}},
 "relatesTo":[{"code":"replaces","target":{"identifier":{"value":"urn:oid:1.2.2"}}}],
 "content":[{"attachment":{"contentType":"text/plain","url":"urn:uuid:b","size":7}}]},"request":{"method":"POST","url":"DocumentReference"}},
{"fullUrl":"urn:uuid:b","resource":{"resourceType":"Binary","contentType":"text/plain","data":"5Ye66Zmi"},"request":{"method":"POST","url":"Binary"}}]}"#;

pub(crate) fn one(input: &[u8]) -> Item {
    let mut items = read(input, &Door::any());
    assert_eq!(items.len(), 1);
    items.pop().unwrap()
}

pub(crate) fn document(input: &str) -> Document {
    match one(input.as_bytes()).outcome.unwrap() {
        Understood::Documents(mut documents) if documents.len() == 1 => documents.pop().unwrap(),
        other => panic!("not one document: {other:?}"),
    }
}

pub(crate) fn event(input: &str) -> PatientEvent {
    match one(input.as_bytes()).outcome.unwrap() {
        Understood::Events(mut events) if events.len() == 1 => events.pop().unwrap(),
        other => panic!("not one event: {other:?}"),
    }
}

pub(crate) fn review(input: &str) -> Review {
    match one(input.as_bytes()).outcome.unwrap() {
        Understood::Review(review) => *review,
        other => panic!("not a review: {other:?}"),
    }
}

pub(crate) fn refusal(input: &str) -> String {
    one(input.as_bytes()).outcome.unwrap_err().to_string()
}
