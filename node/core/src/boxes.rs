//! Referrals as they are shown: what was sent, what has come, and one with all that was said in it.

use yiqiao_proto::codes::{ReferralAct, RefusalCode};
use yiqiao_proto::form::{Body, ReferralForm, ReferralReply};
use yiqiao_proto::id::{Code, Digest, ReferralId, Subject};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::{Side, State};
use yiqiao_proto::time::Timestamp;

use crate::actor::Actor;
use crate::audit;
use crate::list::List;
use crate::machine::Machine;
use crate::person;
use crate::referral;
use crate::state::kept::{self, StepDone};
use crate::state::{self, Fault, View, damaged, read_referral_id, read_subject};
use crate::step;

/// A folder of referrals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// What this hospital has sent.
    Sent,
    /// What has come.
    Inbox,
}

/// A referral.
#[derive(Clone, Debug)]
pub struct Referral {
    /// The member that refers.
    pub referring: Code,
    /// Its id, the referring member's.
    pub id: ReferralId,
    /// The member that receives.
    pub receiving: Code,
    /// The side that this hospital is on.
    pub side: Side,
    /// Where it stands.
    pub state: State,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// The patient; on the receiving side once filed.
    pub subject: Option<Subject>,
    /// The form.
    pub form: ReferralForm,
    /// To whom it is given: a login.
    pub assigned: Option<String>,
    /// Steps of this side that the other side has not taken in.
    pub untold: usize,
    /// How the other side refuses the next one for good.
    pub stuck: Option<RefusalCode>,
    /// Whether the other side has seen the last step of this side, as it says itself: then a final state is settled.
    pub seen: bool,
}

/// A step as it is shown.
#[derive(Clone, Debug)]
pub struct Step {
    /// Whether this hospital took it.
    pub own: bool,
    /// What was done.
    pub act: ReferralAct,
    /// When, by the clock of who took it.
    pub at: Timestamp,
    /// What was said; none of a send, whose form stands with the referral.
    pub reply: Option<Phi<ReferralReply>>,
}

impl Machine {
    /// Referrals of a folder that the actor may see, the newest first, before a place if one is given: each with its place,
    /// and the place to go on before; none at the end.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    #[expect(clippy::type_complexity, reason = "a page and where it goes on")]
    pub fn referrals(
        &self,
        actor: &Actor,
        of: Folder,
        before: Option<u64>,
        view: &View,
    ) -> Result<(Vec<(u64, Referral)>, Option<u64>), Fault> {
        let list = if of == Folder::Sent { List::sent() } else { List::inbox() };
        let places = list.before(before, view)?;
        let next = places.last().map(|(place, _)| *place).filter(|place| *place > 1);
        Ok((self.shown_referrals(actor, places, view)?, next))
    }

    /// The referrals of a patient, that the actor may see, after a place in their list.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn referrals_of(
        &self,
        actor: &Actor,
        subject: &Subject,
        after: u64,
        view: &View,
    ) -> Result<Vec<(u64, Referral)>, Fault> {
        self.shown_referrals(actor, List::referrals_of_subject(subject).after(after, view)?, view)
    }

    /// The referral in the course of which a patient is looked after here, through all merges: the newest that has come and is not over. Of those
    /// that the actor may see, and of the last page of each number.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn course_of(
        &self,
        actor: &Actor,
        subject: &Subject,
        view: &View,
    ) -> Result<Option<Referral>, Fault> {
        let mut open = Vec::new();
        for subject in person::all_of(view, *subject)? {
            let places = List::referrals_of_subject(&subject).before(None, view)?;
            let shown = self.shown_referrals(actor, places, view)?.into_iter().map(|(_, referral)| referral);
            open.extend(shown.filter(|one| one.side == Side::Receiving && !one.state.is_final()));
        }
        Ok(open.into_iter().max_by_key(|one| one.sent_at))
    }

    /// One referral with its steps: those of the referring side and those of the receiving side, each in order, merged by
    /// what each had seen.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn referral(
        &self,
        actor: &Actor,
        referring: &Code,
        id: &ReferralId,
        view: &View,
    ) -> Result<Option<(Referral, Vec<Step>)>, Fault> {
        let name = referral::name(referring, id);
        let Some(kept) = view.find(&state::referral(&name))? else { return Ok(None) };
        if !referral::may_look(self, actor, &kept)? {
            return Ok(None);
        }
        let steps = |own: bool| (1..=count(&kept, own)).map(move |number| state::step(&name, own, number));
        view.need(&steps(true).chain(steps(false)).collect::<Vec<_>>())?;
        let timeline = self.timeline(&name, &kept, view)?;
        Ok(Some((self.shown_referral(&name, &kept, view)?, timeline)))
    }

    /// The members whose referrals with this id the actor may see: one, for ids are drawn; more if a member took another's.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn referrers(&self, actor: &Actor, id: &ReferralId, view: &View) -> Result<Vec<Code>, Fault> {
        let codes = || self.directory.list().members.iter().map(|member| &member.code);
        view.need(&codes().map(|code| state::referral(&referral::name(code, id))).collect::<Vec<_>>())?;
        let mut found = Vec::new();
        for code in codes() {
            if let Some(kept) = view.find(&state::referral(&referral::name(code, id)))?
                && referral::may_look(self, actor, &kept)?
            {
                found.push(code.clone());
            }
        }
        Ok(found)
    }

    fn timeline(&self, name: &Digest, kept: &kept::Referral, view: &View) -> Result<Vec<Step>, Fault> {
        let (mut own, mut theirs) = (kept.own.iter().peekable(), kept.theirs.iter().peekable());
        let (mut owns, mut others) = (0, 0);
        let mut steps = Vec::new();
        loop {
            let is_own = match (own.peek(), theirs.peek()) {
                // A step comes after all that its side had seen; of two that crossed the earlier clock decides.
                (Some(one), Some(other)) => {
                    one.seen <= others && (other.seen > owns || (one.at, one.seen) <= (other.at, other.seen))
                }
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return Ok(steps),
            };
            let next = if is_own { own.next() } else { theirs.next() };
            let number = if is_own { &mut owns } else { &mut others };
            *number += 1;
            steps.push(self.shown_step(name, is_own, *number, next.ok_or_else(damaged)?, view)?);
        }
    }

    fn shown_step(
        &self,
        name: &Digest,
        own: bool,
        number: u32,
        done: &StepDone,
        view: &View,
    ) -> Result<Step, Fault> {
        let reply = match step::body(self, name, own, number, view)? {
            Body::Form(_) => None,
            Body::Reply(reply) => Some(reply),
        };
        let at = Timestamp::from_unix_ms(done.at).ok_or_else(damaged)?;
        Ok(Step { own, act: step::act_of(done)?, at, reply })
    }

    fn shown_referrals(
        &self,
        actor: &Actor,
        places: Vec<(u64, Digest)>,
        view: &View,
    ) -> Result<Vec<(u64, Referral)>, Fault> {
        view.need(&places.iter().map(|(_, name)| state::referral(name)).collect::<Vec<_>>())?;
        let mut seen = Vec::new();
        for (place, name) in places {
            let kept = view.get(&state::referral(&name))?;
            if referral::may_look(self, actor, &kept)? {
                seen.push((place, name, kept));
            }
        }
        let first = |(_, name, kept): &(u64, Digest, kept::Referral)| {
            Ok(state::step(name, step::side(kept)? == Side::Referring, 1))
        };
        view.need(&seen.iter().map(first).collect::<Result<Vec<_>, Fault>>()?)?;
        let show = |(place, name, kept): (u64, Digest, kept::Referral)| {
            Ok((place, self.shown_referral(&name, &kept, view)?))
        };
        seen.into_iter().map(show).collect()
    }

    fn shown_referral(&self, name: &Digest, kept: &kept::Referral, view: &View) -> Result<Referral, Fault> {
        let code = |text: &str| Code::new(text).map_err(|_| damaged());
        let sent = if step::side(kept)? == Side::Referring { kept.own.first() } else { kept.theirs.first() };
        let seen = kept.theirs.last().map_or(0, |step| step.seen);
        Ok(Referral {
            referring: code(&kept.referring)?,
            id: read_referral_id(&kept.id)?,
            receiving: code(&kept.receiving)?,
            side: step::side(kept)?,
            state: step::state(kept)?,
            sent_at: sent.and_then(|step| Timestamp::from_unix_ms(step.at)).ok_or_else(damaged)?,
            subject: audit::optional(&kept.subject, read_subject)?,
            form: *step::form(self, name, kept, view)?,
            assigned: referral::assigned_login(self, name, kept)?,
            untold: kept.own.len().saturating_sub(kept.told as usize),
            stuck: RefusalCode::try_from(kept.code).ok(),
            seen: seen as usize == kept.own.len(),
        })
    }
}

fn count(kept: &kept::Referral, own: bool) -> u32 {
    let steps = if own { &kept.own } else { &kept.theirs };
    u32::try_from(steps.len()).unwrap_or(u32::MAX)
}
