//! What patients say at the desk becomes words in the log, and words are handed in until they stand there.

use std::collections::BTreeSet;

use yiqiao_node_core::ask::{self, WordState};
use yiqiao_node_core::desk::{Exception, NewPermit, Wish};
use yiqiao_node_core::machine::{Effect, Input, Outcome, Refused};
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{DocumentClass, PersonRole, ProofKind, RefusalCode, Stance};
use yiqiao_proto::directive::{Act, Directive, Grantee, What, exception_id, part_id};
use yiqiao_proto::envelope::{Kind, Word};
use yiqiao_proto::id::{Code, DirectiveId};
use yiqiao_proto::limits::PARTS_MAX;
use yiqiao_proto::time::Millis;

use crate::copies::left_out;
use crate::region::{list, refusal, token_secret};
use crate::rig::{patient, report};
use crate::story::{Story, forbid, permit};

fn directives(story: &Story) -> Vec<Act<Directive>> {
    let acts = story.registry.log().filter(|word| word.kind() == Kind::Directive);
    acts.map(|word| Act::decode(word.payload()).expect("a directive")).collect()
}

#[test]
fn c10_an_act_is_said_under_every_token_with_the_head_that_was_shown() {
    let mut two = list(100);
    two.token_keys.push(token_secret(2).public());
    let mut story = Story::of(&two);
    story.node.receive(&report("1", patient("p", Some(1)), "r1"));
    story.live(3_000);
    story.permit();
    let mut statement = story.statement();
    let tokens = story.node.patient("p").unwrap().tokens;
    statement.heads = vec![(tokens[0], 0)];
    let input = Input::Forbid(Box::new((statement, forbid(story.node.now))));
    let Outcome::Said(numbers) = story.act(&input) else { panic!() };
    assert_eq!(numbers.len(), 2);
    story.live(1_000);
    let said = directives(&story);
    let facts = |act: &Act<Directive>| (act.said.stance, act.said.patient, act.said.head_version);
    let expected = [
        (Stance::Permit, tokens[0], 0),
        (Stance::Permit, tokens[1], 0),
        (Stance::Forbid, tokens[0], 0),
        (Stance::Forbid, tokens[1], 1),
    ];
    assert_eq!(said.iter().map(facts).collect::<Vec<_>>(), expected);
    assert!(said.iter().all(|act| act.proof.kind() == ProofKind::DeskWitness));
    for number in numbers {
        assert!(matches!(story.node.ask(|_, view| ask::word(number, view)), Some(WordState::Stands(_))));
    }
}

#[test]
fn c8_nothing_that_a_desk_keeps_leaves_in_the_clear() {
    let mut story = Story::with_document();
    story.permit();
    for word in story.registry.log() {
        for secret in ["paper 17", "d7", "李前台"] {
            let found = word.payload().windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found || secret == "d7", "{secret} stands in a {:?}", word.kind());
        }
    }
    for record in &story.node.journal {
        assert!(!record.windows(8).any(|part| part == b"paper 17"));
    }
}

#[test]
fn what_cannot_be_said_changes_nothing() {
    let mut story = Story::with_document();
    let now = story.node.now;
    let records = story.node.journal.len();
    let mut for_all = permit(now);
    for_all.grantee.organisation = None;
    let cases = [(story.statement(), for_all)];
    for case in cases {
        let refused = story.node.handle(&Input::Permit(Box::new(case))).unwrap().unwrap_err();
        assert!(matches!(refused, Refused::Act(_)), "{refused}");
    }
    let mut statement = story.statement();
    statement.evidence = vec![0; 5_000];
    let refused = story.node.handle(&Input::Permit(Box::new((statement, permit(now))))).unwrap();
    assert_eq!(refused.unwrap_err(), Refused::Evidence);
    assert_eq!(story.node.journal.len(), records);
}

#[test]
fn t2_a_patient_without_identifiers_is_told_so() {
    let mut story = Story::new();
    story.node.receive(&report("1", patient("p", None), "r1"));
    let input = Input::Permit(Box::new((story.statement(), permit(story.node.now))));
    assert_eq!(story.node.handle(&input).unwrap().unwrap_err(), Refused::NoToken);
}

#[test]
fn tokens_of_a_patient_without_documents_are_computed_when_wanted() {
    let mut story = Story::new();
    let known = crate::rig::event(yiqiao_intake::facts::Trigger::Updated, patient("p", Some(4)), 10);
    story.node.receive(&crate::rig::Msg::new("1", crate::rig::Says::Events(vec![known])));
    let subject = story.subject();
    let Outcome::Tokens(tokens) = story.act(&Input::Tokens(subject)) else { panic!() };
    assert_eq!((tokens.len(), story.registry.evaluated), (1, 1));
    assert!(matches!(story.act(&Input::Tokens(subject)), Outcome::Tokens(_)));
    assert_eq!(story.registry.evaluated, 1);
}

#[test]
fn a_word_is_handed_in_until_it_stands_and_acts_never_wait_for_events() {
    let mut story = Story::with_document();
    let numbers = story.try_permit().unwrap();
    let effects = story.node.due().unwrap();
    let kinds = |effects: &[Effect]| {
        let kind = |effect: &Effect| {
            let Effect::Submit { words, .. } = effect else { panic!("{effect:?}") };
            words[0].0.kind()
        };
        effects.iter().map(kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&effects), [Kind::Directive, Kind::AccessEvent]);
    for effect in &effects {
        let Effect::Submit { ticket, .. } = effect else { panic!() };
        story.node.decide(&Input::Failed { ticket: *ticket, refusal: None }).unwrap();
    }
    assert_eq!(story.node.ask(|_, view| ask::word(numbers[0], view)), Some(WordState::Waiting));
    // L-1: what was taken although the answer was lost is taken once.
    let late = story.registry.answer(story.node.now, &effects[0]);
    story.live(5_000);
    assert_eq!(directives(&story).len(), 1);
    assert!(matches!(story.node.ask(|_, view| ask::word(numbers[0], view)), Some(WordState::Stands(_))));
    assert_eq!(story.node.handle(&late).unwrap().unwrap().outcome, Outcome::Done);
}

#[test]
fn a_refusal_for_good_settles_a_word_and_is_kept_for_a_person() {
    let mut story = Story::with_document();
    let unknown = DirectiveId::new([9; 32]).unwrap();
    let revocation = story.revocation(unknown);
    let Outcome::Said(numbers) = story.act(&revocation) else { panic!() };
    story.registry.refuse =
        vec![Some(Refusal { code: RefusalCode::NotMember, clause: "C-13", retry_after: None })];
    let effects = story.node.due().unwrap();
    let settled = story.registry.answer(story.node.now, &effects[0]);
    let outcome = story.node.handle(&settled).unwrap().unwrap().outcome;
    let result = WordState::Refused { code: RefusalCode::NotMember, clause: "C-13".to_owned() };
    assert_eq!(outcome, Outcome::Settled { words: vec![(numbers[0], result.clone())] });
    assert_eq!(story.node.ask(|_, view| ask::refused(0, view)), [(numbers[0], result)]);
    // What passes by waiting does not settle it.
    let Effect::Submit { ticket, .. } = effects[1] else { panic!() };
    let busy = Input::Failed { ticket, refusal: refusal(RefusalCode::Busy) };
    assert_eq!(story.node.handle(&busy).unwrap().unwrap().outcome, Outcome::Done);
    story.live(400_000);
    let waiting = story.node.ask(|_, view| ask::waiting(view));
    assert_eq!((waiting.acts, waiting.others, waiting.refused), (0, 0, 1));
}

#[test]
fn c16_a_permit_that_is_refused_leaves_no_objection_behind() {
    let mut story = Story::with_document();
    let granted = story.permit();
    let revocation = story.revocation(granted);
    story.act(&revocation);
    story.live(1_000);
    assert_eq!(directives(&story).len(), 1);
    let whole = permit(story.node.now);
    let laboratory = What { classes: BTreeSet::from([DocumentClass::Laboratory]), ..What::default() };
    let exception = left_out(&whole, laboratory);
    let wish = NewPermit { exceptions: vec![exception], ..whole };
    // The patient was shown what stood before the revocation: such a permit is refused, an objection never (C-11).
    let mut statement = story.statement();
    statement.heads = vec![(story.token(), 0)];
    let said = story.act(&Input::Permit(Box::new((statement, wish.clone()))));
    let Outcome::Said(numbers) = said else { panic!("{said:?}") };
    let effects = story.node.due().unwrap();
    let answer = story.registry.answer(story.node.now, &effects[0]);
    let outcome = story.node.handle(&answer).unwrap().unwrap().outcome;
    let refused = WordState::Refused { code: RefusalCode::OutOfOrder, clause: "C-11".to_owned() };
    let words = numbers.iter().map(|number| (*number, refused.clone())).collect();
    assert_eq!(outcome, Outcome::Settled { words }, "whoever waits for one of them is told");
    story.live(1_000);
    assert_eq!((numbers.len(), directives(&story).len()), (2, 1), "whole or not at all");
    let waiting = story.node.ask(|_, view| ask::waiting(view));
    assert_eq!((waiting.acts, waiting.refused), (0, 2));
    // With what stands now both are taken, the exception before the permit, also if the first answer is lost.
    story.registry.refuse = vec![None];
    let said = story.act(&Input::Permit(Box::new((story.statement(), wish))));
    let Outcome::Said(numbers) = said else { panic!("{said:?}") };
    story.live(10_000);
    for number in numbers {
        assert!(matches!(story.node.ask(|_, view| ask::word(number, view)), Some(WordState::Stands(_))));
    }
    let stances: Vec<_> = directives(&story).iter().map(|act| act.said.stance).collect();
    assert_eq!(stances, [Stance::Permit, Stance::Forbid, Stance::Permit]);
    story.node.rebuild();
    assert_eq!(story.node.ask(|_, view| ask::waiting(view)).acts, 0);
}

/// The same permit to another organisation.
fn to(organisation: &str, whole: &NewPermit) -> NewPermit {
    let organisation = Some(Code::new(organisation).expect("a code"));
    NewPermit { grantee: Grantee { organisation, ..whole.grantee.clone() }, ..whole.clone() }
}

#[test]
fn c17_what_is_said_to_several_is_a_directive_for_each_taken_together() {
    let mut story = Story::with_document();
    let whole = permit(story.node.now);
    let nurses = Grantee { role: Some(PersonRole::Nurse), ..whole.grantee.clone() };
    let a_day_later = whole.valid_from + Millis::new(86_400_000);
    let exception = Exception {
        grantee: nurses.clone(),
        valid_from: Some(a_day_later),
        ..left_out(&whole, whole.what.clone())
    };
    let first = NewPermit { exceptions: vec![exception], ..whole.clone() };
    let wishes = vec![Wish::Permit(first), Wish::Permit(to("bureau", &whole))];
    let said = story.act(&Input::Several(Box::new((story.statement(), wishes))));
    let Outcome::Said(numbers) = said else { panic!("{said:?}") };
    let effects = story.node.due().unwrap();
    assert!(matches!(&effects[0], Effect::Submit { words, .. } if words.len() == 3), "one submission");
    let answer = story.registry.answer(story.node.now, &effects[0]);
    story.node.handle(&answer).unwrap().unwrap();
    for number in numbers {
        assert!(matches!(story.node.ask(|_, view| ask::word(number, view)), Some(WordState::Stands(_))));
    }
    let said: Vec<Directive> = directives(&story).into_iter().map(|act| act.said).collect();
    let [nobody, one, other] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!([nobody.stance, one.stance, other.stance], [Stance::Forbid, Stance::Permit, Stance::Permit]);
    assert_eq!((other.id, nobody.id), (part_id(&one.id, 1), exception_id(&one.id, 0)));
    assert_eq!((&nobody.grantee, nobody.valid_from), (&nurses, a_day_later), "C-16: limits of its own");
    assert_eq!(other.grantee.organisation, Code::new("bureau").ok());
}

#[test]
fn c17_what_is_not_the_same_to_all_or_to_too_many_is_refused() {
    let mut story = Story::with_document();
    let whole = permit(story.node.now);
    let laboratory = What { classes: BTreeSet::from([DocumentClass::Laboratory]), ..What::default() };
    let other = NewPermit { what: laboratory, ..to("bureau", &whole) };
    let objection = Wish::Forbid(forbid(story.node.now));
    let one = Wish::Permit(whole);
    for wishes in [
        vec![],
        vec![one.clone(), Wish::Permit(other)],
        vec![one.clone(), objection],
        vec![one; PARTS_MAX + 1],
    ] {
        let said = Input::Several(Box::new((story.statement(), wishes)));
        assert!(matches!(story.node.handle(&said).unwrap(), Err(Refused::Act(_))));
    }
    assert_eq!(directives(&story), []);
}

#[test]
fn what_waited_for_a_registry_that_was_away_goes_on_once_it_answers() {
    let mut story = Story::with_document();
    story.registry.is_away = true;
    story.live(3_600_000);
    story.node.receive(&report("2", patient("p", Some(1)), "r2"));
    story.live(600_000);
    assert_eq!(story.registry.entries().len(), 1);
    story.registry.is_away = false;
    story.live(15_000);
    assert_eq!(story.registry.entries().len(), 2);
}

#[test]
fn what_was_said_while_the_registry_was_away_for_a_moment_does_not_wait_for_minutes() {
    let mut story = Story::with_document();
    story.registry.is_away = true;
    for _ in 0..16 {
        // Each denial is an event.
        let request = story.request();
        story.ask(&request);
    }
    story.live(8_000);
    assert_eq!(story.node.ask(|_, view| ask::waiting(view)).others, 16);
    story.registry.is_away = false;
    story.live(16_000);
    assert_eq!(story.node.ask(|_, view| ask::waiting(view)).others, 0);
}

#[test]
fn t5_after_a_call_without_an_answer_tokens_are_not_asked_for_again_at_once() {
    let mut story = Story::new();
    story.node.receive(&report("1", patient("p", Some(1)), "r1"));
    let asks = Input::Tokens(story.subject());
    let handled = story.node.handle(&asks).unwrap().unwrap();
    assert!(matches!(handled.outcome, Outcome::Waiting(_)));
    story.registry.refuse.push(None);
    for effect in handled.effects {
        story.carry_out(&effect).unwrap();
    }
    assert_eq!(story.node.decide(&asks), Err(Refused::RegistryAway));
    story.live(10_000);
    assert!(matches!(story.act(&asks), Outcome::Tokens(tokens) if tokens.len() == 1));
}
