//! Steps of referrals that contradict the state, or are not the attacker's to take (R-1 to R-5, E-6, E-7).

use std::collections::BTreeMap;

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::calls::{Method, StepRequest};
use yiqiao_proto::codes::{AccessAct, ReferralAct, Sex, Urgency, Way};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::form::{BirthDate, Body, Clinical, FormPerson, ReferralForm, ReferralReply, Route};
use yiqiao_proto::id::{Code, Digest, ReferralId};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::{ReferralStep, Side, StepFacts, side_of};

use super::attempt::Step;
use super::{Hostile, Known};
use crate::load::listed;
use crate::network::{Carried, Who};

/// Steps that the receiving side takes.
const RECEIVING: [ReferralAct; 6] = [
    ReferralAct::Accept,
    ReferralAct::Decline,
    ReferralAct::Redirect,
    ReferralAct::Arrive,
    ReferralAct::Admit,
    ReferralAct::Answer,
];
/// Steps that the referring side takes.
const REFERRING: [ReferralAct; 3] = [ReferralAct::Cancel, ReferralAct::Close, ReferralAct::Expire];

/// What a step says, and to whom it is told.
struct ToTell {
    from: Code,
    to: Code,
    told: Who,
    referral: ReferralId,
    act: ReferralAct,
    number: u32,
    previous: Option<Digest>,
    seen: u32,
}

impl Hostile {
    /// A step that is not its to take, or not there.
    pub(super) fn steps(&mut self, known: &Known<'_>, step: Step) -> Option<(Who, Carried)> {
        let own = self.own()?;
        let to_tell = match step {
            Step::Send => self.invented(&own, ReferralAct::Send)?,
            Step::OfNone => self.invented(&own, ReferralAct::Accept)?,
            Step::AsOther => {
                let to_tell = self.invented(&own, ReferralAct::Cancel)?;
                ToTell { from: self.another(&[&own, &to_tell.to])?.1, ..to_tell }
            }
            Step::ToOther => {
                let to_tell = self.invented(&own, ReferralAct::Send)?;
                ToTell { told: self.another(&[&own, &to_tell.to])?.0, ..to_tell }
            }
            Step::OfOthers => self.of_others(known, &own)?,
            Step::Again => self.after_own(&own, |facts, _| (facts.number, facts.previous))?,
            Step::On => self.after_own(&own, |facts, hash| (facts.number + 1, Some(hash)))?,
            Step::Gap => self.after_own(&own, |facts, hash| (facts.number + 3, Some(hash)))?,
            Step::OtherSide => {
                let to_tell = self.after_own(&own, |facts, hash| (facts.number + 1, Some(hash)))?;
                let is_receiving = side_of(to_tell.act) == Side::Receiving;
                let acts: &[ReferralAct] = if is_receiving { &REFERRING } else { &RECEIVING };
                ToTell { act: *self.chance.pick(acts), seen: 1, ..to_tell }
            }
        };
        self.step(known, to_tell)
    }

    /// A step of a referral that does not exist.
    fn invented(&mut self, own: &Code, act: ReferralAct) -> Option<ToTell> {
        let (told, to) = self.another(&[own])?;
        let seen = u32::from(act != ReferralAct::Send);
        Some(ToTell {
            from: own.clone(),
            to,
            told,
            referral: ReferralId::new(self.bytes())?,
            act,
            number: 1,
            previous: None,
            seen,
        })
    }

    /// A step of a referral between two others, told to one of them.
    fn of_others(&mut self, known: &Known<'_>, own: &Code) -> Option<ToTell> {
        let others = |event: &AccessEvent, _: &str| {
            let is_side = event.organisation == *own || event.counterpart.as_ref() == Some(own);
            event.act == AccessAct::ReferralStep && event.referral.is_some() && !is_side
        };
        let event = self.some(known, others)?;
        let act = *self.chance.pick(&RECEIVING);
        let told = self.region.who(&event.organisation)?;
        let invented = self.invented(own, act)?;
        Some(ToTell { to: event.organisation, told, referral: event.referral?, ..invented })
    }

    /// A step about a referral of which it has taken steps, by the last of these: under which number, after which step.
    fn after_own(
        &mut self,
        own: &Code,
        place: impl Fn(&StepFacts, Digest) -> (u32, Option<Digest>),
    ) -> Option<ToTell> {
        let last: BTreeMap<ReferralId, (StepFacts, Digest)> = self
            .stepped
            .iter()
            .filter(|(facts, _)| facts.from == *own)
            .map(|step| (step.0.referral, step.clone()))
            .collect();
        let last: Vec<_> = last.into_values().collect();
        let (facts, hash) = (!last.is_empty()).then(|| self.chance.pick(&last).clone())?;
        let (number, previous) = place(&facts, hash);
        let is_receiving = side_of(facts.act) == Side::Receiving;
        let acts: &[ReferralAct] = if is_receiving { &RECEIVING } else { &REFERRING };
        Some(ToTell {
            told: self.region.who(&facts.to)?,
            from: facts.from,
            to: facts.to,
            referral: facts.referral,
            act: *self.chance.pick(acts),
            number,
            previous,
            seen: facts.seen,
        })
    }

    fn step(&mut self, known: &Known<'_>, step: ToTell) -> Option<(Who, Carried)> {
        let key = known.members.sealing_key(&step.to)?;
        let body = if step.act == ReferralAct::Send {
            Body::Form(Box::new(self.form(known)?))
        } else {
            Body::Reply(Phi::new(ReferralReply::default()))
        };
        let facts = StepFacts {
            referral: step.referral,
            number: step.number,
            previous: step.previous,
            seen: step.seen,
            from: step.from,
            to: step.to,
            act: step.act,
            at: known.now,
            sealing_key: key.id(),
        };
        let mut entropy = Entropy::new(self.bytes());
        let word = ReferralStep::seal(facts, &body.encode(), &key.public_key, &mut entropy).ok()?;
        let envelope = self.sign(known, &word).as_bytes().to_vec();
        Some((step.told, Carried::of(Method::Step, &StepRequest { envelope })))
    }

    /// A form about a patient of others, with a document of others.
    fn form(&mut self, known: &Known<'_>) -> Option<ReferralForm> {
        let (tokens, entry) = (self.tokens(known)?, self.entry(known)?);
        let clinical = Clinical {
            reason: "转诊".to_owned(),
            impressions: Vec::new(),
            present_history: String::new(),
            past_history: String::new(),
            treatment: String::new(),
            plan: String::new(),
        };
        let document = listed(&entry);
        Some(ReferralForm {
            person: FormPerson {
                identifiers: Vec::new(),
                name: Phi::new("某某".to_owned()),
                sex: Phi::new(Sex::NotStated),
                birth: Phi::new(BirthDate { year: 0, month: 0, day: 0 }),
                phone: Phi::new(String::new()),
            },
            tokens,
            route: Route {
                from_department: None,
                physician: Phi::new("某某".to_owned()),
                physician_phone: Phi::new(String::new()),
                to_department: None,
                urgency: Urgency::Urgent,
                way: Way::Up,
            },
            clinical: Phi::new(clinical),
            documents: vec![document],
            directives: Vec::new(),
            answer_until: None,
        })
    }
}
