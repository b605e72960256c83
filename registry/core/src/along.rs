//! What is taken back along with a permit: the same one under the patient's other tokens (C-10).
//!
//! Consent stands under each token by itself, and a desk knows the tokens of the identifiers that its hospital knows. Who takes a
//! permit back there means it everywhere. So tokens that belong to one patient, by what members have said, are looked at
//! together; that only ever takes permits away.

use std::collections::BTreeSet;

use yiqiao_consent::scope::is_same_scope;
use yiqiao_proto::codes::Stance;
use yiqiao_proto::directive::Directive;
use yiqiao_proto::id::{Code, Subject as SubjectId};
use yiqiao_proto::limits::TOKENS_MAX;
use yiqiao_proto::token::Token;

use crate::consent::{consent_of, record_of, settle, tell_holders};
use crate::index::{read_token, read_tokens, write_token};
use crate::patient;
use crate::state::{self, ActToken, Fault, Spent, View};
use crate::take::{Standing, damaged};

/// Remembers that a member said an act under a token.
pub(crate) fn said(signer: &Code, directive: &Directive, view: &mut View) -> Result<(), Fault> {
    let slot = state::act_tokens(&directive.id);
    let mut known = view.get(&slot)?;
    let own = known.tokens.iter().filter(|other| other.signer == signer.as_str()).count();
    if own < TOKENS_MAX {
        let token = Some(write_token(directive.patient));
        known.tokens.push(ActToken { signer: signer.to_string(), token });
        view.put(&slot, &known);
    }
    Ok(())
}

/// Takes the permits back that let the same happen under other tokens of the patient.
pub(crate) fn take_back(word: &Standing, permit: &Directive, view: &mut View) -> Result<(), Fault> {
    let tokens = others(permit, view)?;
    patient::load_ahead(&tokens, view)?;
    let mut touched = Vec::new();
    for token in tokens {
        let record = record_of(&view.get(&state::consent(&token))?)?;
        let is_same = |it: &&Directive| it.stance == Stance::Permit && is_same_scope(it, permit);
        let acts = record.in_force().iter().map(|act| &act.directive).filter(is_same);
        let gone: Vec<_> = acts.map(|directive| directive.id).collect();
        if !gone.is_empty() {
            touched.push((token, record, gone));
        }
    }
    patient::load_events(&touched.iter().map(|(token, ..)| *token).collect::<Vec<_>>(), view)?;
    for (token, mut record, gone) in touched {
        let mut consent = consent_of(view, &token)?;
        for id in gone {
            let slot = state::spent(&token, &id);
            let spent = view.get(&slot)?;
            view.put(&slot, &Spent { along: true, ..spent });
            record.accept_revocation(id, word.opening.accepted_at);
        }
        settle(&mut consent, &record, None);
        view.put(&state::consent(&token), &consent);
        patient::add_event(&token, word.opening.seq, view)?;
        tell_holders(&token, view)?;
    }
    Ok(())
}

/// The patient's other tokens: those of the subjects that have this one, by the statements in force, and those under which the
/// same act was said by the same member.
fn others(permit: &Directive, view: &View) -> Result<Vec<Token>, Fault> {
    let (subjects, acts) = (state::subjects(&permit.patient), state::act_tokens(&permit.id));
    let mut tokens = BTreeSet::new();
    let said = view.get(&acts)?.tokens;
    let own = Some(write_token(permit.patient));
    let by: BTreeSet<&str> = said.iter().filter(|it| it.token == own).map(|it| it.signer.as_str()).collect();
    for twin in said.iter().filter(|twin| by.contains(twin.signer.as_str())) {
        tokens.insert(twin.token.as_ref().and_then(read_token).ok_or_else(damaged)?);
    }
    let slot = |of: state::SubjectRef| {
        let id = of.subject.as_slice().try_into().ok().and_then(SubjectId::new).ok_or_else(damaged)?;
        Ok(state::subject(&Code::new(of.publisher).map_err(|_| damaged())?, &id))
    };
    let slots: Vec<_> = view.get(&subjects)?.subjects.into_iter().map(slot).collect::<Result<_, Fault>>()?;
    view.need(&slots)?;
    for slot in &slots {
        tokens.extend(read_tokens(&view.get(slot)?)?);
    }
    tokens.remove(&permit.patient);
    Ok(tokens.into_iter().collect())
}
