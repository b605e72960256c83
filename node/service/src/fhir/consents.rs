//! Consents (IHE PCF): what patients have said, as far as this hospital acts on it; recorded, and taken back.
//!
//! One Consent is what a patient said once, which the region keeps once for each token of the patient (C-10), and once for each of several recipients and keepers (C-17). Its id names the
//! patient by the number within this node, and the directive with the smallest id by the beginning of that. What is in force is read from the heads that the registry told this
//! node, so it is at hand without the registry, and so is what has ended since.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{IF_MATCH, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures::future::join_all;
use yiqiao_fhir::consent::{self, Consent, NewConsent, Part, Source, Standing};
use yiqiao_fhir::limits::RESOURCE_BYTES_MAX;
use yiqiao_fhir::outcome::{self, Problem};
use yiqiao_fhir::search::ConsentFilter;
use yiqiao_node_core::ask::{self, Patient, WordState};
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::desk::{Exception, NewForbid, NewPermit, NewRevocation, Statement, Wish};
use yiqiao_node_core::ended::End;
use yiqiao_node_core::limits::EVIDENCE_BYTES_MAX;
use yiqiao_node_core::machine::{Input, Machine, Outcome};
use yiqiao_node_core::state::{Fault, View};
use yiqiao_proto::codes::{LegalBasis, MemberRole, RevocationReason, Stance};
use yiqiao_proto::directive::{Directive, exception_id, part_id};
use yiqiao_proto::id::{Code, DirectiveId, EntryId, Subject};
use yiqiao_proto::limits::{EXCEPTIONS_MAX, PARTS_MAX};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use super::answer::{self, Refusal};
use super::caller::{Call, Right};
use super::page::{Found, Page, Searched, cut};
use super::{patients, transaction};
use crate::limits::STATEMENT_WAIT;

/// What a patient said once, to one or to several.
struct Whole {
    /// The Consent's id.
    id: String,
    /// Those that have not ended, or if all have, all of them; never empty.
    parts: Vec<Once>,
    /// How many have ended.
    ended: u32,
}

/// What a patient said once to one: the same directive for each token.
struct Once {
    /// Ascending by id; never empty.
    directives: Vec<Spoken>,
    /// What a permit that is in force leaves out (C-16).
    exceptions: Vec<Self>,
}

/// One directive of it.
struct Spoken {
    directive: Directive,
    accepted_at: Timestamp,
    /// On what it rests, if it was recorded here.
    source: Source,
    /// How it ended, if it has.
    end: Option<End>,
}

/// `GET /fhir/Consent/{id}`
pub(super) async fn read(call: Call, Path(id): Path<String>) -> Result<Response, Refusal> {
    call.allow("Consent", Right::Read)?;
    let (patient, consent, _) = one(&call, &id).await?;
    call.audited(&[patient.subject], Act::LookUp).await?;
    Ok(answer::read(&call.headers, &consent.write(&patient, &call.site)))
}

impl Searched for ConsentFilter {
    async fn find(call: &Call, page: &Page<Self>) -> Result<Found, Refusal> {
        let filter = &page.search.filter;
        let patients = match &filter.patient {
            Some(who) => patients::of(call, who).await?,
            None => of_ids(call, filter).await?,
        };
        let now = call.door.app.clock().now();
        let mut found = Vec::new();
        for patient in &patients {
            let said = said_by(call, patient.subject).await?;
            let consents = said.iter().filter_map(|whole| whole.consent(now));
            let consents = consents.filter(|consent| filter.admits(consent));
            found.extend(consents.map(|consent| (consent.id.clone(), (consent, patient))));
        }
        let subjects: Vec<Subject> = patients.iter().map(|patient| patient.subject).collect();
        call.audited(&subjects, Act::LookUp).await?;
        let (shown, next) = cut(found, page.cursor.as_deref(), page.search.count, false);
        let write = |(consent, patient): &(Consent, &Patient)| consent.write(patient, &call.site);
        Ok(Found::of(shown.iter().map(write).collect(), next))
    }
}

/// `POST /fhir/Consent`: a system of a desk records what a patient said. The resource as sent is the evidence (C-8).
pub(super) async fn create(call: Call, body: Result<Bytes, BytesRejection>) -> Result<Response, Refusal> {
    call.allow("Consent", Right::Create)?;
    let bytes = transaction::json(&call, body, RESOURCE_BYTES_MAX)?;
    let new = consent::read_new(&bytes, &call.site, &everybody(&call))?;
    known(&call, &new)?;
    let patient = only(patients::of(&call, &new.patient).await?)?;
    is_said_by(&call, &new, &patient).await?;
    let now = call.door.app.clock().now();
    is_on_paper(&call, new.source.document, &patient).await?;
    let evidence = |long: &[u8]| new.source.evidence(long);
    let statement = statement(&call, &patient, &bytes, evidence);
    let wishes = new.parts.iter().map(|part| wish(&new, part, now)).collect();
    let said = say(&call, Input::Several(Box::new((statement, wishes)))).await?;
    // What permits leave out comes before them (C-16), and the first part before the others (C-17).
    let first = said.directives.len().checked_sub(new.parts.len());
    let directive = *first.and_then(|first| said.directives.get(first)).ok_or(Problem::Internal)?;
    let id = id_of(number(&call, patient.subject).await?, &directive);
    let location = call.site.url("Consent", &id);
    if said.waits {
        return Ok(queued(&location));
    }
    let (parts, source) = (new.parts.clone(), new.source.clone());
    let token = token(&call, patient.subject).await?;
    let directive = directive_of(new, directive, token, now).ok_or(Problem::Internal)?;
    let (version, standing, recorded_at) = (1, Standing::InForce, Some(now));
    let consent = Consent { id, directive, parts, version, standing, recorded_at, source };
    let resource = consent.write(&patient, &call.site);
    Ok(answer::written(StatusCode::CREATED, call.prefer(), &resource, &location))
}

/// `PUT /fhir/Consent/{id}` with another status: takes it back, under every token.
pub(super) async fn update(
    call: Call,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    call.allow("Consent", Right::Update)?;
    let bytes = transaction::json(&call, body, RESOURCE_BYTES_MAX)?;
    let reason = consent::read_revocation(&bytes, &id)?;
    let (patient, consent, directives) = one(&call, &id).await?;
    let expected = call.header(&IF_MATCH);
    if !expected.is_empty() && consent.write(&patient, &call.site).etag().as_deref() != Some(expected) {
        return Err(Problem::Version.into());
    }
    if directives.is_empty() {
        // Who takes back what is taken back has what was wanted.
        if consent.standing.code() != Standing::Revoked(reason).code() {
            return Err(Problem::Conflict { what: "the consent has ended with another status" }.into());
        }
        let resource = consent.write(&patient, &call.site);
        return Ok(answer::written(StatusCode::OK, call.prefer(), &resource, &call.site.url("Consent", &id)));
    }
    // What a permit left out stands for itself from now on (C-16).
    let ended = u32::try_from(consent.parts.len()).unwrap_or(u32::MAX);
    let evidence = |long: &[u8]| Source::default().evidence(long);
    let statement = statement(&call, &patient, &bytes, evidence);
    let said = say(&call, revocation(statement, directives, reason)).await?;
    let location = call.site.url("Consent", &id);
    if said.waits {
        return Ok(queued(&location));
    }
    let parts = consent.parts.iter().cloned();
    let parts = parts.map(|part| Part { exceptions: Vec::new(), ..part }).collect();
    let version = consent.version.saturating_add(ended);
    let consent = Consent { standing: Standing::Revoked(reason), parts, version, ..consent };
    let resource = consent.write(&patient, &call.site);
    Ok(answer::written(StatusCode::OK, call.prefer(), &resource, &location))
}

/// Takes directives back.
fn revocation(statement: Statement, directives: Vec<Directive>, reason: RevocationReason) -> Input {
    let lifts = directives.iter().any(|directive| directive.stance == Stance::Forbid);
    let directives = directives.into_iter().map(|directive| (directive.id, directive.patient)).collect();
    Input::Revoke(Box::new((statement, NewRevocation { directives, reason, lifts })))
}

impl Whole {
    fn consent(&self, now: Timestamp) -> Option<Consent> {
        let Spoken { directive: first, accepted_at, source, .. } = self.parts.first()?.directives.first()?;
        let spoken = || self.parts.iter().flat_map(|part| &part.directives);
        let ends = || spoken().filter_map(|spoken| spoken.end.as_ref());
        // Under one token the revocation may have been told, and under another only that it has ended.
        let end = ends().find(|end| matches!(end, End::Revocation(Some(_)))).or_else(|| ends().next());
        let over = first.valid_until.is_some_and(|until| until <= now);
        let standing = match end {
            Some(end) if self.in_force().next().is_none() => standing_of(end),
            _ if over => Standing::Over,
            Some(_) | None => Standing::InForce,
        };
        let (id, directive, recorded_at) = (self.id.clone(), first.clone(), Some(*accepted_at));
        let parts = self.parts.iter().filter_map(Once::as_part).collect();
        let version = self.ended.saturating_add(1);
        let source = source.clone();
        Some(Consent { id, directive, parts, version, standing, recorded_at, source })
    }

    /// What of it has not ended.
    fn in_force(&self) -> impl Iterator<Item = &Directive> {
        self.parts.iter().flat_map(Once::in_force)
    }
}

impl Once {
    fn as_part(&self) -> Option<Part> {
        let Directive { grantee, custodian, .. } = self.directives.first()?.directive.clone();
        let exceptions = self.exceptions.iter().filter_map(Self::as_exception).collect();
        Some(Part { grantee, custodian, exceptions })
    }

    fn as_exception(&self) -> Option<Exception> {
        let said = self.directives.first()?.directive.clone();
        Some(Exception {
            grantee: said.grantee,
            custodian: said.custodian,
            what: said.what,
            purposes: said.purposes,
            valid_from: Some(said.valid_from),
            valid_until: said.valid_until,
        })
    }

    /// The ids of the further parts, if it is the first one, with their numbers.
    fn part_ids(&self) -> BTreeMap<DirectiveId, u32> {
        let numbers = 1..u32::try_from(PARTS_MAX).unwrap_or(u32::MAX);
        let firsts = self.directives.iter().map(|spoken| spoken.directive.id);
        let ids =
            firsts.flat_map(|first| numbers.clone().map(move |number| (part_id(&first, number), number)));
        ids.collect()
    }

    /// The ids of what it leaves out, with their numbers, if it is a permit in force.
    fn exception_ids(&self) -> BTreeMap<DirectiveId, u32> {
        let permits = self.in_force().filter(|directive| directive.stance == Stance::Permit);
        let numbers = 0..u32::try_from(EXCEPTIONS_MAX).unwrap_or(u32::MAX);
        let ids = permits
            .flat_map(|permit| numbers.clone().map(|number| (exception_id(&permit.id, number), number)));
        ids.collect()
    }

    /// Under which tokens it has not ended.
    fn in_force(&self) -> impl Iterator<Item = &Directive> {
        self.directives.iter().filter(|spoken| spoken.end.is_none()).map(|spoken| &spoken.directive)
    }
}

/// Why it was taken back is told with the revocation only: without, it is a wish like most.
const fn standing_of(end: &End) -> Standing {
    match end {
        End::Period => Standing::Over,
        End::Later => Standing::Replaced,
        End::Revocation(Some((_, reason))) => Standing::Revoked(*reason),
        End::Revocation(None) => Standing::Revoked(RevocationReason::PatientWish),
    }
}

/// The Consent of an id, its patient, and its directives that have not ended.
async fn one(call: &Call, id: &str) -> Result<(Patient, Consent, Vec<Directive>), Refusal> {
    let unknown = || Problem::NotFound { kind: "Consent" };
    let subject = subject_of(call, id).await?.ok_or_else(unknown)?;
    let patient = patients::one(call, Some(subject)).await?;
    let said = said_by(call, patient.subject).await?;
    let whole = said.into_iter().find(|whole| whole.id == id).ok_or_else(unknown)?;
    let consent = whole.consent(call.door.app.clock().now()).ok_or_else(unknown)?;
    let in_force = whole.in_force().cloned().collect();
    Ok((patient, consent, in_force))
}

async fn of_ids(call: &Call, filter: &ConsentFilter) -> Result<Vec<Patient>, Refusal> {
    let mut subjects = BTreeSet::new();
    for id in filter.ids() {
        subjects.extend(subject_of(call, id).await?);
    }
    let mut patients = Vec::new();
    for subject in subjects {
        patients.extend(patients::known(call, subject).await?);
    }
    Ok(patients)
}

/// What a patient has said, as this node knows it.
async fn said_by(call: &Call, subject: Subject) -> Result<Vec<Whole>, Refusal> {
    let question = move |machine: &Machine, view: &View| {
        let heads = machine.heads(&subject, view)?.into_iter().filter_map(|(_, known)| known);
        let in_force = heads.flat_map(|known| known.record.in_force().to_vec());
        let in_force = in_force.map(|act| (act.directive, act.accepted_at, None));
        let ended = machine.ended(&subject, view)?.into_iter();
        let ended = ended.map(|ended| (ended.act.word.said, ended.act.accepted_at, Some(ended.by)));
        let spoken = in_force.chain(ended).map(|(directive, accepted_at, end)| {
            let evidence = machine.evidence_of(&directive.id, view)?.unwrap_or_default();
            let source = Source::of_evidence(&evidence);
            Ok(Spoken { directive, accepted_at, source, end })
        });
        Ok((ask::ordinal(&subject, view)?, spoken.collect::<Result<Vec<_>, Fault>>()?))
    };
    let (number, mut directives) = call.door.app.inbox.ask(question).await?;
    directives.sort_by_key(|spoken| spoken.directive.id);
    let mut said: Vec<Once> = Vec::new();
    for spoken in directives {
        let same = |once: &&mut Once| {
            once.directives.iter().any(|other| is_same(&other.directive, &spoken.directive))
        };
        match said.iter_mut().find(same) {
            Some(once) => once.directives.push(spoken),
            None => said.push(Once { directives: vec![spoken], exceptions: Vec::new() }),
        }
    }
    Ok(joined(nested(said), number))
}

/// What was said to several at once is one (C-17), in the order of its parts. What of it is left once some have ended need not be each
/// recipient with each keeper any more: then what each member keeps is one.
fn joined(said: Vec<Once>, number: u64) -> Vec<Whole> {
    let ids: Vec<BTreeMap<DirectiveId, u32>> = said.iter().map(Once::part_ids).collect();
    let places = said.iter().enumerate().map(|(at, once)| {
        let is_of = |ids: &BTreeMap<DirectiveId, u32>| {
            once.directives.iter().find_map(|spoken| ids.get(&spoken.directive.id).copied())
        };
        let found = ids.iter().enumerate().find_map(|(first, ids)| Some((first, is_of(ids)?)));
        found.unwrap_or((at, 0))
    });
    let places: Vec<(usize, u32)> = places.collect();
    let mut groups: BTreeMap<usize, BTreeMap<u32, Once>> = BTreeMap::new();
    for ((first, part), once) in places.into_iter().zip(said) {
        groups.entry(first).or_default().insert(part, once);
    }
    groups.into_values().flat_map(|parts| wholes(parts.into_values().collect(), number)).collect()
}

/// What there is of the parts of one, in their order.
fn wholes(parts: Vec<Once>, number: u64) -> Vec<Whole> {
    let first = parts.first().and_then(|part| part.directives.first()).map(|spoken| spoken.directive.id);
    let (left, over): (Vec<Once>, Vec<Once>) =
        parts.into_iter().partition(|part| part.in_force().next().is_some());
    let ended = u32::try_from(over.len()).unwrap_or(u32::MAX);
    let shown = if left.is_empty() { over } else { left };
    let is_each_with_each = product(&shown) == shown.len();
    let mut wholes: Vec<Whole> = Vec::new();
    for part in shown {
        let keeper = |part: &Once| part.directives.first().map(|spoken| spoken.directive.custodian.clone());
        let is_its =
            |whole: &&mut Whole| is_each_with_each || whole.parts.first().map(keeper) == Some(keeper(&part));
        match wholes.iter_mut().find(is_its) {
            Some(whole) => whole.parts.push(part),
            None => {
                let own = part.directives.first().map(|spoken| spoken.directive.id);
                let named = if wholes.is_empty() { first } else { own };
                let id = named.map(|id| id_of(number, &id)).unwrap_or_default();
                wholes.push(Whole { id, parts: vec![part], ended });
            }
        }
    }
    wholes
}

/// How many recipients there are, times how many keepers.
fn product(parts: &[Once]) -> usize {
    let said = || parts.iter().filter_map(|part| part.directives.first()).map(|spoken| &spoken.directive);
    let (mut grantees, mut keepers) = (Vec::new(), BTreeSet::new());
    for directive in said() {
        if !grantees.contains(&&directive.grantee) {
            grantees.push(&directive.grantee);
        }
        keepers.insert(&directive.custodian);
    }
    grantees.len().saturating_mul(keepers.len())
}

/// What a permit in force leaves out is part of it, in the order of its numbers; otherwise it stands for itself.
fn nested(said: Vec<Once>) -> Vec<Once> {
    let ids: Vec<BTreeMap<DirectiveId, u32>> = said.iter().map(Once::exception_ids).collect();
    let whose = |once: &Once| {
        let id = once.in_force().map(|directive| directive.id).next()?;
        ids.iter().enumerate().find_map(|(permit, ids)| Some((permit, *ids.get(&id)?)))
    };
    let (mut exceptions, mut left) = (BTreeMap::new(), BTreeMap::new());
    for (at, once) in said.into_iter().enumerate() {
        match whose(&once) {
            Some(place) => drop(exceptions.insert(place, once)),
            None => drop(left.insert(at, once)),
        }
    }
    for ((permit, _), exception) in exceptions {
        if let Some(permit) = left.get_mut(&permit) {
            permit.exceptions.push(exception);
        }
    }
    left.into_values().collect()
}

/// Whether two directives are one but for the token.
fn is_same(one: &Directive, other: &Directive) -> bool {
    let Directive { id, patient, head_version, .. } = one.clone();
    *one == Directive { id, patient, head_version, ..other.clone() } && one.patient != other.patient
}

/// 20 bytes of a directive's id are more than enough to tell those of one patient apart, and leave room in a FHIR id.
fn id_of(number: u64, directive: &DirectiveId) -> String {
    let digits = directive.to_string();
    format!("{number}.{}", digits.get(..40).unwrap_or(&digits))
}

async fn subject_of(call: &Call, id: &str) -> Result<Option<Subject>, Refusal> {
    let number = id.split_once('.').and_then(|(number, _)| number.parse::<u64>().ok());
    let Some(number) = number else { return Ok(None) };
    Ok(call.door.app.inbox.ask(move |_, view| ask::at_ordinal(number, view)).await?)
}

async fn number(call: &Call, subject: Subject) -> Result<u64, Refusal> {
    Ok(call.door.app.inbox.ask(move |_, view| ask::ordinal(&subject, view)).await?)
}

/// The current members that keep documents.
fn everybody(call: &Call) -> Vec<Code> {
    let directory = call.door.app.registry.directory();
    let members = directory.list().members.iter().filter(|member| !member.suspended);
    let keepers = members.filter(|member| member.roles.contains(&MemberRole::Custodian));
    keepers.map(|member| member.code.clone()).collect()
}

/// Who is another patient consents as a guardian, or not at all (C-7).
async fn is_said_by(call: &Call, new: &NewConsent, patient: &Patient) -> Result<(), Refusal> {
    let Some(performer) = &new.performer else { return Ok(()) };
    let said_by = patients::of(call, performer).await?;
    if said_by.iter().map(|one| one.subject).eq([patient.subject]) {
        return Ok(());
    }
    let expected = "the patient, or who speaks for the patient, of type RelatedPerson";
    Err(Problem::Invalid { path: "Consent.performer".to_owned(), expected }.into())
}

/// The paper that was signed is one that this hospital has filed for the patient.
async fn is_on_paper(call: &Call, document: Option<EntryId>, patient: &Patient) -> Result<(), Refusal> {
    let Some(document) = document else { return Ok(()) };
    let filed = call.door.app.inbox.ask(move |machine, view| machine.document(&document, view)).await?;
    let filed = filed.filter(|document| !document.withdrawn).map(|document| document.subject);
    let is_own = |subject| subject == patient.subject || patient.retired.contains(&subject);
    if filed.is_some_and(is_own) {
        return Ok(());
    }
    let expected = "a document of this patient that this hospital has filed";
    Err(Problem::Invalid { path: "Consent.sourceReference.reference".to_owned(), expected }.into())
}

/// Whom it names must be there: one that is written wrong would be permitted, or forbidden, to nobody.
fn known(call: &Call, new: &NewConsent) -> Result<(), Problem> {
    let directory = call.door.app.registry.directory();
    let parts = new.parts.iter().flat_map(|part| part.grantee.organisation.iter().chain(&part.custodian));
    let left_out = new.parts.iter().flat_map(|part| &part.exceptions);
    let mut named = parts.chain(
        left_out.flat_map(|exception| exception.grantee.organisation.iter().chain(&exception.custodian)),
    );
    if named.all(|code| directory.member(code).is_some_and(|member| !member.suspended)) {
        return Ok(());
    }
    let (path, expected) = ("Consent.provision.actor".to_owned(), "current members of the region");
    Err(Problem::Invalid { path, expected })
}

fn only(patients: Vec<Patient>) -> Result<Patient, Refusal> {
    let mut patients = patients.into_iter();
    match (patients.next(), patients.next()) {
        (Some(patient), None) => Ok(patient),
        (None, _) => Err(Problem::NotFound { kind: "Patient" }.into()),
        (Some(_), Some(_)) => Err(Problem::Conflict { what: "the identifier is of two patients" }.into()),
    }
}

/// What the hospital keeps to show what was said: the resource, or if it is long its hash with what no directive says.
fn statement(
    call: &Call,
    patient: &Patient,
    bytes: &[u8],
    of_long: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Statement {
    let evidence = if bytes.len() > EVIDENCE_BYTES_MAX { of_long(bytes) } else { bytes.to_vec() };
    Statement { actor: call.actor(), subject: patient.subject, evidence, heads: Vec::new() }
}

/// What is said to one.
fn wish(new: &NewConsent, part: &Part, now: Timestamp) -> Wish {
    let (new, part) = (new.clone(), part.clone());
    let valid_from = new.valid_from.unwrap_or(now);
    match new.stance {
        Stance::Permit => Wish::Permit(NewPermit {
            grantee: part.grantee,
            custodian: part.custodian,
            what: new.what,
            purposes: new.purposes,
            valid_from,
            valid_until: new.valid_until,
            notice: new.notice,
            existence_visible: new.existence_visible,
            by_guardian: new.basis == LegalBasis::GuardianConsent,
            exceptions: part.exceptions,
        }),
        Stance::Forbid => Wish::Forbid(NewForbid {
            grantee: part.grantee,
            custodian: part.custodian,
            what: new.what,
            purposes: new.purposes,
            valid_from,
            valid_until: new.valid_until,
            notice: new.notice,
            by_guardian: new.basis == LegalBasis::GuardianObjection,
        }),
    }
}

/// What was recorded, as it is shown at once; of several, the first part.
fn directive_of(new: NewConsent, id: DirectiveId, patient: Token, now: Timestamp) -> Option<Directive> {
    let Part { grantee, custodian, .. } = new.parts.into_iter().next()?;
    Some(Directive {
        id,
        patient,
        stance: new.stance,
        grantee,
        custodian,
        what: new.what,
        purposes: new.purposes,
        valid_from: new.valid_from.unwrap_or(now),
        valid_until: new.valid_until,
        notice: new.notice,
        existence_visible: new.existence_visible,
        basis: new.basis,
        head_version: 0,
    })
}

/// Words of this node, and whether the registry has them.
struct Said {
    /// The directives among them, each id once: it is the same under each token.
    directives: Vec<DirectiveId>,
    /// Some are still being handed in.
    waits: bool,
}

/// Hands an act in, and waits until the registry has its words; a refusal for good is one of the request.
async fn say(call: &Call, act: Input) -> Result<Said, Refusal> {
    let inbox = &call.door.app.inbox;
    let Some(Outcome::Said(numbers)) = inbox.hand_in_time(act, STATEMENT_WAIT).await? else {
        return Err(Problem::Transient.into());
    };
    let settled = join_all(numbers.iter().map(|number| inbox.settled(*number, STATEMENT_WAIT))).await;
    let mut said = Said { directives: Vec::new(), waits: false };
    for (number, settled) in numbers.into_iter().zip(settled) {
        let directive = inbox.ask(move |_, view| ask::directive(number, view)).await?;
        said.directives.extend(directive.filter(|id| said.directives.last() != Some(id)));
        match settled? {
            Some(WordState::Stands(_)) => {}
            Some(WordState::Refused { clause, .. }) => return Err(Problem::RegistryRefused { clause }.into()),
            Some(WordState::Waiting) | None => said.waits = true,
        }
    }
    Ok(said)
}

/// One of the patient's tokens: all are known once something was said of the patient.
async fn token(call: &Call, subject: Subject) -> Result<Token, Refusal> {
    let tokens = call.door.app.inbox.tokens(subject, STATEMENT_WAIT).await?.ok_or(Problem::Transient)?;
    Ok(*tokens.first().ok_or(Problem::Internal)?)
}

/// It is kept, and the registry does not have it yet.
fn queued(location: &str) -> Response {
    let mut response = answer::resource(StatusCode::ACCEPTED, &outcome::queued());
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use yiqiao_proto::directive::{Grantee, Notice, What};
    use yiqiao_proto::id::Digest;

    use super::*;

    const TO: [&str; 2] = ["qzrm", "qzdx"];
    const OF: [&str; 2] = ["qzzy", "qzfy"];

    /// What was said to each recipient of what each keeper has, and of which parts it has been taken back.
    fn parts(taken_back: &[u32]) -> Vec<Once> {
        let code = |text: &str| Some(Code::new(text).unwrap());
        let first = DirectiveId::new([7; 32]).unwrap();
        let pairs = TO.iter().flat_map(|to| OF.iter().map(move |of| (to, of)));
        let once = |(number, (to, of)): (u32, (&&str, &&str))| {
            let directive = Directive {
                id: if number == 0 { first } else { part_id(&first, number) },
                patient: Token { epoch: 1, value: Digest::new([1; 32]).unwrap() },
                stance: Stance::Permit,
                grantee: Grantee { organisation: code(to), ..Grantee::default() },
                custodian: code(of),
                what: What::default(),
                purposes: BTreeSet::new(),
                valid_from: Timestamp::MIN,
                valid_until: None,
                notice: Notice { version: "1".to_owned(), hash: Digest::new([5; 32]).unwrap() },
                existence_visible: false,
                basis: LegalBasis::SeparateConsent,
                head_version: 0,
            };
            let end = taken_back.contains(&number).then_some(End::Revocation(None));
            let source = Source::default();
            let spoken = Spoken { directive, accepted_at: Timestamp::MIN, source, end };
            Once { directives: vec![spoken], exceptions: Vec::new() }
        };
        (0..).zip(pairs).map(once).collect()
    }

    /// Of each Consent its id, status, version, and how many parts it has.
    fn shown(parts: Vec<Once>) -> Vec<(String, &'static str, u32, usize)> {
        let shown = |whole: &Whole| {
            let consent = whole.consent(Timestamp::MIN).unwrap();
            (consent.id, consent.standing.code(), consent.version, consent.parts.len())
        };
        joined(parts, 9).iter().map(shown).collect()
    }

    #[test]
    fn c17_what_is_left_of_a_consent_to_several_stays_one_while_it_is_each_with_each() {
        let own = |number: u32| {
            let first = DirectiveId::new([7; 32]).unwrap();
            id_of(9, &if number == 0 { first } else { part_id(&first, number) })
        };
        assert_eq!(shown(parts(&[])), [(own(0), "active", 1, 4)]);
        let mut unsorted = parts(&[]);
        unsorted.reverse();
        assert_eq!(joined(unsorted, 9)[0].parts.len(), 4, "whatever order they are told in");
        // One recipient has been taken back, with the first part: the id stays.
        assert_eq!(shown(parts(&[0, 1])), [(own(0), "active", 3, 2)]);
        // One recipient of one keeper: what is left is not each with each.
        assert_eq!(shown(parts(&[3])), [(own(0), "active", 2, 2), (own(1), "active", 2, 1)]);
        assert_eq!(shown(parts(&[0, 1, 2, 3])), [(own(0), "inactive", 5, 4)]);
        // A node that was never told the first one knows the others by themselves.
        let others = parts(&[]).split_off(2);
        assert_eq!(shown(others), [(own(2), "active", 1, 1), (own(3), "active", 1, 1)]);
    }
}
