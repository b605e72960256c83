//! Referrals as pages see them: rows of the boxes, one with form, documents, steps, and what can be done now.

use serde::Serialize;
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask::{self, Patient};
use yiqiao_node_core::boxes;
use yiqiao_node_core::copy::Stage;
use yiqiao_node_core::draft;
use yiqiao_node_core::handover::Handover;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::receive::Shown;
use yiqiao_node_core::sight::Ground;
use yiqiao_node_core::state::kept::PersonIdentifier;
use yiqiao_node_core::state::{Fault, View};
use yiqiao_proto::codes::{PersonRole, ReferralAct};
use yiqiao_proto::form::{ListedDocument, ReferralForm};
use yiqiao_proto::id::{Code, ReferralId, Subject};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::referral::{Side, State as Standing, after as follows, side_of};
use yiqiao_proto::time::Timestamp;

use crate::api::documents;
use crate::api::front::{Front, Named};
use crate::api::patients::need;
use crate::api::person::{self, Masked};
use crate::api::record::{need_documents, permits};
use crate::api::referral_consent::Foreseen;
use crate::api::referral_form::{Form, Reply};
use crate::names::name_of;

/// A referral in a box.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    member: String,
    id: String,
    side: String,
    other: Named,
    patient_name: String,
    sex: &'static str,
    birth_date: Option<String>,
    urgency: String,
    state: String,
    delivered: bool,
    changed: String,
    to_department: String,
    assigned: Option<Named>,
    physician: String,
}

/// A referral with all that was said.
#[derive(Serialize)]
pub(super) struct Whole {
    #[serde(flatten)]
    row: Row,
    subject: Option<String>,
    patient: Stated,
    form: Form,
    documents: Vec<documents::Row>,
    consent: &'static str,
    steps: Vec<Step>,
    actions: Vec<&'static str>,
    candidates: Vec<Candidate>,
}

/// A patient of this hospital under whom a referral may be filed.
#[derive(Serialize)]
pub(super) struct Candidate {
    #[serde(flatten)]
    row: person::Row,
    /// How the identity numbers compare: `same`, `other`, or `unknown` where there are none to compare.
    identity: &'static str,
}

#[derive(Serialize)]
struct Stated {
    identifiers: Vec<Masked>,
    phone: Option<String>,
}

#[derive(Serialize)]
struct Step {
    act: String,
    by: Named,
    at: String,
    reply: Option<Reply>,
    delivered: bool,
}

/// A referral and what the node knows about it besides.
pub(super) struct Known {
    pub(super) referral: boxes::Referral,
    pub(super) steps: Vec<boxes::Step>,
    pub(super) rest: Rest,
}

/// What goes with a form on either side.
pub(super) struct Rest {
    documents: Vec<Listed>,
    /// What is known of the consent to these: `permitted`, `partly`, `none`, `waiting` for holders, `unknown`.
    consent: &'static str,
    pub(super) candidates: Vec<Patient>,
}

/// A document of a form as it stands here.
pub(super) enum Listed {
    Own(Box<ask::Document>),
    Copy(Box<Shown>),
    Elsewhere(Box<ListedDocument>),
}

impl Front {
    pub(super) fn whole_referral(&self, actor: &Actor, known: Known) -> Whole {
        let Known { referral, steps, rest } = known;
        let changed = steps.last().map_or(referral.sent_at, |step| step.at);
        let own = steps.iter().filter(|step| step.own).count();
        let told = own.saturating_sub(referral.untold);
        let mut number = 0;
        let step = |step: &boxes::Step| {
            number += usize::from(step.own);
            self.step(&referral, step, !step.own || number <= told)
        };
        Whole {
            steps: steps.iter().map(step).collect(),
            row: self.referral_row(&referral, changed),
            subject: referral.subject.map(|subject| subject.to_string()),
            patient: stated(&referral.form),
            form: Form::read(&referral.form),
            documents: rest.documents.iter().filter_map(|one| self.listed(one)).collect(),
            consent: rest.consent,
            actions: actions(actor, &referral),
            candidates: rest.candidates.iter().map(|one| self.candidate(one, &referral.form)).collect(),
        }
    }

    pub(super) fn whole_draft(&self, draft: &draft::Draft, rest: &Rest) -> Whole {
        let form = draft.form.expose();
        Whole {
            row: self.draft_row(draft),
            subject: Some(draft.subject.to_string()),
            patient: stated(form),
            form: Form::read(form),
            documents: rest.documents.iter().filter_map(|one| self.listed(one)).collect(),
            consent: rest.consent,
            steps: Vec::new(),
            actions: vec!["send"],
            candidates: Vec::new(),
        }
    }

    pub(super) fn candidate(&self, patient: &Patient, form: &ReferralForm) -> Candidate {
        Candidate { row: self.row(patient, Ground::Office), identity: identity(patient, form) }
    }

    pub(super) fn referral_row(&self, referral: &boxes::Referral, changed: Timestamp) -> Row {
        let is_referring = referral.side == Side::Referring;
        let other = if is_referring { &referral.receiving } else { &referral.referring };
        Row {
            member: referral.referring.to_string(),
            id: referral.id.to_string(),
            side: name_of(&referral.side),
            state: name_of(&referral.state),
            delivered: referral.untold == 0,
            assigned: referral.assigned.as_deref().map(|login| self.colleague(login)),
            ..self.form_row(&referral.form, other, changed)
        }
    }

    pub(super) fn draft_row(&self, draft: &draft::Draft) -> Row {
        Row { id: draft.id.to_string(), ..self.form_row(draft.form.expose(), &draft.to, draft.at) }
    }

    fn form_row(&self, form: &ReferralForm, other: &Code, changed: Timestamp) -> Row {
        let (person, route) = (&form.person, &form.route);
        let birth = person.birth.expose();
        Row {
            member: self.app.member.code.to_string(),
            id: String::new(),
            side: name_of(&Side::Referring),
            other: self.member(other),
            patient_name: person.name.expose().clone(),
            sex: person::sex(person.sex.expose().number()),
            birth_date: person::date(i64::from(birth.year), birth.month, birth.day),
            urgency: name_of(&route.urgency),
            state: "draft".to_owned(),
            delivered: false,
            changed: self.time(changed),
            to_department: route.to_department.as_ref().map(Code::to_string).unwrap_or_default(),
            assigned: None,
            physician: route.physician.expose().clone(),
        }
    }

    fn step(&self, referral: &boxes::Referral, step: &boxes::Step, delivered: bool) -> Step {
        let referring = side_of(step.act) == Side::Referring;
        let by = if referring { &referral.referring } else { &referral.receiving };
        let reply = step.reply.as_ref();
        Step {
            act: name_of(&step.act),
            by: self.member(by),
            at: self.time(step.at),
            reply: reply.and_then(|reply| Reply::read(reply.expose(), |at| self.time(at))),
            delivered,
        }
    }

    fn listed(&self, listed: &Listed) -> Option<documents::Row> {
        match listed {
            Listed::Own(document) => self.own_row(document),
            Listed::Copy(copy) => Some(self.copy_row(copy)),
            Listed::Elsewhere(listed) => Some(self.listed_row(listed, "findable")),
        }
    }
}

/// The documents of a form as they stand here, and whether the receiving side may have them. A referral is named by its
/// referring member and its id.
pub(super) fn rest(
    machine: &Machine,
    view: &View,
    form: &ReferralForm,
    (referring, id): (&Code, &ReferralId),
    subject: Option<Subject>,
    to: &Code,
    now: Timestamp,
) -> Result<Rest, Fault> {
    let own = &machine.config().organisation;
    let own_entries = form.documents.iter().filter(|listed| listed.holder == *own);
    let entries: Vec<_> = own_entries.map(|listed| listed.entry_id).collect();
    need_documents(view, &entries)?;
    let copies = copies(machine, view, (referring, id), (form, subject))?;
    let mut documents = Vec::new();
    for listed in &form.documents {
        let is_this =
            |copy: &&Shown| copy.listed.holder == listed.holder && copy.listed.entry_id == listed.entry_id;
        let found = if listed.holder == *own {
            machine.document(&listed.entry_id, view)?.map(|one| Listed::Own(Box::new(one)))
        } else {
            copies.iter().find(is_this).map(|one| Listed::Copy(Box::new(one.clone())))
        };
        documents.push(found.unwrap_or_else(|| Listed::Elsewhere(Box::new(listed.clone()))));
    }
    let consent = match subject {
        Some(subject) if to != own => {
            let department = form.route.to_department.clone();
            let handover = Handover { subject, to: to.clone(), department, referral: Some(*id), entries };
            Foreseen::of(&handover, machine, view, now)?.name()
        }
        Some(subject) => received(&documents, permits(machine, view, &subject, to, now)?),
        None => received(&documents, false),
    };
    Ok(Rest { documents, consent, candidates: Vec::new() })
}

/// What the receiving side knows of the consent: what holders let go and refuse; before they answer, the permits in force.
fn received(documents: &[Listed], is_permitted: bool) -> &'static str {
    let (mut given, mut refused, mut asked) = (false, false, false);
    for listed in documents {
        let Listed::Copy(copy) = listed else { continue };
        match copy.stage {
            Stage::Released | Stage::Held | Stage::Opened => given = true,
            Stage::Refused | Stage::Erased | Stage::Retained => refused = true,
            Stage::Wanted => asked = true,
        }
    }
    match (given, refused, asked) {
        (true, true, _) => "partly",
        (false, true, false) => "none",
        (false, _, true) => "waiting",
        (false, false, false) if !is_permitted => "unknown",
        (true, false, _) | (false, false, false) => "permitted",
    }
}

/// The copies that a referral brought, and those of its documents that its patient had before.
fn copies(
    machine: &Machine,
    view: &View,
    (referring, id): (&Code, &ReferralId),
    (form, subject): (&ReferralForm, Option<Subject>),
) -> Result<Vec<Shown>, Fault> {
    let brought = machine.copies_of_referral(referring, id, 0, view)?;
    let mut copies: Vec<Shown> = brought.into_iter().map(|(_, copy)| copy).collect();
    if subject.is_some() {
        let named = form.documents.iter().map(|listed| (&listed.holder, &listed.entry_id));
        let here = machine.copies_named(named, view)?;
        copies.extend(here.into_iter().filter(|copy| copy.subject == subject));
    }
    Ok(copies)
}

/// Patients here with an identifier of the form.
pub(super) fn identified(machine: &Machine, view: &View, form: &ReferralForm) -> Result<Vec<Patient>, Fault> {
    let mut subjects = Vec::new();
    for id in &form.person.identifiers {
        subjects.extend(machine.patients_by_identifier(id, view)?);
    }
    subjects.sort_unstable();
    subjects.dedup();
    candidates(machine, view, &subjects)
}

/// What is known of patients here.
pub(super) fn candidates(
    machine: &Machine,
    view: &View,
    subjects: &[Subject],
) -> Result<Vec<Patient>, Fault> {
    need(subjects, view)?;
    let mut found = Vec::new();
    for subject in subjects {
        found.extend(machine.patient(subject, view)?);
    }
    Ok(found)
}

/// How the identity numbers of a patient compare with those of a form.
fn identity(patient: &Patient, form: &ReferralForm) -> &'static str {
    let own: Vec<Identifier> =
        patient.data.expose().identifiers.iter().filter_map(PersonIdentifier::normal).collect();
    let stated = &form.person.identifiers;
    if stated.iter().any(|id| own.contains(id)) {
        "same"
    } else if stated.iter().any(|id| own.iter().any(|own| own.kind() == id.kind())) {
        "other"
    } else {
        "unknown"
    }
}

fn stated(form: &ReferralForm) -> Stated {
    let masked = form
        .person
        .identifiers
        .iter()
        .map(|id| Masked { kind: person::person_kind(id.kind()), masked: person::mask(id.value().expose()) });
    let phone = form.person.phone.expose();
    Stated {
        identifiers: masked.collect(),
        phone: Some(person::mask(phone)).filter(|phone| !phone.is_empty()),
    }
}

/// Steps that people take, in the order in which pages show them.
const STEPS: [(ReferralAct, &str); 8] = [
    (ReferralAct::Accept, "accept"),
    (ReferralAct::Book, "book"),
    (ReferralAct::Arrive, "arrive"),
    (ReferralAct::Admit, "admit"),
    (ReferralAct::Answer, "answer"),
    (ReferralAct::Close, "close"),
    (ReferralAct::Decline, "decline"),
    (ReferralAct::Cancel, "cancel"),
];

/// What can be done now by somebody who may look at the referral; the machine decides again when it is done.
fn actions(actor: &Actor, referral: &boxes::Referral) -> Vec<&'static str> {
    if actor.role() == PersonRole::Nurse {
        return Vec::new();
    }
    let possible = |act: ReferralAct| side_of(act) == referral.side && follows(referral.state, act).is_some();
    let mut names: Vec<_> = STEPS.iter().filter(|(act, _)| possible(*act)).map(|(_, name)| *name).collect();
    let over = matches!(
        referral.state,
        Standing::Declined | Standing::Redirected | Standing::Cancelled | Standing::Expired
    );
    if referral.side == Side::Receiving && !referral.state.is_final() {
        names.push("assign");
    }
    if referral.side == Side::Receiving && referral.subject.is_none() && !over {
        names.push("file");
    }
    names
}

#[cfg(test)]
mod tests {
    use yiqiao_node_core::actor::Staff;
    use yiqiao_proto::codes::{DocumentClass, DocumentFormat, DocumentType, Sensitivity, Sex, Urgency, Way};
    use yiqiao_proto::form::{BirthDate, Clinical, FormPerson, Route};
    use yiqiao_proto::id::{DocumentId, EntryId};
    use yiqiao_proto::phi::Phi;

    use super::*;

    fn referral(side: Side, state: Standing, filed: bool) -> boxes::Referral {
        let text = || Phi::new(String::new());
        let clinical = Clinical {
            reason: String::new(),
            impressions: Vec::new(),
            present_history: String::new(),
            past_history: String::new(),
            treatment: String::new(),
            plan: String::new(),
        };
        let form = ReferralForm {
            person: FormPerson {
                identifiers: Vec::new(),
                name: text(),
                sex: Phi::new(Sex::Unknown),
                birth: Phi::new(BirthDate { year: 0, month: 0, day: 0 }),
                phone: text(),
            },
            tokens: Vec::new(),
            route: Route {
                from_department: None,
                physician: text(),
                physician_phone: text(),
                to_department: None,
                urgency: Urgency::Routine,
                way: Way::Up,
            },
            clinical: Phi::new(clinical),
            documents: Vec::new(),
            directives: Vec::new(),
            answer_until: None,
        };
        boxes::Referral {
            referring: Code::new("qzrm").unwrap(),
            id: ReferralId::new([1; 32]).unwrap(),
            receiving: Code::new("qzdx").unwrap(),
            side,
            state,
            sent_at: Timestamp::default(),
            subject: filed.then(|| Subject::new([2; 32]).unwrap()),
            form,
            assigned: None,
            untold: 0,
            stuck: None,
            seen: true,
        }
    }

    fn physician() -> Actor {
        Actor::Staff(Staff {
            login: "d1".to_owned(),
            name: Phi::new(String::new()),
            role: PersonRole::Physician,
            departments: std::collections::BTreeSet::new(),
            department: None,
        })
    }

    fn copy(stage: Stage) -> Listed {
        let title = Phi::new(String::new());
        let listed = ListedDocument {
            holder: Code::new("qzrm").unwrap(),
            entry_id: EntryId::new([1; 32]).unwrap(),
            document: DocumentId::new([1; 32]).unwrap(),
            size: 1,
            class: DocumentClass::Laboratory,
            document_type: DocumentType::try_from(11).unwrap(),
            format: DocumentFormat::Cda,
            sensitivity: Sensitivity::Normal,
            service_start: None,
            service_end: None,
            created_at: Timestamp::default(),
            title,
        };
        let (subject, refusal, clause, at) = (None, None, String::new(), Timestamp::default());
        Listed::Copy(Box::new(Shown { listed, subject, stage, refusal, clause, withdrawn: false, at }))
    }

    #[test]
    fn what_is_said_of_consent_follows_from_what_is_known() {
        let of = |stages: &[Stage], permitted| {
            received(&stages.iter().map(|stage| copy(*stage)).collect::<Vec<_>>(), permitted)
        };
        assert_eq!(of(&[Stage::Held, Stage::Opened], false), "permitted");
        assert_eq!(of(&[Stage::Held, Stage::Refused], true), "partly");
        assert_eq!(of(&[Stage::Refused], true), "none", "the holder knows better");
        assert_eq!(of(&[Stage::Wanted, Stage::Refused], false), "waiting");
        assert_eq!((of(&[], false), of(&[], true)), ("unknown", "permitted"));
    }

    #[test]
    fn r3_each_side_is_offered_its_own_steps() {
        let of = |side, state, filed| actions(&physician(), &referral(side, state, filed));
        assert_eq!(of(Side::Receiving, Standing::Received, false), ["accept", "decline", "assign", "file"]);
        assert_eq!(of(Side::Receiving, Standing::Accepted, true), ["book", "arrive", "answer", "assign"]);
        assert_eq!(of(Side::Referring, Standing::Answered, true), ["close"]);
        assert!(of(Side::Receiving, Standing::Cancelled, false).is_empty());
    }
}
