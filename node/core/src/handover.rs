//! What the other side of a referral would get of the documents that it lists, before it asks for them: nothing is let go by
//! this, and nothing is written down. Not here: the decision itself, which is `consent`'s, at each pull (P-4).

use std::collections::BTreeSet;

use yiqiao_proto::codes::{PersonRole, Purpose};
use yiqiao_proto::id::{Code, EntryId, ReferralId, Subject};
use yiqiao_proto::release::Asker;
use yiqiao_proto::time::Timestamp;

use crate::actor::Actor;
use crate::machine::Machine;
use crate::state::{Fault, View};
use crate::tokens::{self, Tokens};
use crate::{consent, holder, person, seal};

/// Documents of this node that a referral hands over, or is to.
#[derive(Clone, Debug)]
pub struct Handover {
    /// The patient.
    pub subject: Subject,
    /// The other side.
    pub to: Code,
    /// Its department, if one is named.
    pub department: Option<Code>,
    /// The referral, once it has an id.
    pub referral: Option<ReferralId>,
    /// The documents.
    pub entries: Vec<EntryId>,
}

impl Machine {
    /// Which of the documents the other side would be let have for treatment once it has accepted, by what is known now. None
    /// while that cannot be told, for want of a lease or of what is in force (F-5, F-7).
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn would_hand_over(
        &self,
        handover: &Handover,
        now: Timestamp,
        view: &View,
    ) -> Result<Option<BTreeSet<EntryId>>, Fault> {
        let subject = person::root(view, handover.subject)?;
        if seal::closes(&subject, None, view)? {
            return Ok(Some(BTreeSet::new()));
        }
        let documents = holder::documents_of(&subject, &handover.entries, view)?;
        let tokens = match tokens::of_subject(self, view, &subject)? {
            Tokens::All(tokens) => tokens,
            Tokens::Missing(..) => Vec::new(),
        };
        consent::foresee(self, view, &tokens, &self.other_side(handover, &subject), &documents, now)
    }

    /// The other side as it asks by itself for what a referral lists: in the name of nobody.
    fn other_side(&self, handover: &Handover, subject: &Subject) -> Asker {
        Asker {
            organisation: handover.to.clone(),
            department: handover.department.clone(),
            practitioner: Actor::Node.pseudonym(subject, &self.keys.at_rest),
            role: PersonRole::ReferralOffice,
            purpose: Purpose::Treatment,
            referral: handover.referral,
            treating: true,
            break_glass: None,
        }
    }
}
