//! Consents: directives as Consent resources of IHE PCF, and the reading of new ones. One that is limited to classes of documents is
//! beyond what PCF says, and claims none of its profiles.
//!
//! One Consent is one directive, or the same directive under each token of its patient (C-10): the root provision says all, limits narrow together. Each of those whom a permit or a forbid is for is
//! an actor, and a directive of its own, as is each member that keeps what is meant (C-17); where more than the organisation limits it, that actor is a contained PractitionerRole. A forbid that spares
//! emergencies (D-8) says so by a nested permit for ETREAT, and a permit what it leaves out (C-16) by nested denials. What FHIR has no
//! element for and narrows (the referral, C-4) is a modifierExtension, which nobody may pass over.

mod actor;
mod exception;
mod new;
mod source;

use serde_json::{Map, Value, json};
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::desk::Exception;
use yiqiao_proto::codes::{LegalBasis, Purpose, RevocationReason, Stance};
use yiqiao_proto::directive::{Directive, Grantee, What};
use yiqiao_proto::id::{Code, EntryId};
use yiqiao_proto::time::Timestamp;

use crate::date;
use crate::document::patient_reference;
use crate::resource::{Resource, Site, logical, member, period, reference};
use crate::terms::{ACT_CODE, DEPARTMENT, LOINC, MEMBER, PARTICIPATION, PRACTITIONER, Term};

pub use new::{NewConsent, read_new, read_revocation};
pub use source::Source;

/// The referral in the course of which alone the grantee may see (C-4).
pub(crate) const IN_REFERRAL: &str = "urn:yiqiao:consent-referral";
/// Whether the grantee may learn that something exists which it may not see.
pub(crate) const EXISTENCE_VISIBLE: &str = "urn:yiqiao:consent-existence-visible";
/// SHA-256 of the notice in hexadecimal digits: the attachment's own hash is SHA-1, and a paper is not the notice.
pub(crate) const SHA256: &str = "urn:yiqiao:sha256";
/// The notice that was shown, by its version: what PCF calls the policy.
pub(crate) const NOTICE: &str = "urn:yiqiao:notice:";
/// The id of the first contained PractitionerRole; the others have their number behind it.
pub(crate) const GRANTEE: &str = "grantee";
const PROFILES: &str = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consent";
pub(crate) const SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";

/// One of those to whom, or of what each keeps, a Consent says the same: a directive of its own (C-17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// To whom.
    pub grantee: Grantee,
    /// From whom; none: from every member.
    pub custodian: Option<Code>,
    /// What a permit leaves out (C-16).
    pub exceptions: Vec<Exception>,
}

/// What a patient said once, as this door shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Consent {
    /// Its id at this door.
    pub id: String,
    /// What the patient said; of several, the first part.
    pub directive: Directive,
    /// To whom, and of what who keeps: each recipient with each keeper, in this order; never empty.
    pub parts: Vec<Part>,
    /// How often it has changed since it was made, counted from 1.
    pub version: u32,
    /// Whether it counts.
    pub standing: Standing,
    /// When it was recorded, if that is known.
    pub recorded_at: Option<Timestamp>,
    /// On what it rests, as far as this hospital recorded it.
    pub source: Source,
}

/// Whether a directive counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In force, or from a later day on.
    InForce,
    /// Its period is over.
    Over,
    /// A later one took its place (C-6).
    Replaced,
    /// Revoked.
    Revoked(RevocationReason),
}

impl Standing {
    /// FHIR ConsentState.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InForce => "active",
            Self::Revoked(RevocationReason::Error) => "entered-in-error",
            Self::Over | Self::Replaced | Self::Revoked(_) => "inactive",
        }
    }
}

impl Consent {
    /// The resource.
    pub fn write(&self, patient: &Patient, site: &Site) -> Resource {
        let directive = &self.directive;
        let notice = &directive.notice;
        let rule = if directive.stance == Stance::Permit { "OPTIN" } else { "OPTOUT" };
        let roles = roles(&self.parts);
        let paper = self.source.document.as_ref();
        let hash = json!([{"url": SHA256, "valueString": notice.hash.to_string()}]);
        let body = json!({
            "meta": {"profile": self.profile().map(|level| [format!("{PROFILES}{level}")])},
            "contained": (1..).zip(&roles).map(|(number, role)| contained(role, number)).collect::<Vec<_>>(),
            "status": self.standing.code(),
            "scope": {"coding": [{"system": SCOPE, "code": "patient-privacy", "display": "Privacy Consent"}]},
            "category": [{
                "coding": [{"system": LOINC, "code": "59284-0", "display": "Consent Document"}],
                "text": if directive.stance == Stance::Permit { "信息共享授权" } else { "信息共享异议" },
            }],
            "patient": patient_reference(patient),
            "dateTime": self.recorded_at.map(date::instant),
            "performer": [self.performer(patient)],
            "organization": [member(&site.organisation, &site.name)],
            "sourceAttachment": paper.is_none().then(|| json!({
                "extension": &hash,
                "contentType": "text/plain",
                "title": notice.version,
            })),
            "sourceReference": paper.map(source::written),
            "policy": [{
                "extension": paper.is_some().then_some(&hash),
                "uri": format!("{NOTICE}{}", notice.version),
            }],
            "policyRule": {"coding": [{"system": ACT_CODE, "code": rule}]},
            "provision": provision(directive, &self.parts, &roles),
        });
        Resource::new("Consent", Some(self.id.clone()), body).with_version(self.version)
    }

    /// The profile of PCF that it is an instance of: those have a date, and no classes.
    fn profile(&self) -> Option<&'static str> {
        let exceptions = || self.parts.iter().flat_map(|part| &part.exceptions);
        let left_out = exceptions().map(|exception| &exception.what);
        let whats: Vec<&What> = std::iter::once(&self.directive.what).chain(left_out).collect();
        let spares = self.directive.stance == Stance::Forbid && self.directive.purposes.is_empty();
        let narrows = |what: &&What| {
            what.service_from.is_some() || what.service_until.is_some() || !what.entries.is_empty()
        };
        if self.recorded_at.is_none() || whats.iter().any(|what| !what.classes.is_empty()) {
            return None;
        }
        let nested = spares || exceptions().next().is_some();
        let is_kept = self.parts.iter().any(|part| part.custodian.is_some());
        Some(if whats.iter().any(|what| !what.sensitivities.is_empty()) {
            "Advanced"
        } else if whats.iter().any(narrows) || nested || is_kept {
            "Intermediate"
        } else {
            "Basic"
        })
    }

    fn performer(&self, patient: &Patient) -> Value {
        match self.directive.basis {
            LegalBasis::GuardianConsent | LegalBasis::GuardianObjection => {
                let name = self.source.guardian.as_ref().map_or(source::UNNAMED, |name| name.expose());
                json!({"type": source::GUARDIAN, "display": name})
            }
            LegalBasis::SeparateConsent
            | LegalBasis::Objection
            | LegalBasis::Emergency
            | LegalBasis::StatutoryDuty
            | LegalBasis::RegionDefault => patient_reference(patient),
        }
    }
}

fn provision(directive: &Directive, parts: &[Part], roles: &[Grantee]) -> Value {
    let What { classes, sensitivities, service_from, service_until, entries } = &directive.what;
    let permits = directive.stance == Stance::Permit;
    let spares = !permits && directive.purposes.is_empty();
    let spared = spares.then(|| json!({"type": "permit", "purpose": [Purpose::Emergency.coding()]}));
    let left_out = exception::apart(parts);
    let left_out = left_out.iter().map(|apart| apart.write(directive, roles));
    let recipients = distinct(parts.iter().map(|part| &part.grantee));
    let keepers = distinct(parts.iter().filter_map(|part| part.custodian.as_ref()));
    json!({
        "extension": directive.existence_visible.then(|| json!([{"url": EXISTENCE_VISIBLE, "valueBoolean": true}])),
        "modifierExtension": directive.grantee.referral.map(|id| json!([{
            "url": IN_REFERRAL,
            "valueReference": reference("ServiceRequest", &id.to_string()),
        }])),
        "type": if permits { "permit" } else { "deny" },
        "period": period(Some(directive.valid_from), directive.valid_until),
        "actor": recipients.into_iter().filter_map(|grantee| actor(grantee, roles)).collect::<Vec<_>>(),
        "securityLabel": sensitivities.iter().map(|term| term.coding()).collect::<Vec<_>>(),
        "purpose": directive.purposes.iter().map(|term| term.coding()).collect::<Vec<_>>(),
        "class": classes.iter().map(|term| term.coding()).collect::<Vec<_>>(),
        "dataPeriod": period(*service_from, *service_until),
        "data": data(keepers, entries),
        "provision": spared.into_iter().chain(left_out).collect::<Vec<_>>(),
    })
}

/// Each once, in their order.
fn distinct<'p, T: PartialEq>(all: impl Iterator<Item = &'p T>) -> Vec<&'p T> {
    let mut found: Vec<&T> = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// The members that keep it, and single documents.
fn data<'e>(
    keepers: impl IntoIterator<Item = &'e Code>,
    entries: impl IntoIterator<Item = &'e EntryId>,
) -> Vec<Value> {
    let entry = |id: &EntryId| json!({"meaning": "instance", "reference": reference("DocumentReference", &id.to_string())});
    let kept = keepers.into_iter();
    let kept = kept.map(|code| json!({"meaning": "authoredby", "reference": member(code, "")}));
    kept.chain(entries.into_iter().map(entry)).collect()
}

/// One who receives; none where it is everybody.
fn actor(grantee: &Grantee, roles: &[Grantee]) -> Option<Value> {
    let own = (1..).zip(roles).find(|(_, role)| **role == anywhere(grantee));
    let receives = match own {
        Some((number, _)) => {
            Some(json!({"reference": format!("#{}", role_id(number)), "type": "PractitionerRole"}))
        }
        None => grantee.organisation.as_ref().map(|code| member(code, "")),
    };
    receives.map(|who| json!({"role": role("IRCP", "information recipient"), "reference": who}))
}

/// Who is more than an organisation: those are contained.
fn roles(parts: &[Part]) -> Vec<Grantee> {
    let apart = exception::apart(parts);
    let left_out = apart.iter().filter_map(|apart| apart.grantee);
    let named = parts.iter().map(|part| &part.grantee).chain(left_out);
    let named: Vec<Grantee> = named.filter(|grantee| is_within(grantee)).map(anywhere).collect();
    distinct(named.iter()).into_iter().cloned().collect()
}

/// The referral is said of the whole provision.
fn anywhere(grantee: &Grantee) -> Grantee {
    Grantee { referral: None, ..grantee.clone() }
}

fn role_id(number: usize) -> String {
    if number == 1 { GRANTEE.to_owned() } else { format!("{GRANTEE}-{number}") }
}

fn role(code: &str, display: &str) -> Value {
    json!({"coding": [{"system": PARTICIPATION, "code": code, "display": display}]})
}

/// Whether more than the organisation limits the grantee.
const fn is_within(grantee: &Grantee) -> bool {
    grantee.department.is_some() || grantee.practitioner.is_some() || grantee.role.is_some()
}

fn contained(grantee: &Grantee, number: usize) -> Value {
    let mut role = Map::new();
    role.insert("resourceType".to_owned(), "PractitionerRole".into());
    role.insert("id".to_owned(), role_id(number).into());
    if let Some(organisation) = &grantee.organisation {
        role.insert("organization".to_owned(), logical("Organization", MEMBER, organisation.as_str(), ""));
        if let Some(department) = &grantee.department {
            let value = format!("{organisation}/{department}");
            role.insert(
                "healthcareService".to_owned(),
                json!([logical("HealthcareService", DEPARTMENT, &value, "")]),
            );
        }
    }
    if let Some(practitioner) = &grantee.practitioner {
        let practitioner = logical("Practitioner", PRACTITIONER, &practitioner.to_string(), "");
        role.insert("practitioner".to_owned(), practitioner);
    }
    if let Some(person) = grantee.role {
        role.insert("code".to_owned(), json!([person.concept()]));
    }
    Value::Object(role)
}
