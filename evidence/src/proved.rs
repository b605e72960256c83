//! What a file proves: who let which document go to whom, on whose permission, and when. In sentences, and as JSON whose names are
//! those of a FHIR `AuditEvent` of IHE BALP where there is one. No person is named in either: words name none.

use core::fmt;

use serde_json::{Value, json};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::LegalBasis;
use yiqiao_proto::directive::{Act, Directive};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::Verified;
use yiqiao_proto::id::Code;
use yiqiao_proto::note::Checkpoint;
use yiqiao_proto::proof::Proof;
use yiqiao_proto::release::{Delivery, PullRequest, Release};
use yiqiao_proto::time::Timestamp;

use crate::verify::Part;

/// An access that is proved.
#[derive(Clone, Debug)]
pub struct Proved {
    /// The members when the release was accepted.
    pub members: Directory,
    /// The checkpoint under which all stands.
    pub tree: Checkpoint,
    /// The recipient's request.
    pub request: Verified<PullRequest>,
    /// The holder's release.
    pub release: Part<Release>,
    /// The document, as its holder published it.
    pub entry: Part<Entry>,
    /// The holder's account of its decision.
    pub decision: Part<AccessEvent>,
    /// The directive that permitted; none under a rule of the region.
    pub directive: Option<Part<Act<Directive>>>,
    /// Who vouched for the passkey that signed the directive.
    pub vouchers: Vec<Code>,
    /// The recipient's receipt; none if it has not said that it has the document whole.
    pub delivery: Option<Part<Delivery>>,
    /// The recipient's account of it.
    pub received: Option<Part<AccessEvent>>,
    /// The events by which somebody of the recipient broke the glass; none if it was no emergency.
    pub emergency: Vec<Part<AccessEvent>>,
}

impl Proved {
    /// Who stands for it that the patient said the directive.
    fn witness(&self, directive: &Part<Act<Directive>>) -> String {
        match &directive.word().proof {
            Proof::Passkey(_) => {
                let vouchers: Vec<String> = self.vouchers.iter().map(|voucher| self.named(voucher)).collect();
                let guardian = directive.word().said.basis == LegalBasis::GuardianConsent;
                let whose = if guardian { "the patient's guardian" } else { "the patient" };
                format!("signed with a passkey of {whose}, vouched for by {}", vouchers.join(", "))
            }
            Proof::AttestedLogin(login) => {
                format!("said by the patient logged in at {}", self.named(&login.organisation))
            }
            Proof::DeskWitness(desk) => {
                format!("said by the patient at a desk of {}", self.named(&desk.organisation))
            }
        }
    }

    /// A member by name and code.
    fn named(&self, member: &Code) -> String {
        let name = self.members.member(member).map(|member| member.name.as_str()).unwrap_or_default();
        if name.is_empty() { member.to_string() } else { format!("{name} ({member})") }
    }

    fn consent(&self) -> String {
        let Some(directive) = &self.directive else {
            let clause = &self.decision.word().clause;
            return format!("no directive: it rests on a rule of the region ({clause})");
        };
        let (said, terms) = (&directive.word().said, &self.release.word().terms);
        let in_force = terms.standing.as_ref().map_or(0, |standing| standing.count);
        format!(
            "directive {} of {}, {}; one of {in_force} in force at version {} of the patient's head",
            said.id,
            moment(directive.accepted_at),
            self.witness(directive),
            self.decision.word().head_version,
        )
    }

    fn receipt(&self) -> String {
        let Some(delivery) = &self.delivery else {
            return "none: the recipient has not said that it has the document".to_owned();
        };
        let (by, at) = (self.named(&delivery.word().recipient), moment(delivery.word().at));
        format!("signed by {by}, which had it whole at {at}; place {} of the log", delivery.seq)
    }

    /// The same as JSON: times in UTC, identifiers in hexadecimal digits.
    pub fn to_json(&self) -> Value {
        let (terms, request) = (&self.release.word().terms, self.request.word());
        let (event, entry) = (self.decision.word(), self.entry.word());
        json!({
            "recorded": moment(event.at),
            "outcome": code(&event.outcome),
            "outcomeDesc": event.clause,
            "purposeOfEvent": code(&event.purpose),
            "agent": [
                { "type": "custodian", "who": terms.holder.as_str(), "name": self.name(&terms.holder), "requestor": false },
                {
                    "type": "recipient", "who": terms.recipient.as_str(), "name": self.name(&terms.recipient),
                    "requestor": true, "role": code(&request.asker.role),
                    "department": request.asker.department.as_ref().map(Code::as_str),
                    "policy": terms.directive.map(|id| id.to_string()),
                },
            ],
            "entity": [
                { "type": "patient", "what": hex::encode(terms.patient.value.as_bytes()) },
                {
                    "type": "document", "what": terms.document.to_string(), "entry": terms.entry_id.to_string(),
                    "class": code(&entry.class), "securityLabel": code(&entry.sensitivity), "size": entry.size,
                },
            ],
            "basedOn": terms.referral.map(|id| id.to_string()),
            "consent": self.consent_json(),
            "request": { "hash": self.request.envelope().payload_hash().to_string(), "expires": moment(request.expires_at) },
            "release": { "hash": self.release.said.envelope().payload_hash().to_string(), "seq": self.release.seq,
                "accepted": moment(self.release.accepted_at), "expires": moment(terms.expires_at) },
            "delivery": self.delivery.as_ref().map(|delivery| json!({
                "seq": delivery.seq, "accepted": moment(delivery.accepted_at), "at": moment(delivery.word().at) })),
            "emergency": self.emergency.iter().map(|broken| json!({
                "seq": broken.seq, "accepted": moment(broken.accepted_at),
                "auditLine": broken.word().audit_line.map(|line| line.to_string()) })).collect::<Vec<_>>(),
            "auditLine": event.audit_line.map(|line| line.to_string()),
            "source": { "log": self.tree.origin, "treeSize": self.tree.size, "root": hex::encode(self.tree.root),
                "memberList": self.members.list().version },
        })
    }

    fn consent_json(&self) -> Value {
        let Some(directive) = &self.directive else { return Value::Null };
        let said = &directive.word().said;
        json!({
            "identifier": said.id.to_string(), "seq": directive.seq, "dateTime": moment(directive.accepted_at),
            "verification": self.witness(directive), "headVersion": self.decision.word().head_version,
            "period": { "start": moment(said.valid_from), "end": said.valid_until.map(moment) },
            "notice": { "version": said.notice.version, "hash": said.notice.hash.to_string() },
        })
    }

    fn name(&self, member: &Code) -> Option<&str> {
        self.members.member(member).map(|member| member.name.as_str())
    }
}

impl fmt::Display for Proved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (terms, asker) = (&self.release.word().terms, &self.request.word().asker);
        let (event, entry) = (self.decision.word(), self.entry.word());
        let (holder, recipient) = (self.named(&terms.holder), self.named(&terms.recipient));
        let department = asker.department.as_ref().map(|code| format!(" of department {code}"));
        let list = self.members.list();
        writeln!(f, "PROVED: {holder} let one document of one patient go to {recipient}.")?;
        writeln!(
            f,
            "asked      signed by {recipient}: {}{}, for {}; until {}",
            code(&asker.role),
            department.unwrap_or_default(),
            code(&asker.purpose),
            moment(self.request.word().expires_at)
        )?;
        if let Some(broken) = self.emergency.first() {
            let (at, seq) = (moment(broken.accepted_at), broken.seq);
            writeln!(f, "emergency  declared by {recipient} before, accepted {at}; place {seq} of the log")?;
        }
        writeln!(f, "permitted  signed by {holder} at {}, by clause {}", moment(event.at), event.clause)?;
        writeln!(f, "consent    {}", self.consent())?;
        writeln!(
            f,
            "document   {}, {}, {} bytes, {}; published {}",
            code(&entry.class),
            code(&entry.sensitivity),
            entry.size,
            terms.document,
            moment(self.entry.accepted_at)
        )?;
        writeln!(
            f,
            "released   signed by {holder}, accepted {}; place {} of the log",
            moment(self.release.accepted_at),
            self.release.seq
        )?;
        writeln!(f, "received   {}", self.receipt())?;
        writeln!(
            f,
            "log        {} of {} words, as the registry signed it; members by list {} of {}",
            self.tree.origin,
            self.tree.size,
            list.version,
            moment(list.issued_at)
        )?;
        write!(
            f,
            "NOT PROVED: what the document says; who the patient and the persons are ({} names its person in the line of its audit \
             that the decision commits to); that no other directive forbade it, which the holder alone decided.",
            terms.holder
        )
    }
}

/// The name of a code: `PatientRequest` is `patient-request`.
fn code(code: &impl fmt::Debug) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// A time in UTC, to the second.
fn moment(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.unix_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
