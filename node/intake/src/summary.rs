//! What a message was understood to say, in one line: whom it is about, what it is, and the date it is filed under.
//!
//! For the answer to its sender, and to compare with other readers. Of several documents or events it tells the first.
//! Not here: what becomes of the message.

use core::ops::Range;

use yiqiao_proto::phi::Phi;

use crate::dates::When;
use crate::facts::{Answer, ReviewReason, Understood};
use crate::hl7::Envelope;
use crate::intake::Item;
use crate::patient::Patient;

/// A message in one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Where the message stands in the input.
    pub span: Range<usize>,
    /// What its sending system calls itself: application, then facility (MSH-3, MSH-4); empty if it does not say.
    pub sender: String,
    /// Its control id (MSH-10), if it has one.
    pub control_id: Option<String>,
    /// The identifier under which its patient is filed.
    pub patient: Option<Phi<String>>,
    /// The sender's code of the document or event: `ORU^R01`, `C0007`, a LOINC code, a FHIR type.
    pub kind: Option<String>,
    /// The date it is filed under.
    pub date: Option<When>,
    /// Why it brings no document or event: it needs no keeping, is kept for a person, or goes back.
    pub reason: Option<String>,
}

impl Summary {
    /// The summary of a message.
    pub fn of(item: &Item) -> Self {
        let envelope = item.envelope.as_ref();
        let bare = Self {
            span: item.span.clone(),
            sender: envelope.map(sender).unwrap_or_default(),
            control_id: envelope.map(|envelope| envelope.control_id.clone()).filter(|id| !id.is_empty()),
            patient: None,
            kind: envelope.map(|envelope| envelope.kind.clone()).filter(|kind| !kind.is_empty()),
            date: None,
            reason: None,
        };
        match &item.outcome {
            Ok(Understood::Documents(documents)) => match documents.first() {
                Some(first) => bare.about(Some(&first.patient), first.kind.code.to_string(), first.date),
                None => bare,
            },
            Ok(Understood::Events(events)) => match events.first() {
                Some(first) => bare.about(Some(&first.patient), first.code.clone(), first.date),
                None => bare,
            },
            Ok(Understood::Review(review)) => bare
                .about(review.patient.as_ref(), review.kind.clone(), review.date)
                .because(review_reason(review.reason)),
            Ok(Understood::Answer(answer)) => bare.because(&answer_reason(answer)),
            Err(refusal) => bare.because(&refusal.to_string()),
        }
    }

    /// The same of a message that is kept for a person after all.
    #[must_use]
    pub fn kept_for(self, reason: ReviewReason) -> Self {
        self.because(review_reason(reason))
    }

    fn about(self, patient: Option<&Patient>, kind: String, date: Option<When>) -> Self {
        let patient = patient.and_then(Patient::primary).map(|id| id.value.clone());
        Self { patient, kind: Some(kind).filter(|kind| !kind.is_empty()), date, ..self }
    }

    fn because(self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..self }
    }
}

/// `HIS|QZRM`; the application alone if it names no facility.
fn sender(envelope: &Envelope) -> String {
    let parts = [envelope.sending_application.as_str(), envelope.sending_facility.as_str()];
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("|")
}

/// Why a person has to look at an input, in words.
#[must_use]
pub const fn review_reason(reason: ReviewReason) -> &'static str {
    match reason {
        ReviewReason::NoPatient => "it names no patient",
        ReviewReason::NoIdentifier => "its patient has no identifier",
        ReviewReason::OnlyPlaceholders => "all identifiers of its patient stand for none",
        ReviewReason::SeveralPatients => "it is about several patients",
        ReviewReason::MergeWithoutSource => "the merge does not say from which number",
        ReviewReason::MergeWithItself => "the merge is of a number with itself",
        ReviewReason::OtherPerson => "another person has the number of its patient",
    }
}

fn answer_reason(answer: &Answer) -> String {
    match answer {
        Answer::Response(kind) => format!("a response: {kind}"),
        Answer::Query(kind) => format!("a query, which this door does not answer: {kind}"),
        Answer::NotAboutPatients(kind) => format!("not about patients: {kind}"),
        Answer::QualityControl => "a control run of an analyser".to_owned(),
        Answer::EmptyBatch => "a batch without messages".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dates::Precision;
    use crate::intake::{Door, read};

    const HEADER: &str = "MSH|^~\\&|HIS|QZRM|||20260302083000||";

    fn summaries(input: &str) -> Vec<Summary> {
        read(input.as_bytes(), &Door::any()).iter().map(Summary::of).collect()
    }

    fn one(input: &str) -> Summary {
        let [one] = <[Summary; 1]>::try_from(summaries(input)).unwrap();
        one
    }

    #[test]
    fn an_event_is_told_with_its_patient_code_and_date() {
        let text =
            format!("{HEADER}ADT^A01|H1|P|2.4\rEVN|A01|202603020829\rPID|1||0088123^^^HIS^MR\rPV1|1|I\r");
        let told = one(&text);
        assert_eq!((told.span, told.control_id.as_deref()), (0..text.len(), Some("H1")));
        assert_eq!(told.sender, "HIS|QZRM");
        assert_eq!(told.patient.as_ref().map(|id| id.expose().as_str()), Some("0088123"));
        assert_eq!((told.kind.as_deref(), told.reason), (Some("ADT^A01"), None));
        assert_eq!(told.date.map(|date| date.precision), Some(Precision::Minute));
    }

    #[test]
    fn each_message_of_a_batch_says_where_it_stands_and_why_it_ended_otherwise() {
        let nameless = format!("{HEADER}ADT^A01|H2|P|2.4\rPV1|1|I\r");
        let query = format!("{HEADER}QRY^A19|H3|P|2.4\rQRD|1\r");
        let cut = format!("{HEADER}ADT^A01|H4|P|2.4\r");
        let told = summaries(&[nameless.as_str(), &query, &cut].concat());
        let reasons: Vec<&str> = told.iter().filter_map(|told| told.reason.as_deref()).collect();
        assert_eq!(
            reasons,
            [
                "it names no patient",
                "a query, which this door does not answer: QRY^A19",
                "only MSH, nothing follows: the message was cut",
            ]
        );
        assert_eq!(told[1].span.start, nameless.len());
        assert_eq!(told[2].kind.as_deref(), Some("ADT^A01"), "the header is read all the same");
        assert!(told.iter().all(|told| told.patient.is_none()));
    }

    #[test]
    fn a_document_that_is_kept_for_a_person_after_all_says_why() {
        let told =
            one(&format!("{HEADER}ORU^R01|L1|P|2.4\rPID|1||7^^^HIS^MR\rOBR|1||R1|XCG\rOBX|1|NM|A||1\r"));
        assert_eq!((told.kind.as_deref(), told.reason.as_deref()), (Some("ORU^R01"), None));
        let kept = told.kept_for(ReviewReason::NoIdentifier);
        assert_eq!(kept.reason.as_deref(), Some("its patient has no identifier"));
    }
}
