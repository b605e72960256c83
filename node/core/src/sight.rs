//! Who sees whom inside the hospital: by visits, by referrals, by role; or because the glass was broken. Nobody else.
//!
//! A patient stands in circles: of who attends a visit, of the departments visited, of referrals. Somebody sees the
//! patients of the own circles, and the lists of these are what is shown first. Not here: whether a document of another
//! hospital may be opened: `receive`; the scopes of systems, which the service in front keeps.

use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::{Code, Digest, Subject};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::time::Timestamp;

use crate::actor::{Actor, Staff};
use crate::apply::tag_bytes;
use crate::at_rest::{AtRest, Tag};
use crate::list::List;
use crate::machine::Machine;
use crate::person;
use crate::register::Number;
use crate::state::kept::{self, PersonData};
use crate::state::{self, Fault, View, read_digest, read_subject};
use crate::{death, glass, seal};

/// Why somebody sees a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// Attends a visit.
    Attending,
    /// Wrote a referral of the patient, or takes care of one.
    Referral,
    /// The patient was filed from a referral that was accepted for the department.
    Accepted,
    /// The patient visited the department.
    Department,
    /// A referral of the patient is from or to the department.
    ReferralOfDepartment,
    /// A referral of the patient goes through the referral office.
    Office,
    /// Named to open the record although it is sealed.
    Reviewer,
    /// The glass is broken over the patient: documents as the decision about an emergency lets (D-10).
    Glass,
    /// The desk: who the patient is, and consent; no documents.
    Desk,
    /// The office of medical affairs: who the patient is, and who did what; no documents.
    Affairs,
    /// The patient's own record.
    Own,
    /// A system, within its scopes.
    System,
}

impl Ground {
    /// Whether it opens documents, and not only who the patient is.
    pub const fn opens_documents(self) -> bool {
        !matches!(self, Self::Desk | Self::Affairs)
    }

    /// Whether it holds without an emergency and without a seal.
    pub const fn is_ordinary(self) -> bool {
        !matches!(self, Self::Glass | Self::Reviewer)
    }

    /// Whether it means that this hospital treats the patient (D-7).
    pub const fn is_treating(self) -> bool {
        matches!(self, Self::Attending | Self::Accepted | Self::Department)
    }
}

/// Why somebody does not see a patient; for a sentence to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSight {
    /// Neither a visit nor a referral ties them together. In an emergency the glass can be broken.
    BreakTheGlass,
    /// The role has no patients.
    Role,
    /// The account is another patient's, or of one who has died.
    NotOwn,
}

/// What ties a patient to somebody.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Circle<'a> {
    Attending(&'a str),
    Referral(&'a str),
    Accepted(&'a str),
    Department(&'a str),
    ReferralOfDepartment(&'a str),
    Office,
}

impl Circle<'_> {
    pub(crate) fn tag(&self, at_rest: &AtRest) -> Digest {
        let (kind, text) = match self {
            Self::Attending(login) => (1, *login),
            Self::Referral(login) => (2, *login),
            Self::Accepted(department) => (3, *department),
            Self::Department(department) => (4, *department),
            Self::ReferralOfDepartment(department) => (5, *department),
            Self::Office => (6, ""),
        };
        // Logins and codes are the same in capital and small letters, whatever a system of the hospital writes.
        at_rest.tag(Tag::Circle, &[&[kind], text.to_ascii_lowercase().as_bytes()])
    }

    const fn ground(&self) -> Ground {
        match self {
            Self::Attending(_) => Ground::Attending,
            Self::Referral(_) => Ground::Referral,
            Self::Accepted(_) => Ground::Accepted,
            Self::Department(_) => Ground::Department,
            Self::ReferralOfDepartment(_) => Ground::ReferralOfDepartment,
            Self::Office => Ground::Office,
        }
    }
}

impl Machine {
    /// Whether somebody sees a patient now, and why.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn may_see(
        &self,
        actor: &Actor,
        subject: &Subject,
        now: Timestamp,
        view: &View,
    ) -> Result<Result<Ground, NoSight>, Fault> {
        let root = person::root(view, *subject)?;
        let staff = match actor {
            Actor::Staff(staff) => staff,
            Actor::Patient { subject, .. } => {
                let own = person::root(view, *subject)? == root && death::died(&root, view)?.is_none();
                return Ok(if own { Ok(Ground::Own) } else { Err(NoSight::NotOwn) });
            }
            Actor::System(_) => return Ok(Ok(Ground::System)),
            Actor::Node => return Ok(Err(NoSight::Role)),
        };
        if staff.role == PersonRole::Desk {
            return Ok(Ok(Ground::Desk));
        }
        if seal::names(self, actor, &root, view)? {
            return Ok(Ok(Ground::Reviewer));
        }
        if staff.role == PersonRole::MedicalAffairs {
            return Ok(Ok(Ground::Affairs));
        }
        let circles = circles_of(staff);
        if circles.is_empty() {
            return Ok(Err(NoSight::Role));
        }
        let standing = standing(&root, view)?;
        let common = circles.iter().find(|circle| standing.contains(&circle.tag(&self.keys.at_rest)));
        if let Some(circle) = common {
            return Ok(Ok(circle.ground()));
        }
        let broken = glass::in_force(self, actor, &root, now, view)?.is_some();
        Ok(if broken { Ok(Ground::Glass) } else { Err(NoSight::BreakTheGlass) })
    }

    /// The first of somebody's circles in which a patient stands, counted from 0 as [`Machine::patients_of`] counts.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn circle_of(&self, actor: &Actor, subject: &Subject, view: &View) -> Result<Option<usize>, Fault> {
        let Actor::Staff(staff) = actor else { return Ok(None) };
        let standing = standing(&person::root(view, *subject)?, view)?;
        let tags = circles_of(staff).into_iter().map(|circle| circle.tag(&self.keys.at_rest));
        Ok(tags.into_iter().position(|tag| standing.contains(&tag)))
    }

    /// The patients of one of somebody's circles, counted from 0, the newest first: at most a page, each with its place
    /// in the list, before a place if one is given. None past the last circle.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn patients_of(
        &self,
        actor: &Actor,
        circle: usize,
        before: Option<u64>,
        view: &View,
    ) -> Result<Option<Vec<(u64, Subject)>>, Fault> {
        let Actor::Staff(staff) = actor else { return Ok(None) };
        let circles = circles_of(staff);
        let Some(circle) = circles.get(circle) else { return Ok(None) };
        let places = List::circle(circle.tag(&self.keys.at_rest)).before(before, view)?;
        let named = |(place, name): (u64, Digest)| Ok((place, read_subject(name.as_bytes())?));
        let named = places.into_iter().map(named).collect::<Result<Vec<_>, Fault>>()?;
        view.need(&named.iter().map(|(_, subject)| state::patient(subject)).collect::<Vec<_>>())?;
        let mut found: Vec<(u64, Subject)> = Vec::new();
        for (place, subject) in named {
            let subject = person::root(view, subject)?;
            if !found.iter().any(|(_, known)| *known == subject) {
                found.push((place, subject));
            }
        }
        Ok(Some(found))
    }

    /// The patients with exactly this number whom the actor sees: unknown and not seen look the same.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn find_by_number(
        &self,
        actor: &Actor,
        number: &Number,
        now: Timestamp,
        view: &View,
    ) -> Result<Vec<Subject>, Fault> {
        let mut seen = Vec::new();
        for subject in self.patients_by_number(number, view)? {
            if self.may_see(actor, &subject, now, view)?.is_ok() {
                seen.push(subject);
            }
        }
        Ok(seen)
    }

    /// The patients with exactly this identifier whom the actor sees.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn find_by_identifier(
        &self,
        actor: &Actor,
        id: &Identifier,
        now: Timestamp,
        view: &View,
    ) -> Result<Vec<Subject>, Fault> {
        let mut seen = Vec::new();
        for subject in self.patients_by_identifier(id, view)? {
            if self.may_see(actor, &subject, now, view)?.is_ok() {
                seen.push(subject);
            }
        }
        Ok(seen)
    }
}

/// The circles of somebody of the hospital.
fn circles_of(staff: &Staff) -> Vec<Circle<'_>> {
    let login = staff.login.as_str();
    let of_departments = |circle: fn(&str) -> Circle<'_>| -> Vec<Circle<'_>> {
        staff.departments.iter().map(|department| circle(department.as_str())).collect()
    };
    let own = || vec![Circle::Attending(login), Circle::Referral(login)];
    let accepted = || of_departments(|name| Circle::Accepted(name));
    let department = || of_departments(|name| Circle::Department(name));
    match staff.role {
        PersonRole::Physician => [own(), accepted()].concat(),
        PersonRole::DepartmentHead => {
            let referred = of_departments(|name| Circle::ReferralOfDepartment(name));
            [own(), accepted(), department(), referred].concat()
        }
        PersonRole::Nurse => [department(), accepted()].concat(),
        PersonRole::ReferralOffice => vec![Circle::Office],
        PersonRole::Pharmacist
        | PersonRole::Technician
        | PersonRole::Desk
        | PersonRole::Patient
        | PersonRole::Guardian
        | PersonRole::MedicalAffairs
        | PersonRole::System => Vec::new(),
    }
}

/// The circles in which a patient stands, and all that were merged into it.
fn standing(root: &Subject, view: &View) -> Result<Vec<Digest>, Fault> {
    let mut subjects = vec![*root];
    for retired in view.get(&state::patient(root))?.retired {
        subjects.push(read_subject(&retired)?);
    }
    let slots: Vec<_> = subjects.iter().map(state::circles).collect();
    view.need(&slots)?;
    let mut tags = Vec::new();
    for slot in &slots {
        let circles = view.get(slot)?;
        for circle in circles.visits.iter().chain(&circles.referrals) {
            tags.push(read_digest(&circle.tag)?);
        }
    }
    Ok(tags)
}

/// The circles in which a patient stands because of visits.
pub(crate) fn of_visits(machine: &Machine, data: &PersonData) -> Vec<Vec<u8>> {
    let at_rest = &machine.keys.at_rest;
    let mut tags = Vec::new();
    for visit in &data.visits {
        if let Some(staff) = visit.attending.as_ref().filter(|staff| !staff.code.is_empty()) {
            tags.push(Circle::Attending(&staff.code).tag(at_rest));
        }
        if !visit.department.is_empty() {
            let named = machine.config.coding.department_codes.get(&visit.department);
            let code = named.map_or(visit.department.as_str(), Code::as_str);
            tags.push(Circle::Department(code).tag(at_rest));
        }
    }
    tags.sort_unstable();
    tags.dedup();
    tag_bytes(&tags)
}

/// The circles because of visits are these from now on.
pub(crate) fn apply_visits(subject: &Subject, tags: &[Vec<u8>], view: &mut View) -> Result<(), Fault> {
    let slot = state::circles(subject);
    let mut circles = view.get(&slot)?;
    for gone in circles.visits.extract_if(.., |circle| !tags.contains(&circle.tag)) {
        List::circle(read_digest(&gone.tag)?).clear(gone.place, view);
    }
    add(subject, &mut circles.visits, tags, view)?;
    view.put(&slot, &circles);
    Ok(())
}

/// The patient stands in these circles too, because of a referral.
pub(crate) fn apply_referral(subject: &Subject, tags: &[Vec<u8>], view: &mut View) -> Result<(), Fault> {
    let slot = state::circles(subject);
    let mut circles = view.get(&slot)?;
    add(subject, &mut circles.referrals, tags, view)?;
    view.put(&slot, &circles);
    Ok(())
}

fn add(
    subject: &Subject,
    circles: &mut Vec<kept::Circle>,
    tags: &[Vec<u8>],
    view: &mut View,
) -> Result<(), Fault> {
    let name = read_digest(subject.as_bytes())?;
    for tag in tags {
        if !circles.iter().any(|circle| circle.tag == *tag) {
            let place = List::circle(read_digest(tag)?).push(&name, view)?;
            circles.push(kept::Circle { tag: tag.clone(), place });
        }
    }
    Ok(())
}
