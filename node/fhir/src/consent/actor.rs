//! For whom a Consent is, and from whom: its actors, read into a grantee and a custodian (C-4).

use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::directive::Grantee;
use yiqiao_proto::id::{Code, PractitionerId};

use crate::element::Element;
use crate::outcome::Problem;
use crate::terms::{DEPARTMENT, MEMBER, PARTICIPATION, PRACTITIONER, Term};

/// The recipients and the keepers that the actors of a provision are, each once.
pub(super) fn actors(
    root: &Element<'_>,
    provision: &Element<'_>,
) -> Result<(Vec<Grantee>, Vec<Code>), Problem> {
    let (mut grantees, mut keepers) = (Vec::new(), Vec::new());
    for actor in provision.list("actor")? {
        let actor = actor.only(&["role", "reference"])?;
        let role = actor.need("role")?.codings()?;
        let is_new = match role.as_slice() {
            [(PARTICIPATION, "IRCP")] => once(&mut grantees, recipient(root, &actor)?),
            [(PARTICIPATION, "CST")] => once(&mut keepers, member(&actor.need("reference")?)?),
            _ => return Err(actor.invalid("role", "IRCP or CST of v3-ParticipationType")),
        };
        if !is_new {
            return Err(actor.invalid("reference", "somebody who is not named already"));
        }
    }
    Ok((grantees, keepers))
}

/// Whether it was not there yet.
pub(super) fn once<T: PartialEq>(all: &mut Vec<T>, one: T) -> bool {
    let is_new = !all.contains(&one);
    all.push(one);
    is_new
}

/// Nobody is contained whom no actor refers to: it would mean something that is not enforced.
pub(super) fn check_contained(root: &Element<'_>, provision: &Element<'_>) -> Result<(), Problem> {
    let mut named = Vec::new();
    for holder in std::iter::once(provision.clone()).chain(provision.list("provision")?) {
        for actor in holder.list("actor")? {
            named.push(actor.need("reference")?.text("reference")?.and_then(|url| url.strip_prefix('#')));
        }
    }
    for role in root.list("contained")? {
        let id = role.text("id")?;
        if id.is_none() || !named.contains(&id) {
            return Err(root.not_carried_out("contained"));
        }
    }
    Ok(())
}

fn recipient(root: &Element<'_>, actor: &Element<'_>) -> Result<Grantee, Problem> {
    let who = actor.need("reference")?;
    if let Some(own) = who.text("reference")?.and_then(|url| url.strip_prefix('#')) {
        for role in root.list("contained")? {
            if role.text("id")? == Some(own) {
                return practitioner_role(&role);
            }
        }
        return Err(who.invalid("reference", "the id of a contained PractitionerRole"));
    }
    Ok(Grantee { organisation: Some(member(&who)?), ..Grantee::default() })
}

fn practitioner_role(role: &Element<'_>) -> Result<Grantee, Problem> {
    let known = ["resourceType", "id", "organization", "healthcareService", "practitioner", "code"];
    let role = role.clone().only(&known)?;
    if role.text("resourceType")? != Some("PractitionerRole") {
        return Err(role.invalid("resourceType", "PractitionerRole"));
    }
    let organisation = role.one("organization")?.map(|who| member(&who)).transpose()?;
    let practitioner = role.one("practitioner")?.map(|who| practitioner(&who)).transpose()?;
    let person = role.at_most_one("code")?.map(|concept| person_role(&concept)).transpose()?;
    let department = role.at_most_one("healthcareService")?;
    let department = department.map(|service| department_of(&service, organisation.as_ref())).transpose()?;
    if organisation.is_none() && practitioner.is_none() && person.is_none() {
        return Err(role.missing("organization"));
    }
    Ok(Grantee { organisation, department, practitioner, role: person, referral: None })
}

fn practitioner(who: &Element<'_>) -> Result<PractitionerId, Problem> {
    let identifier = who.need("identifier")?;
    let (system, value) = pair(&identifier)?;
    let id = PractitionerId::from_hex(value).filter(|_| system == PRACTITIONER);
    id.ok_or_else(|| identifier.invalid("value", "a pseudonym of urn:yiqiao:practitioner"))
}

fn person_role(concept: &Element<'_>) -> Result<PersonRole, Problem> {
    let codings = concept.codings()?;
    let [(system, code)] = codings.as_slice() else { return Err(concept.invalid("coding", "one coding")) };
    PersonRole::find(system, code)
        .ok_or_else(|| concept.invalid("coding", "a role of urn:yiqiao:person-role"))
}

fn department_of(service: &Element<'_>, organisation: Option<&Code>) -> Result<Code, Problem> {
    let identifier = service.need("identifier")?;
    let (system, value) = pair(&identifier)?;
    let parts = value.split_once('/').filter(|_| system == DEPARTMENT);
    let department = parts
        .filter(|(owner, _)| organisation.is_some_and(|organisation| organisation.as_str() == *owner))
        .and_then(|(_, department)| Code::new(department).ok());
    department.ok_or_else(|| identifier.invalid("value", "member/department of urn:yiqiao:department"))
}

/// The code of a member, by which it is referred to.
pub(super) fn member(who: &Element<'_>) -> Result<Code, Problem> {
    let identifier = who.need("identifier")?;
    let (system, value) = pair(&identifier)?;
    let code = Code::new(value).ok().filter(|_| system == MEMBER);
    code.ok_or_else(|| identifier.invalid("value", "the code of a member, with system urn:yiqiao:member"))
}

/// System and value of an Identifier.
pub(super) fn pair<'v>(identifier: &Element<'v>) -> Result<(&'v str, &'v str), Problem> {
    let system = identifier.need_text("system")?;
    Ok((system, identifier.need_text("value")?))
}
