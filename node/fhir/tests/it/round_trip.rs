//! What a patient said is the same when it has gone out as a Consent and come back, and a Consent when it has gone in and come out.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use yiqiao_fhir::consent::{Consent, NewConsent, Part, read_new};
use yiqiao_fhir::search::Who;
use yiqiao_node_core::desk::Exception;
use yiqiao_proto::codes::{DocumentClass, LegalBasis, PersonRole, Purpose, Sensitivity, Stance};
use yiqiao_proto::directive::{Directive, Grantee, Notice, Said, What};
use yiqiao_proto::id::{Code, Digest, EntryId, PractitionerId, ReferralId};
use yiqiao_proto::time::Timestamp;

use crate::consent::as_directive;
use crate::{rules, scenes};

/// To the day on which the calendar library ends, a day before the protocol's time does; often on whole seconds.
fn instant() -> impl Strategy<Value = Timestamp> {
    let (first, last) = (-62_135_596_800, 253_402_200_000_i64);
    let near = prop_oneof![Just(0_i64), Just(1), Just(999), 0..1_000_i64];
    let second = prop_oneof![first..last, 1_795_305_600..1_795_305_700_i64];
    (second, near).prop_map(|(second, ms)| Timestamp::from_unix_ms(second * 1_000 + ms).unwrap())
}

fn ends() -> impl Strategy<Value = (Option<Timestamp>, Option<Timestamp>)> {
    (option::of(instant()), option::of(instant()))
        .prop_filter("forwards", |(from, until)| from.zip(*until).is_none_or(|(from, until)| from < until))
}

fn code() -> impl Strategy<Value = Code> {
    select(vec!["hospital-a", "hospital-b", "hospital-c"]).prop_map(scenes::code)
}

fn what() -> impl Strategy<Value = What> {
    let entries = btree_set((1_u8..9).prop_map(|byte| EntryId::new([byte; 32]).unwrap()), 0..4);
    let classes = btree_set(select(DocumentClass::ALL.to_vec()), 0..4);
    let sensitivities = btree_set(select(Sensitivity::ALL.to_vec()), 0..3);
    (classes, sensitivities, ends(), entries).prop_map(|(classes, sensitivities, ends, entries)| What {
        classes,
        sensitivities,
        service_from: ends.0,
        service_until: ends.1,
        entries,
    })
}

/// Of one organisation, or if it may be, of nobody by name.
fn grantee(organisation: BoxedStrategy<Option<Code>>) -> impl Strategy<Value = Grantee> {
    let within = (option::of(code()), option::of(1_u8..9), option::of(select(PersonRole::ALL.to_vec())));
    (organisation, within).prop_map(|(organisation, (department, practitioner, role))| Grantee {
        department: department.filter(|_| organisation.is_some()),
        practitioner: practitioner
            .filter(|_| organisation.is_some())
            .and_then(|byte| PractitionerId::new([byte; 32])),
        organisation,
        role,
        referral: None,
    })
}

fn permit_purposes() -> impl Strategy<Value = BTreeSet<Purpose>> {
    let ordinary = Purpose::ALL.iter().copied().filter(|purpose| *purpose != Purpose::Emergency);
    btree_set(select(ordinary.collect::<Vec<_>>()), 1..5)
}

/// What an exception says of its own; the rest is as in the permit.
type Own = (Option<BTreeSet<DocumentClass>>, Option<(Timestamp, Timestamp)>, Option<BTreeSet<Purpose>>);

fn own() -> impl Strategy<Value = Own> {
    let ends = (instant(), instant()).prop_filter("forwards", |(from, until)| from < until);
    let classes = option::of(btree_set(select(DocumentClass::ALL.to_vec()), 1..4));
    (classes, option::of(ends), option::of(permit_purposes()))
}

#[derive(Debug)]
struct Scene {
    directive: Directive,
    parts: Vec<Part>,
}

fn scene() -> impl Strategy<Value = Scene> {
    let named = || code().prop_map(Some).boxed();
    let anybody = option::of(code()).boxed();
    let permits = (vec(grantee(named()), 1..4), vec(own(), 0..4), permit_purposes(), any::<bool>());
    let all = btree_set(select(Purpose::ALL.to_vec()), 0..5);
    let forbids = (vec(grantee(anybody), 1..3), all);
    let said = prop_oneof![
        permits.prop_map(|(grantees, left_out, purposes, visible)| {
            (Stance::Permit, grantees, left_out, purposes, visible)
        }),
        forbids.prop_map(|(grantees, purposes)| (Stance::Forbid, grantees, Vec::new(), purposes, false)),
    ];
    let ends = (instant(), option::of(instant()))
        .prop_filter("forwards", |(from, until)| until.is_none_or(|until| *from < until));
    let limits = (what(), btree_set(code(), 0..3), option::of(1_u8..9), ends, any::<bool>());
    (said, limits).prop_map(|(said, (what, keepers, referral, (valid_from, valid_until), by_guardian))| {
        let (stance, mut grantees, left_out, purposes, existence_visible) = said;
        let referral = referral.and_then(|byte| ReferralId::new([byte; 32]));
        for grantee in &mut grantees {
            grantee.referral = referral;
        }
        // One whom a forbid does not limit would be named by no actor beside one who is.
        let anybody = grantees
            .iter()
            .position(|grantee| *grantee == Grantee { referral: grantee.referral, ..Grantee::default() });
        if let Some(anybody) = anybody {
            grantees = vec![grantees.remove(anybody)];
        }
        let mut distinct: Vec<Grantee> = Vec::new();
        for grantee in grantees {
            if !distinct.contains(&grantee) {
                distinct.push(grantee);
            }
        }
        let basis = match (stance, by_guardian) {
            (Stance::Permit, true) => LegalBasis::GuardianConsent,
            (Stance::Permit, false) => LegalBasis::SeparateConsent,
            (Stance::Forbid, true) => LegalBasis::GuardianObjection,
            (Stance::Forbid, false) => LegalBasis::Objection,
        };
        let directive = Directive {
            stance,
            grantee: distinct[0].clone(),
            custodian: keepers.first().cloned(),
            what,
            purposes,
            valid_from,
            valid_until,
            notice: Notice { version: "2026-11".to_owned(), hash: Digest::new([5; 32]).unwrap() },
            existence_visible,
            basis,
            ..scenes::permit()
        };
        let parts = parts(&directive, &distinct, &keepers, &left_out);
        Scene { directive, parts }
    })
}

/// Each with each, all with the same exceptions.
fn parts(whole: &Directive, grantees: &[Grantee], keepers: &BTreeSet<Code>, left_out: &[Own]) -> Vec<Part> {
    let keepers: Vec<Option<Code>> =
        if keepers.is_empty() { vec![None] } else { keepers.iter().cloned().map(Some).collect() };
    let mut parts = Vec::new();
    for grantee in grantees {
        for custodian in &keepers {
            let exception = |(classes, service, purposes): &Own| Exception {
                grantee: grantee.clone(),
                custodian: custodian.clone(),
                what: What {
                    classes: classes.clone().unwrap_or_else(|| whole.what.classes.clone()),
                    service_from: service.map(|(from, _)| from).or(whole.what.service_from),
                    service_until: service.map(|(_, until)| until).or(whole.what.service_until),
                    ..whole.what.clone()
                },
                purposes: purposes.clone().unwrap_or_else(|| whole.purposes.clone()),
                valid_from: Some(whole.valid_from),
                valid_until: whole.valid_until,
            };
            let exceptions = left_out.iter().map(exception).collect();
            parts.push(Part { grantee: grantee.clone(), custodian: custodian.clone(), exceptions });
        }
    }
    parts
}

fn written(directive: &Directive, parts: &[Part]) -> Value {
    let consent = Consent { parts: parts.to_vec(), ..scenes::consent(directive.clone()) };
    let resource = consent.write(&scenes::patient(), &scenes::site());
    rules::check(&resource);
    resource.json().expose().clone()
}

fn read(json: &Value) -> NewConsent {
    let bytes = json.to_string();
    let read = read_new(bytes.as_bytes(), &scenes::site(), &scenes::everybody());
    read.unwrap_or_else(|refused| panic!("{refused}: {json}"))
}

/// Whether an exception leaves nothing of its part: that is refused, and so never said.
fn leaves_nothing(scene: &Scene) -> bool {
    let whole = &scene.directive;
    let leaves_nothing = |exception: &Exception| {
        let (own, of) = (&exception.what, &whole.what);
        let all = of.classes.is_subset(&own.classes) && !of.classes.is_empty() || own.classes.is_empty();
        let from = own.service_from.unwrap_or(Timestamp::MIN) <= of.service_from.unwrap_or(Timestamp::MIN);
        let until = own.service_until.unwrap_or(Timestamp::MAX) >= of.service_until.unwrap_or(Timestamp::MAX);
        all && from && until && whole.purposes.is_subset(&exception.purposes)
    };
    scene.parts.iter().flat_map(|part| &part.exceptions).any(leaves_nothing)
}

proptest! {
    #[test]
    fn a_directive_that_went_out_as_a_consent_comes_back_in_the_same_words(scene in scene()) {
        prop_assume!(scene.parts.len() <= 8 && !leaves_nothing(&scene));
        prop_assert_eq!(Directive::decode(&scene.directive.encode()), Ok(scene.directive.clone()));
        let new = read(&written(&scene.directive, &scene.parts));
        prop_assert_eq!(&new.parts, &scene.parts);
        let again = as_directive(&new, &scene.directive);
        prop_assert_eq!(again, scene.directive);
    }

    #[test]
    fn a_consent_of_pcf_that_came_in_goes_out_with_all_that_it_said(consent in pcf()) {
        let new = read(&consent);
        let directive = as_directive(&new, &scenes::permit());
        let out = written(&directive, &new.parts);
        prop_assert_eq!(&read(&out).parts, &new.parts);
        says(&consent, &out, &new);
    }
}

/// A Consent of the profiles Basic and Intermediate, with the elements that this door takes.
fn pcf() -> impl Strategy<Value = Value> {
    let purpose = prop_oneof![
        Just(vec!["TREAT", "HPAYMT", "HOPERAT"]),
        Just(vec!["TREAT"]),
        Just(vec!["HRESCH"]),
        Just(vec!["PATRQT", "HQUALIMP"]),
    ];
    let actor = btree_set(select(vec!["hospital-a", "hospital-b", "hospital-c"]), 0..3);
    let day = || (2010_i32..2030, 1_u8..13, 1_u8..29).prop_map(|(y, m, d)| format!("{y}-{m:02}-{d:02}"));
    let period = (
        select(vec!["2026", "2026-11-22", "2026-11-22T08:00:00+08:00"]),
        option::of(select(vec!["2031", "2031-02", "2031-02-03T04:05:06Z"])),
    );
    let data_period = option::of((day(), day())).prop_map(|ends| ends.filter(|(from, until)| from < until));
    let data = vec(1_u8..9, 0..3);
    let author = option::of(select(vec!["hospital-a", "hospital-b"]));
    let nested = option::of(
        (2011_i32..2029).prop_map(|year| json!({"type": "deny", "dataPeriod": {"end": year.to_string()}})),
    );
    let by = select(vec!["Patient", "RelatedPerson"]);
    (select(vec!["permit", "deny"]), by, purpose, actor, (period, data_period), (data, author, nested)).prop_map(
        |(kind, by, purpose, actor, (period, data_period), (data, author, nested))| {
            let patient = json!({"reference": format!("Patient/{}", scenes::subject())});
            let reason = |code: &&str| json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code});
            let member = |code: &str| json!({"identifier": {"system": "urn:yiqiao:member", "value": code}});
            let role = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]});
            let mut of: Vec<Value> = author.iter().map(|code| json!({"meaning": "authoredby", "reference": member(code)})).collect();
            let distinct: BTreeSet<u8> = data.into_iter().collect();
            of.extend(distinct.iter().map(|byte| json!({"meaning": "instance", "reference": {"reference": format!("DocumentReference/{}", scenes::entry_id(*byte))}})));
            let mut provision = json!({"type": kind, "purpose": purpose.iter().map(reason).collect::<Vec<_>>(), "period": {"start": period.0}});
            if let Some(end) = period.1 {
                provision["period"]["end"] = json!(end);
            }
            let actors: Vec<Value> = actor.iter().map(|code| json!({"role": role, "reference": member(code)})).collect();
            for (name, list) in [("actor", actors), ("data", of)] {
                if !list.is_empty() {
                    provision[name] = json!(list);
                }
            }
            if let Some((start, end)) = &data_period {
                provision["dataPeriod"] = json!({"start": start, "end": end});
            }
            // Inherited limits could make a stretch end before it begins.
            if let Some(nested) = nested.filter(|_| kind == "permit" && data_period.is_none()) {
                provision["provision"] = json!([nested]);
            }
            json!({
                "resourceType": "Consent",
                "status": "active",
                "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
                "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
                "patient": patient,
                "dateTime": "2026-11-22",
                "performer": [if by == "Patient" { patient } else { json!({"type": by}) }],
                "organization": [member("hospital-a")],
                "sourceAttachment": {"title": "2026-11", "extension": [{"url": "urn:yiqiao:sha256", "valueString": "5a".repeat(32)}]},
                "policy": [{"uri": "urn:yiqiao:notice:2026-11"}],
                "provision": provision,
            })
        },
    )
}

/// Fails unless each thing that came in goes out; a member that nobody named is named.
fn says(came: &Value, out: &Value, new: &NewConsent) {
    let (from, to) = (&came["provision"], &out["provision"]);
    for name in ["status", "policy"] {
        assert_eq!(came[name], out[name], "{name}");
    }
    assert_eq!(out["sourceAttachment"]["title"], came["sourceAttachment"]["title"]);
    assert_eq!(out["sourceAttachment"]["extension"], came["sourceAttachment"]["extension"]);
    let organisation = |consent: &Value| consent["organization"][0]["identifier"].clone();
    assert_eq!(organisation(came), organisation(out));
    assert_eq!(from["type"], to["type"]);
    let codes = |of: &Value, name: &str| {
        let items = of[name].as_array().into_iter().flatten();
        items.map(|one| one["code"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(codes(from, "purpose"), codes(to, "purpose"));
    let actors = |of: &Value| {
        let items = of["actor"].as_array().into_iter().flatten();
        items.map(|one| one["reference"]["identifier"]["value"].clone()).collect::<Vec<_>>()
    };
    if from.get("actor").is_some() || from["type"] == "deny" {
        assert_eq!(actors(from), actors(to));
    } else {
        assert_eq!(actors(to).len(), scenes::everybody().len());
    }
    let data = |of: &Value| {
        let items = of["data"].as_array().into_iter().flatten();
        let said = |one: &Value| {
            let of = &one["reference"];
            (one["meaning"].clone(), of["reference"].clone(), of["identifier"].clone())
        };
        items.map(said).collect::<Vec<_>>()
    };
    assert_eq!(data(from), data(to));
    let nested = |of: &Value| of["provision"].as_array().map_or(0, Vec::len);
    assert_eq!(nested(from), nested(to));
    for name in ["period", "dataPeriod"] {
        assert_eq!(from.get(name).is_some(), to.get(name).is_some(), "{name}");
    }
    let again = read(out);
    assert_eq!(
        (again.valid_from, again.valid_until, &again.what),
        (new.valid_from, new.valid_until, &new.what)
    );
    let kind = if new.performer.is_none() { "RelatedPerson" } else { "Patient" };
    assert_eq!(out["performer"][0]["type"], kind);
    assert_eq!(again.patient, Who::Subject(scenes::subject()));
}
