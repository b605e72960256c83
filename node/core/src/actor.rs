//! Who acts: what the service in front has made sure of before an input comes.
//!
//! A doctor's login is the staff code that the hospital's systems write as attending: it is what ties a login to visits.
//! Not here: accounts and passwords; whom somebody may see.

use std::collections::BTreeSet;

use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::{Code, PractitionerId, Subject};
use yiqiao_proto::phi::Phi;

use crate::at_rest::{AtRest, Tag};

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Somebody of the hospital.
    Staff(Staff),
    /// A patient, or the guardian, logged in to an account that is bound to the patient's record.
    Patient {
        /// The account.
        account: String,
        /// The patient.
        subject: Subject,
        /// Who is logged in is the patient's guardian.
        guardian: bool,
    },
    /// A system of the hospital, with nobody at it.
    System(Code),
    /// The node itself.
    Node,
}

/// Somebody of the hospital.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staff {
    /// The login: the staff code of the hospital's systems.
    pub login: String,
    /// The name.
    pub name: Phi<String>,
    /// The role acted in.
    pub role: PersonRole,
    /// The departments belonged to.
    pub departments: BTreeSet<Code>,
    /// The department acted in, one of them.
    pub department: Option<Code>,
}

impl Actor {
    /// The role that words of the exchange carry.
    pub const fn role(&self) -> PersonRole {
        match self {
            Self::Staff(staff) => staff.role,
            Self::Patient { guardian: true, .. } => PersonRole::Guardian,
            Self::Patient { guardian: false, .. } => PersonRole::Patient,
            Self::System(_) | Self::Node => PersonRole::System,
        }
    }

    /// The name under which the hospital knows the actor.
    pub fn login(&self) -> &str {
        match self {
            Self::Staff(staff) => &staff.login,
            Self::Patient { account, .. } => account,
            Self::System(system) => system.as_str(),
            Self::Node => "",
        }
    }

    /// The department acted in.
    pub const fn department(&self) -> Option<&Code> {
        match self {
            Self::Staff(staff) => staff.department.as_ref(),
            Self::Patient { .. } | Self::System(_) | Self::Node => None,
        }
    }

    /// The pseudonym of the actor towards one patient: another one for each, so that nobody outside can count whom somebody
    /// treats (P-1).
    pub fn pseudonym(&self, subject: &Subject, at_rest: &AtRest) -> PractitionerId {
        let kind: &[u8] = match self {
            Self::Staff(_) => b"staff",
            Self::Patient { .. } => b"patient",
            Self::System(_) => b"system",
            Self::Node => b"node",
        };
        let tag = at_rest.tag(Tag::Practitioner, &[kind, self.login().as_bytes(), subject.as_bytes()]);
        PractitionerId::new(*tag.as_bytes()).expect("a keyed hash is never all zeros")
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn p1_a_pseudonym_is_another_one_for_each_patient_and_each_actor() {
        let at_rest = AtRest::new(&Zeroizing::new([1; 32]));
        let subject = |seed| Subject::new([seed; 32]).unwrap();
        let staff = |login: &str| {
            Actor::Staff(Staff {
                login: login.to_owned(),
                name: Phi::new("王医生".to_owned()),
                role: PersonRole::Physician,
                departments: BTreeSet::new(),
                department: None,
            })
        };
        let wang = staff("d1").pseudonym(&subject(1), &at_rest);
        assert_eq!(wang, staff("d1").pseudonym(&subject(1), &at_rest));
        assert_ne!(wang, staff("d1").pseudonym(&subject(2), &at_rest));
        assert_ne!(wang, staff("d2").pseudonym(&subject(1), &at_rest));
        assert_ne!(wang, Actor::System(Code::new("d1").unwrap()).pseudonym(&subject(1), &at_rest));
        assert!(!format!("{:?}", staff("d1")).contains('王'));
    }
}
