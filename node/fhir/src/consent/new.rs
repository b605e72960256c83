//! A new Consent, read into what a directive can say and enforce. What it could not enforce is refused by its element: a
//! restriction is never passed over.

use std::collections::BTreeSet;

use yiqiao_proto::codes::{DocumentClass, LegalBasis, Purpose, RevocationReason, Sensitivity, Stance};
use yiqiao_proto::directive::{Grantee, Notice, What};
use yiqiao_proto::id::{Code, Digest, EntryId, ReferralId, Subject};
use yiqiao_proto::limits::{DIRECTIVE_ENTRIES_MAX, LABEL_BYTES_MAX, PARTS_MAX};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::consent::actor::{actors, check_contained, member, once, pair};
use crate::consent::exception;
use crate::consent::source::{GUARDIAN, Source, document, guardian, kind_of};
use crate::consent::{EXISTENCE_VISIBLE, IN_REFERRAL, NOTICE, Part, SCOPE, SHA256};
use crate::date::Stretch;
use crate::element::{self, Element};
use crate::limits::RESOURCE_BYTES_MAX;
use crate::outcome::Problem;
use crate::resource::Site;
use crate::search::{Token, Who};
use crate::terms::{ACT_CODE, ACT_REASON, Term};

/// What a posted Consent asks to be recorded. The proof of the patient's word (C-8) comes another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConsent {
    /// Whose.
    pub patient: Who,
    /// Permit or forbid.
    pub stance: Stance,
    /// To whom, and of what who keeps, with what a permit leaves out: a directive for each; never empty.
    pub parts: Vec<Part>,
    /// Which data.
    pub what: What,
    /// For which purposes; none, in a forbid: for every purpose but an emergency (D-8).
    pub purposes: BTreeSet<Purpose>,
    /// From when; none: from when it is recorded.
    pub valid_from: Option<Timestamp>,
    /// Until when, this instant excluded; none: until revoked.
    pub valid_until: Option<Timestamp>,
    /// The notice that was shown.
    pub notice: Notice,
    /// Whether the grantee may learn that something exists which it may not see.
    pub existence_visible: bool,
    /// Legal basis.
    pub basis: LegalBasis,
    /// Who says it, if that is not a guardian: must be the patient.
    pub performer: Option<Who>,
    /// The paper that was signed, which must be one of the patient's, and the guardian's name.
    pub source: Source,
}

const ROOT: [&str; 13] = [
    "contained",
    "status",
    "scope",
    "category",
    "patient",
    "dateTime",
    "performer",
    "organization",
    "sourceAttachment",
    "sourceReference",
    "policy",
    "policyRule",
    "provision",
];

const PROVISION: [&str; 11] = [
    "extension",
    "modifierExtension",
    "type",
    "period",
    "actor",
    "securityLabel",
    "purpose",
    "class",
    "dataPeriod",
    "data",
    "provision",
];

/// The meaning of data that a member has published.
const AUTHORED_BY: &str = "authoredby";

/// Reads a Consent that was posted to this door. A permit that names nobody is one to each of `everybody`: the current members that
/// keep documents (C-17).
///
/// # Errors
/// [`Problem`] naming the element that is missing, not valid, or would not be enforced.
pub fn read_new(bytes: &[u8], site: &Site, everybody: &[Code]) -> Result<NewConsent, Problem> {
    let value = element::parse(bytes, "the Consent", RESOURCE_BYTES_MAX)?;
    let root = Element::resource(&value, "Consent", &ROOT)?;
    check_root(&root, site)?;
    let provision = root.need("provision")?.only(&PROVISION)?;
    let stance = stance(&root, &provision)?;
    check_contained(&root, &provision)?;
    let (valid_from, valid_until) = period(&provision, "period")?;
    let Performer { basis, patient: performer, guardian } = performer(&root, stance, site)?;
    let (notice, document) = notice(&root, site)?;
    let everybody = if stance == Stance::Permit { everybody } else { &[] };
    let mut new = NewConsent {
        patient: who(&root.need("patient")?, site)?,
        stance,
        parts: parts(&root, &provision, site, everybody)?,
        what: what(&provision, site)?,
        purposes: purposes(&provision, stance)?,
        valid_from,
        valid_until,
        notice,
        existence_visible: existence_visible(&provision)?,
        basis,
        performer,
        source: Source { document, guardian },
    };
    // A permit names one organisation (C-7), and a person or department is one of an organisation (C-4).
    let is_nobodys = |Part { grantee, .. }: &Part| {
        let within = grantee.department.is_some() || grantee.practitioner.is_some();
        grantee.organisation.is_none() && (stance == Stance::Permit || within)
    };
    if new.parts.iter().any(is_nobodys) {
        return Err(provision.missing("actor"));
    }
    // Emergencies are decided apart (D-8), and a forbid makes nothing visible.
    if stance == Stance::Permit && new.purposes.contains(&Purpose::Emergency) {
        return Err(provision.not_carried_out("purpose"));
    }
    if stance == Stance::Forbid && new.existence_visible {
        return Err(provision.not_carried_out("extension"));
    }
    if stance == Stance::Permit {
        new.parts = exception::read(&root, &provision, &new, site)?;
    }
    Ok(new)
}

/// Each recipient with each keeper: a directive names one of both (C-7, PIPL article 23).
fn parts(
    root: &Element<'_>,
    provision: &Element<'_>,
    site: &Site,
    everybody: &[Code],
) -> Result<Vec<Part>, Problem> {
    let (mut recipients, keepers) = actors(root, provision)?;
    let keepers = authors(provision, keepers)?;
    if !provision.has("actor") {
        let to = |code: &Code| Grantee { organisation: Some(code.clone()), ..Grantee::default() };
        recipients = everybody.iter().map(to).collect();
    }
    if recipients.is_empty() {
        recipients.push(Grantee::default());
    }
    let keepers: Vec<Option<Code>> =
        if keepers.is_empty() { vec![None] } else { keepers.into_iter().map(Some).collect() };
    if recipients.len().saturating_mul(keepers.len()) > PARTS_MAX {
        return Err(Problem::TooLarge {
            what: "the number of recipients of a Consent (without actor: of the members of the region), times that of the members that keep what is meant",
            limit: PARTS_MAX,
        });
    }
    let referral = referral(provision, site)?;
    let mut parts = Vec::new();
    for recipient in recipients {
        let grantee = Grantee { referral, ..recipient };
        let part = |keeper: &Option<Code>| Part {
            grantee: grantee.clone(),
            custodian: keeper.clone(),
            exceptions: Vec::new(),
        };
        parts.extend(keepers.iter().map(part));
    }
    Ok(parts)
}

/// Reads a Consent that was put under the id of one that is in force: why it is taken back. A directive never changes, so nothing
/// but its end can be written, and what else the resource says is as it was.
///
/// # Errors
/// [`Problem`] naming the element.
pub fn read_revocation(bytes: &[u8], id: &str) -> Result<RevocationReason, Problem> {
    let value = element::parse(bytes, "the Consent", RESOURCE_BYTES_MAX)?;
    let root = Element::any(&value, "Consent".to_owned())?;
    if root.text("resourceType")? != Some("Consent") {
        return Err(root.invalid("resourceType", "the type that this address is for"));
    }
    if root.text("id")? != Some(id) {
        return Err(root.invalid("id", "the id in the address"));
    }
    match root.need_text("status")? {
        "inactive" => Ok(RevocationReason::PatientWish),
        "entered-in-error" => Ok(RevocationReason::Error),
        _ => {
            Err(root
                .invalid("status", "inactive or entered-in-error: record a new Consent for anything else"))
        }
    }
}

/// What must be as every Consent of this door is.
fn check_root(root: &Element<'_>, site: &Site) -> Result<(), Problem> {
    if root.need_text("status")? != "active" {
        return Err(root.invalid("status", "active"));
    }
    if !root.need("scope")?.codings()?.contains(&(SCOPE, "patient-privacy")) {
        return Err(root.invalid("scope", "patient-privacy"));
    }
    if root.list("category")?.is_empty() {
        return Err(root.missing("category"));
    }
    for organisation in root.list("organization")? {
        if member(&organisation)? != site.organisation {
            return Err(root.invalid("organization", "the member whose door this is, or left out"));
        }
    }
    // When it is recorded is this node's to say, but what is there must be a date.
    let date = root.text("dateTime")?.is_none_or(|date| Stretch::parse(date).is_some());
    if date { Ok(()) } else { Err(root.invalid("dateTime", "a FHIR dateTime")) }
}

fn who(patient: &Element<'_>, site: &Site) -> Result<Who, Problem> {
    match (patient.text("reference")?, patient.one("identifier")?) {
        (Some(url), None) => {
            let id = site.relative(url).strip_prefix("Patient/").and_then(Subject::from_hex);
            id.map(Who::Subject)
                .ok_or_else(|| patient.invalid("reference", "Patient/ and an id of this door"))
        }
        (None, Some(identifier)) => {
            let (system, value) = pair(&identifier)?;
            Ok(Who::Identifier(Token { system: Some(system.to_owned()), value: Phi::new(value.to_owned()) }))
        }
        (Some(_), Some(_)) => Err(patient.invalid("identifier", "left out where there is a reference")),
        (None, None) => Err(patient.missing("reference")),
    }
}

/// `policyRule` says the same as the provision, or nothing.
fn stance(root: &Element<'_>, provision: &Element<'_>) -> Result<Stance, Problem> {
    let (stance, rule) = match provision.text("type")? {
        Some("permit") => (Stance::Permit, "OPTIN"),
        Some("deny") => (Stance::Forbid, "OPTOUT"),
        Some(_) => return Err(provision.invalid("type", "permit or deny")),
        None => return Err(provision.missing("type")),
    };
    if let Some(policy) = root.one("policyRule")?
        && policy.only(&["coding"])?.codings()? != [(ACT_CODE, rule)]
    {
        return Err(root.not_carried_out("policyRule"));
    }
    Ok(stance)
}

/// Who says it.
struct Performer {
    basis: LegalBasis,
    patient: Option<Who>,
    guardian: Option<Phi<String>>,
}

/// A permit or an objection of a guardian rests on another basis than one of the patient (C-7).
fn performer(root: &Element<'_>, stance: Stance, site: &Site) -> Result<Performer, Problem> {
    let performer = root.at_most_one("performer")?.ok_or_else(|| root.missing("performer"))?;
    let permits = stance == Stance::Permit;
    match kind_of(performer.text("type")?, performer.text("reference")?) {
        GUARDIAN => Ok(Performer {
            basis: if permits { LegalBasis::GuardianConsent } else { LegalBasis::GuardianObjection },
            patient: None,
            guardian: guardian(&performer)?,
        }),
        "Patient" => {
            let is_named = performer.has("reference") || performer.has("identifier");
            Ok(Performer {
                basis: if permits { LegalBasis::SeparateConsent } else { LegalBasis::Objection },
                patient: is_named.then(|| who(&performer, site)).transpose()?,
                guardian: None,
            })
        }
        _ => Err(root.invalid("performer", "a reference with type Patient or RelatedPerson")),
    }
}

/// The notice that was shown, and the paper that was signed. With a paper the notice is the policy's, without it the attachment's.
fn notice(root: &Element<'_>, site: &Site) -> Result<(Notice, Option<EntryId>), Problem> {
    let policy = root.at_most_one("policy")?;
    let Some(paper) = root.one("sourceReference")? else {
        let known = ["extension", "contentType", "language", "title"];
        let source = root.need("sourceAttachment")?.only(&known)?;
        let version = source.need_text("title")?;
        if let Some(policy) = policy.map(|policy| policy.only(&["uri"])).transpose()?
            && policy.need_text("uri")?.strip_prefix(NOTICE) != Some(version)
        {
            return Err(policy.invalid(
                "uri",
                "urn:yiqiao:notice: and the version of the notice, which is sourceAttachment.title",
            ));
        }
        return Ok((named(&source, "title", version)?, None));
    };
    if root.has("sourceAttachment") {
        return Err(root.invalid("sourceAttachment", "left out where there is a sourceReference"));
    }
    let policy = policy.ok_or_else(|| root.missing("policy"))?.only(&["extension", "uri"])?;
    let version = policy.need_text("uri")?.strip_prefix(NOTICE);
    let version =
        version.ok_or_else(|| policy.invalid("uri", "urn:yiqiao:notice: and the version of the notice"))?;
    Ok((named(&policy, "uri", version)?, Some(document(&paper, site)?)))
}

/// The notice of this version, with the hash that stands beside it.
fn named(holder: &Element<'_>, name: &str, version: &str) -> Result<Notice, Problem> {
    if version.len() > LABEL_BYTES_MAX {
        return Err(holder.invalid(name, "the version of the notice, of at most 64 bytes"));
    }
    let hash = extension(holder, "extension", SHA256)?;
    let hash = hash.ok_or_else(|| {
        holder.invalid("extension", "url urn:yiqiao:sha256 with valueString, the SHA-256 of the notice in 64 hexadecimal digits (docs/fhir.md)")
    })?;
    let digits = hash.text("valueString")?.and_then(Digest::from_hex);
    let hash = digits
        .ok_or_else(|| hash.invalid("valueString", "SHA-256 of the notice in 64 hexadecimal digits"))?;
    Ok(Notice { version: version.to_owned(), hash })
}

pub(super) fn what(provision: &Element<'_>, site: &Site) -> Result<What, Problem> {
    let classes: BTreeSet<DocumentClass> = terms(provision, "class")?;
    let sensitivities: BTreeSet<Sensitivity> = terms(provision, "securityLabel")?;
    // What names everything limits nothing, and would count as narrower than it is (C-5).
    if classes.len() == DocumentClass::ALL.len() {
        return Err(provision.invalid("class", "left out where every class is meant"));
    }
    if sensitivities.len() == Sensitivity::ALL.len() {
        return Err(provision.invalid("securityLabel", "left out where every label is meant"));
    }
    let (service_from, service_until) = period(provision, "dataPeriod")?;
    let mut entries = BTreeSet::new();
    for data in provision.list("data")? {
        if data.text("meaning")? != Some(AUTHORED_BY) {
            entries.insert(entry(&data, site)?);
        }
    }
    if entries.len() > DIRECTIVE_ENTRIES_MAX {
        return Err(Problem::TooLarge {
            what: "the number of documents of a Consent",
            limit: DIRECTIVE_ENTRIES_MAX,
        });
    }
    Ok(What { classes, sensitivities, service_from, service_until, entries })
}

/// The members whose documents alone are meant, as actors that keep them or as their authors: a member keeps what it published.
pub(super) fn authors(provision: &Element<'_>, mut keepers: Vec<Code>) -> Result<Vec<Code>, Problem> {
    for data in provision.list("data")? {
        if data.text("meaning")? != Some(AUTHORED_BY) {
            continue;
        }
        let data = data.only(&["meaning", "reference"])?;
        if !once(&mut keepers, member(&data.need("reference")?)?) {
            return Err(data.invalid("reference", "a member that is not named already"));
        }
    }
    Ok(keepers)
}

fn entry(data: &Element<'_>, site: &Site) -> Result<EntryId, Problem> {
    let data = data.clone().only(&["meaning", "reference"])?;
    if data.text("meaning")? != Some("instance") {
        return Err(
            data.invalid("meaning", "instance or authoredby: what is related to something is not enforced")
        );
    }
    let target = data.need("reference")?;
    let url = target.text("reference")?.unwrap_or_default();
    let id = site.relative(url).strip_prefix("DocumentReference/").and_then(EntryId::from_hex);
    id.ok_or_else(|| target.invalid("reference", "DocumentReference/ and the id of a document"))
}

/// A forbid without purposes spares emergencies (D-8), and has to say so: without the nested permit it would mean more. What is nested in
/// a permit is what it leaves out.
fn purposes(provision: &Element<'_>, stance: Stance) -> Result<BTreeSet<Purpose>, Problem> {
    let purposes: BTreeSet<Purpose> = terms(provision, "purpose")?;
    let nested = provision.list("provision")?;
    match (nested.as_slice(), stance, purposes.is_empty()) {
        ([], Stance::Forbid, false) | (_, Stance::Permit, false) => Ok(purposes),
        (_, Stance::Permit, true) => Err(provision.missing("purpose")),
        ([], Stance::Forbid, true) => Err(provision.invalid(
            "purpose",
            "given, or the provision has a nested permit for ETREAT: an emergency is denied only where it is named",
        )),
        ([exception], Stance::Forbid, true) if spares_emergencies(exception)? => Ok(purposes),
        _ => Err(provision.not_carried_out("provision")),
    }
}

fn spares_emergencies(exception: &Element<'_>) -> Result<bool, Problem> {
    let exception = exception.clone().only(&["type", "purpose"])?;
    let purposes: BTreeSet<Purpose> = terms(&exception, "purpose")?;
    Ok(exception.text("type")? == Some("permit") && purposes == BTreeSet::from([Purpose::Emergency]))
}

fn referral(provision: &Element<'_>, site: &Site) -> Result<Option<ReferralId>, Problem> {
    let Some(extension) = extension(provision, "modifierExtension", IN_REFERRAL)? else { return Ok(None) };
    let target = extension.need("valueReference")?;
    let url = target.text("reference")?.unwrap_or_default();
    let id = site.relative(url).strip_prefix("ServiceRequest/").and_then(ReferralId::from_hex);
    id.map(Some).ok_or_else(|| target.invalid("reference", "ServiceRequest/ and the id of a referral"))
}

fn existence_visible(provision: &Element<'_>) -> Result<bool, Problem> {
    let Some(extension) = extension(provision, "extension", EXISTENCE_VISIBLE)? else { return Ok(false) };
    extension.boolean("valueBoolean")?.ok_or_else(|| extension.missing("valueBoolean"))
}

/// The one extension that is known there; another would mean something that is not enforced.
fn extension<'v>(
    holder: &Element<'v>,
    name: &'static str,
    url: &str,
) -> Result<Option<Element<'v>>, Problem> {
    let extension = holder.at_most_one(name)?;
    match extension {
        Some(extension) if extension.text("url")? != Some(url) => Err(holder.not_carried_out(name)),
        known => Ok(known),
    }
}

/// From the first instant of the start to the last of the end, which FHIR includes.
pub(super) fn period(
    provision: &Element<'_>,
    name: &str,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    let Some(period) = provision.one(name)? else { return Ok((None, None)) };
    let period = period.only(&["start", "end"])?;
    let stretch = |name| {
        let read = |text| Stretch::parse(text).ok_or_else(|| period.invalid(name, "a FHIR dateTime"));
        period.text(name)?.map(read).transpose()
    };
    let (start, end) = (stretch("start")?, stretch("end")?);
    let (from, until) = (start.map(|start| start.from), end.map(|end| end.until));
    let forwards = from.zip(until).is_none_or(|(from, until)| from < until);
    if forwards { Ok((from, until)) } else { Err(period.invalid("end", "after the start")) }
}

pub(super) fn terms<T: Term + Ord>(holder: &Element<'_>, name: &'static str) -> Result<BTreeSet<T>, Problem> {
    let mut found = BTreeSet::new();
    for coding in holder.list(name)? {
        // To break the glass is the only emergency that there is (D-8).
        let (system, code) = match coding.coding()? {
            (ACT_REASON, "BTG") => (ACT_REASON, Purpose::Emergency.code()),
            other => other,
        };
        found.insert(T::find(system, code).ok_or_else(|| coding.not_carried_out("code"))?);
    }
    Ok(found)
}
