//! One-time codes by which patients who stand at a desk enrol a passkey: short-lived, used once, few tries.
//!
//! A code has twelve digits, easy to read aloud and to type: four name the enrolment, and eight are the secret. In memory only:
//! after a restart the desk begins again. Not here: what becomes of the passkey.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use yiqiao_host::http::{Problem, kind};
use yiqiao_host::keys;
use yiqiao_node_core::actor::Actor;
use yiqiao_proto::hash;
use yiqiao_proto::id::{Digest, Subject};
use yiqiao_proto::time::Timestamp;

use crate::api::faults::ENROLMENT_OVER;
use crate::api::limits::{
    ENROLMENT_LIFE, ENROLMENT_TRIES_MAX, ENROLMENTS_MAX, ENROLMENTS_OF_DESK_MAX, WRONG_CODES_KEPT_MAX,
    WRONG_CODES_MAX,
};
use crate::api::recent::Recent;

/// Begun at a desk, and not done yet.
#[derive(Clone)]
pub(super) struct Enrolment {
    /// Who checked who the patient is.
    pub(super) actor: Actor,
    /// The patient.
    pub(super) subject: Subject,
    /// Who is to sign with it, for how long, and what the desk keeps of the check.
    pub(super) checked: Checked,
    /// What the passkey is to be made for.
    pub(super) challenge: Digest,
    begun: Timestamp,
    /// SHA-256 of the secret part of the code.
    secret: Digest,
    wrong: u32,
}

/// What a desk has made sure of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Checked {
    /// It is the patient's guardian who stands there.
    pub(super) guardian: bool,
    /// Until when that person signs, if there is an end to it.
    pub(super) until: Option<Timestamp>,
    /// What is kept of the check.
    pub(super) evidence: Vec<u8>,
}

/// All that are open.
pub(super) struct Enrolments {
    open: Mutex<BTreeMap<u16, Enrolment>>,
    /// How often an address named a code that was none.
    wrong: Recent<IpAddr, u32>,
}

/// So many enrolments can be named.
const NAMES: u16 = 10_000;
const SECRETS: u64 = 100_000_000;

impl Enrolments {
    pub(super) fn new() -> Self {
        Self { open: Mutex::default(), wrong: Recent::new(WRONG_CODES_KEPT_MAX, ENROLMENT_LIFE) }
    }

    /// Begins an enrolment, in place of one of the same patient: its code.
    pub(super) fn begin(
        &self,
        now: Timestamp,
        (actor, subject): (Actor, Subject),
        checked: Checked,
    ) -> Result<String, Problem> {
        let mut open = self.open();
        open.retain(|_, other| other.lives(now) && other.subject != subject);
        let of_desk = open.values().filter(|other| other.actor.login() == actor.login()).count();
        if open.len() >= ENROLMENTS_MAX || of_desk >= ENROLMENTS_OF_DESK_MAX {
            return Err(Problem::new(&kind::TRY_LATER).retry_after(ENROLMENT_LIFE));
        }
        let mut name = number(u64::from(NAMES));
        while open.contains_key(&name.1) {
            name = number(u64::from(NAMES));
        }
        let secret = format!("{:08}", number(SECRETS).0);
        let challenge = Digest::new(keys::random()).expect("chance is not all zeros");
        let secret_hash = hashed(&secret);
        let enrolment =
            Enrolment { actor, subject, checked, challenge, begun: now, secret: secret_hash, wrong: 0 };
        open.insert(name.1, enrolment);
        Ok(format!("{:04}{secret}", name.1))
    }

    /// The enrolment of a code. A wrong one counts against the enrolment that it names, and against who names it.
    pub(super) fn find(&self, now: Timestamp, from: IpAddr, code: &str) -> Result<Enrolment, Problem> {
        let wrong = self.wrong.get(now, &from).map_or(0, |(_, wrong)| wrong);
        if wrong >= WRONG_CODES_MAX {
            return Err(Problem::new(&kind::TRY_LATER).retry_after(ENROLMENT_LIFE));
        }
        let found = self.named(now, code);
        if found.is_none() {
            self.wrong.put(now, from, wrong + 1);
        }
        found.ok_or_else(|| Problem::new(&ENROLMENT_OVER))
    }

    fn named(&self, now: Timestamp, code: &str) -> Option<Enrolment> {
        let (name, secret) = parts(code)?;
        let mut open = self.open();
        let enrolment = open.get_mut(&name).filter(|enrolment| enrolment.lives(now))?;
        if enrolment.secret == hashed(secret) {
            return Some(enrolment.clone());
        }
        enrolment.wrong += 1;
        if enrolment.wrong >= ENROLMENT_TRIES_MAX {
            open.remove(&name);
        }
        None
    }

    /// It is used up; false if it was before.
    pub(super) fn use_up(&self, enrolment: &Enrolment) -> bool {
        let mut open = self.open();
        let before = open.len();
        open.retain(|_, other| other.challenge != enrolment.challenge);
        open.len() < before
    }

    /// Until when an enrolment of the patient is open, if one is.
    pub(super) fn until(&self, now: Timestamp, subject: &Subject) -> Option<Timestamp> {
        let open = self.open();
        let own = open.values().find(|enrolment| enrolment.subject == *subject && enrolment.lives(now))?;
        Some(own.begun + ENROLMENT_LIFE)
    }

    /// A panic while the lock is held leaves the map whole: each change is one call.
    fn open(&self) -> MutexGuard<'_, BTreeMap<u16, Enrolment>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Enrolment {
    fn lives(&self, now: Timestamp) -> bool {
        now.since(self.begun) < ENROLMENT_LIFE
    }
}

/// A number below a bound; twice, for the one that fits.
fn number(below: u64) -> (u64, u16) {
    let number = u64::from_be_bytes(keys::random()) % below;
    (number, u16::try_from(number).unwrap_or(u16::MAX))
}

/// Name and secret of a code as people type it.
fn parts(code: &str) -> Option<(u16, &str)> {
    let is_code = code.len() == 12 && code.bytes().all(|byte| byte.is_ascii_digit());
    let (name, secret) = code.split_at_checked(4).filter(|_| is_code)?;
    Some((name.parse().ok()?, secret))
}

fn hashed(secret: &str) -> Digest {
    hash::sha256("yiqiao/node/enrolment/1", &[secret.as_bytes()])
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use yiqiao_proto::id::Code;
    use yiqiao_proto::time::Millis;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(1_790_000_000_000).unwrap() + Millis::new(ms)
    }

    fn subject(seed: u8) -> Subject {
        Subject::new([seed; 32]).unwrap()
    }

    fn desk(name: &str) -> Actor {
        Actor::System(Code::new(name).unwrap())
    }

    fn checked() -> Checked {
        Checked { guardian: true, until: Some(at(9)), evidence: b"card".to_vec() }
    }

    fn begin(enrolments: &Enrolments, now: u64, seed: u8) -> String {
        enrolments.begin(at(now), (desk("d7"), subject(seed)), checked()).unwrap()
    }

    fn address(last: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + last).into()
    }

    #[test]
    fn a_code_opens_its_enrolment_until_it_is_used_or_over() {
        let enrolments = Enrolments::new();
        let code = begin(&enrolments, 0, 1);
        assert_eq!(code.len(), 12);
        let found = enrolments.find(at(1), HERE, &code).unwrap();
        assert_eq!((found.subject, &found.checked), (subject(1), &checked()));
        let last = ENROLMENT_LIFE.get() - 1;
        assert!(enrolments.find(at(last), HERE, &code).is_ok());
        assert_eq!(enrolments.until(at(last), &subject(1)), Some(at(ENROLMENT_LIFE.get())));
        assert!(enrolments.find(at(last + 1), HERE, &code).is_err());
        assert_eq!(enrolments.until(at(last + 1), &subject(1)), None);
        assert!(enrolments.use_up(&found) && !enrolments.use_up(&found));
        assert!(enrolments.find(at(2), HERE, &code).is_err());
    }

    #[test]
    fn the_next_code_of_a_patient_ends_the_one_before() {
        let enrolments = Enrolments::new();
        let (first, other) = (begin(&enrolments, 0, 1), begin(&enrolments, 0, 2));
        let second = begin(&enrolments, 1, 1);
        assert!(enrolments.find(at(2), HERE, &first).is_err());
        assert!(enrolments.find(at(2), HERE, &second).is_ok());
        assert!(enrolments.find(at(2), HERE, &other).is_ok());
    }

    #[test]
    fn a_code_that_was_guessed_at_too_often_opens_nothing() {
        let enrolments = Enrolments::new();
        let code = begin(&enrolments, 0, 1);
        let (name, secret) = parts(&code).unwrap();
        let wrong = format!("{name:04}{:08}", (secret.parse::<u64>().unwrap() + 1) % SECRETS);
        for guess in 1..ENROLMENT_TRIES_MAX {
            assert!(enrolments.find(at(1), address(guess), &wrong).is_err());
            assert!(enrolments.find(at(1), HERE, &code).is_ok(), "after {guess} guesses");
        }
        assert!(enrolments.find(at(1), address(99), &wrong).is_err());
        assert!(enrolments.find(at(1), HERE, &code).is_err());
    }

    #[test]
    fn who_names_many_wrong_codes_is_not_listened_to_for_a_while() {
        let enrolments = Enrolments::new();
        let code = begin(&enrolments, 0, 1);
        let none = format!("{:04}00000000", (parts(&code).unwrap().0 + 1) % NAMES);
        for wrong in ["", "123", "12345678901x", "１２３４５６７８９０１２", none.as_str()]
            .iter()
            .cycle()
            .take(WRONG_CODES_MAX as usize)
        {
            let refused = enrolments.find(at(1), address(7), wrong).err().unwrap();
            assert_eq!(refused.kind().slug, "enrolment-over");
        }
        let refused = enrolments.find(at(1), address(7), &code).err().unwrap();
        assert_eq!(refused.kind().slug, "try-later");
        assert!(enrolments.find(at(1), HERE, &code).is_ok(), "another address");
        let later = at(1 + ENROLMENT_LIFE.get());
        let code = enrolments.begin(later, (desk("d7"), subject(1)), Checked::default()).unwrap();
        assert!(enrolments.find(later, address(7), &code).is_ok());
    }

    #[test]
    fn a_desk_and_all_desks_have_a_bounded_number_open() {
        let enrolments = Enrolments::new();
        for seed in 1..=ENROLMENTS_OF_DESK_MAX {
            begin(&enrolments, 0, u8::try_from(seed).unwrap());
        }
        assert!(enrolments.begin(at(1), (desk("d7"), subject(99)), Checked::default()).is_err());
        assert!(
            enrolments.begin(at(1), (desk("d7"), subject(1)), Checked::default()).is_ok(),
            "the same patient"
        );
        assert!(
            enrolments.begin(at(1), (desk("d8"), subject(99)), Checked::default()).is_ok(),
            "another desk"
        );
        let over = at(ENROLMENT_LIFE.get());
        assert!(
            enrolments.begin(over, (desk("d7"), subject(98)), Checked::default()).is_ok(),
            "once some are over"
        );
        let full = Enrolments::new();
        for number in 0..ENROLMENTS_MAX {
            let mut name = [1; 32];
            name[0] = u8::try_from(number % 200).unwrap();
            name[1] = u8::try_from(number / 200).unwrap();
            let patient = Subject::new(name).unwrap();
            full.begin(at(0), (desk(&format!("d{}", number / 8)), patient), Checked::default()).unwrap();
        }
        assert!(full.begin(at(1), (desk("d999"), subject(77)), Checked::default()).is_err());
    }
}
