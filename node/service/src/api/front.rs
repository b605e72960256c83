//! What every area of the pages works with, and who is asking: the account of a session as an actor of the machine.
//!
//! A doctor's login is the staff code that the hospital's systems write as attending; a patient's account is bound to the
//! patient. Not here: what an actor may do, which the machine decides.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use serde::Serialize;
use yiqiao_host::accounts::{Account, Login};
use yiqiao_host::http::{Problem, kind};
use yiqiao_host::sessions::{Identity, SignedIn};
use yiqiao_node_core::actor::{Actor, Staff};
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::machine::Input;
use yiqiao_node_core::passkey::Prepared;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::id::{Code, EntryId, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;
use yiqiao_terms::harmonise::Terms;

use crate::api::enrolments::Enrolments;
use crate::api::faults::{NOT_SEEN, unfit};
use crate::api::limits::{
    CHALLENGE_LIFE, OPENING_LIFE, OPENINGS_MAX, SEARCH_LIFE, SEARCHES_MAX, SIGNINGS_MAX,
};
use crate::api::recent::Recent;
use crate::api::webauthn::Challenges;
use crate::app::App;

/// The role of accounts of patients.
pub(super) const PATIENT: &str = "patient";

/// The further role of accounts of guardians, which are bound to the patient, too.
pub(super) const GUARDIAN: &str = "guardian";

/// Roles of accounts that have patients, the widest first: an account with several acts in the first of them.
const ROLES: [(&str, PersonRole); 6] = [
    // Who judges others does not act beside them under the same account.
    ("medical-affairs", PersonRole::MedicalAffairs),
    ("head", PersonRole::DepartmentHead),
    ("doctor", PersonRole::Physician),
    ("nurse", PersonRole::Nurse),
    ("referral-office", PersonRole::ReferralOffice),
    ("desk", PersonRole::Desk),
];

/// Documents that a search found.
pub(super) type Listed = Arc<Vec<ListedDocument>>;

/// What the pages work with; clones are the same.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) app: App,
    /// Documents that were opened by a login a while ago: their bytes are no further opening.
    pub(super) openings: Arc<Recent<(Login, Code, EntryId), ()>>,
    /// Patients whom a login looked at a while ago: the same look is one line of the audit.
    pub(super) looks: Arc<Recent<(String, Subject), ()>>,
    /// What a login found when it last searched for a patient's documents.
    pub(super) searches: Arc<Recent<(String, Subject), Listed>>,
    /// Passkeys that are being enrolled.
    pub(super) enrolments: Arc<Enrolments>,
    /// Challenges to sign in by passkeys.
    pub(super) challenges: Arc<Challenges>,
    /// What an account is about to sign.
    pub(super) signings: Arc<Recent<String, Prepared>>,
    /// What hospitals' words and units mean.
    pub(super) terms: &'static Terms,
}

/// A code and its name, for people.
#[derive(Clone, Serialize)]
pub(super) struct Named {
    pub(super) code: String,
    pub(super) name: String,
}

/// A page of a list.
#[derive(Serialize)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

/// Somebody of the hospital who has patients.
pub(super) struct Acting {
    pub(super) actor: Actor,
    pub(super) account: Account,
}

/// A patient at the own account.
pub(super) struct Own {
    pub(super) actor: Actor,
    pub(super) subject: Subject,
}

/// `?after=`, as an answer before gave it.
pub(super) struct After(pub(super) Option<String>);

impl Front {
    pub(super) fn new(app: App) -> Self {
        Self {
            app,
            openings: Arc::new(Recent::new(OPENINGS_MAX, OPENING_LIFE)),
            looks: Arc::new(Recent::new(OPENINGS_MAX, OPENING_LIFE)),
            searches: Arc::new(Recent::new(SEARCHES_MAX, SEARCH_LIFE)),
            enrolments: Arc::new(Enrolments::new()),
            challenges: Arc::new(Challenges::new()),
            signings: Arc::new(Recent::new(SIGNINGS_MAX, CHALLENGE_LIFE)),
            terms: Terms::of_this_version(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.app.clock().now()
    }

    /// A time with the offset of the hospital's zone.
    pub(super) fn time(&self, at: Timestamp) -> String {
        self.app.reception.zone().show(at)
    }

    /// A member with its name; one that is no longer listed has its code for a name.
    pub(super) fn member(&self, code: &Code) -> Named {
        let directory = self.app.registry.directory();
        let name = directory.member(code).map_or_else(|| code.to_string(), |member| member.name.clone());
        Named { code: code.to_string(), name }
    }

    /// Writes down that somebody looks at a patient; refused if the patient is not seen.
    pub(super) async fn look(
        &self,
        actor: &Actor,
        subject: Option<Subject>,
        act: Act,
    ) -> Result<(), Problem> {
        self.app.inbox.hand(Input::Look { actor: actor.clone(), subject, act }).await?;
        Ok(())
    }

    /// Writes down that somebody looks at a patient's page: once, however often the page asks for its parts.
    pub(super) async fn view(&self, actor: &Actor, subject: Subject) -> Result<(), Problem> {
        let key = (actor.login().to_owned(), subject);
        if self.looks.get(self.now(), &key).is_none() {
            self.look(actor, Some(subject), Act::View).await?;
            self.looks.put(self.now(), key, ());
        }
        Ok(())
    }
}

impl FromRef<Front> for Identity {
    fn from_ref(front: &Front) -> Self {
        front.app.identity.clone()
    }
}

impl FromRequestParts<Front> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Problem> {
        let SignedIn(account) = SignedIn::from_request_parts(parts, front).await?;
        let staff = staff(&account).ok_or_else(|| Problem::new(&kind::FORBIDDEN))?;
        Ok(Self { actor: Actor::Staff(staff), account })
    }
}

impl FromRequestParts<Front> for Own {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Problem> {
        let signed_in = SignedIn::from_request_parts(parts, front).await?;
        signed_in.must_be(&[PATIENT])?;
        let bound = front.app.identity.accounts.bound(&signed_in.0.login)?;
        let own = bound.and_then(|whose| patient(&signed_in.0.login, &whose));
        let (actor, subject) = own.ok_or_else(|| Problem::new(&kind::FORBIDDEN))?;
        Ok(Self { actor, subject })
    }
}

/// The patient of an account that is bound to a record, or the guardian.
fn patient(login: &Login, whose: &str) -> Option<(Actor, Subject)> {
    let ward = whose.strip_prefix(GUARDIAN).and_then(|rest| rest.strip_prefix(':'));
    let subject = Subject::from_hex(ward.unwrap_or(whose))?;
    Some((Actor::Patient { account: login.to_string(), subject, guardian: ward.is_some() }, subject))
}

/// The same of an account that may be bound to none.
pub(super) fn own(identity: &Identity, login: &Login) -> Option<Actor> {
    let whose = identity.accounts.bound(login).ok().flatten()?;
    patient(login, &whose).map(|(actor, _)| actor)
}

impl<S: Sync> FromRequestParts<S> for After {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let after = query.split('&').find_map(|pair| pair.strip_prefix("after="));
        Ok(Self(after.filter(|after| !after.is_empty()).map(str::to_owned)))
    }
}

impl After {
    /// The place in a list that it names, if any.
    pub(super) fn place(&self) -> Result<Option<u64>, Problem> {
        let read = |text: &String| text.parse().map_err(|_| unfit("after", "as `next` of the page before"));
        self.0.as_ref().map(read).transpose()
    }
}

/// An account as staff; none if it has no role with patients.
pub(super) fn staff(account: &Account) -> Option<Staff> {
    let profile = &account.profile;
    let (_, role) = ROLES.into_iter().find(|(name, _)| profile.roles.contains(*name))?;
    // The exchange writes codes in small letters.
    let department = |code: &yiqiao_host::accounts::Code| Code::new(code.as_str().to_ascii_lowercase()).ok();
    let departments: BTreeSet<Code> = profile.departments.iter().filter_map(department).collect();
    Some(Staff {
        login: account.login.to_string(),
        name: Phi::new(profile.display_name.clone()),
        role,
        department: departments.first().filter(|_| departments.len() == 1).cloned(),
        departments,
    })
}

/// A patient's name in an address.
pub(super) fn subject(text: &str) -> Result<Subject, Problem> {
    Subject::from_hex(text).ok_or_else(|| Problem::new(&NOT_SEEN))
}

/// A member's code in an address.
pub(super) fn member_code(text: &str) -> Result<Code, Problem> {
    Code::new(text).map_err(|_| Problem::new(&NOT_SEEN))
}

#[cfg(test)]
mod tests {
    use yiqiao_host::accounts::Profile;

    use super::*;

    fn account(roles: &[&str], departments: &[&str]) -> Account {
        Account {
            login: "d1".parse().unwrap(),
            profile: Profile {
                display_name: "王医生".to_owned(),
                roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
                departments: departments.iter().map(|code| code.parse().unwrap()).collect(),
            },
            disabled: false,
            must_change_password: false,
            created: Timestamp::default(),
            password_set: Timestamp::default(),
        }
    }

    #[test]
    fn an_account_acts_in_its_widest_role() {
        let staff = staff(&account(&["desk", "head"], &["NX01"])).unwrap();
        assert_eq!(staff.role, PersonRole::DepartmentHead);
        assert_eq!(staff.department, Some(Code::new("nx01").unwrap()));
    }

    #[test]
    fn who_has_several_departments_acts_in_none_of_them() {
        let staff = staff(&account(&["doctor"], &["0101", "0203"])).unwrap();
        assert_eq!((staff.department, staff.departments.len()), (None, 2));
    }

    #[test]
    fn hospital_it_and_patients_are_no_staff_with_patients() {
        assert!(staff(&account(&["it"], &[])).is_none());
        assert!(staff(&account(&["patient"], &[])).is_none());
    }
}
