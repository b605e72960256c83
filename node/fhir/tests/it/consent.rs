//! Consents: what is written, and what is taken in or refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use yiqiao_fhir::consent::{Consent, NewConsent, Part, Source, Standing, read_new, read_revocation};
use yiqiao_fhir::outcome::Problem;
use yiqiao_fhir::search::Who;
use yiqiao_node_core::desk::Exception;
use yiqiao_proto::codes::{LegalBasis, PersonRole, Purpose, RevocationReason, Sensitivity, Stance};
use yiqiao_proto::directive::{Directive, Grantee, Said, What};
use yiqiao_proto::id::{PractitionerId, ReferralId};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::time::Timestamp;

use crate::{rules, scenes};

/// A forbid of everybody, for everything but emergencies.
fn forbid() -> Directive {
    Directive {
        stance: Stance::Forbid,
        grantee: Grantee::default(),
        custodian: None,
        what: What::default(),
        purposes: BTreeSet::new(),
        valid_until: None,
        existence_visible: false,
        basis: LegalBasis::Objection,
        ..scenes::permit()
    }
}

/// A permit to one physician of one department in the course of one referral.
fn narrow() -> Directive {
    let grantee = Grantee {
        organisation: Some(scenes::code("hospital-b")),
        department: Some(scenes::code("cardiology")),
        practitioner: PractitionerId::new([8; 32]),
        role: Some(PersonRole::Physician),
        referral: ReferralId::new([4; 32]),
    };
    Directive { grantee, ..scenes::permit() }
}

fn written(directive: Directive) -> Value {
    let resource = scenes::consent(directive).write(&scenes::patient(), &scenes::site());
    rules::check(&resource);
    resource.json().expose().clone()
}

fn read(json: &Value) -> Result<NewConsent, Problem> {
    read_new(json.to_string().as_bytes(), &scenes::site(), &scenes::everybody())
}

/// Reads a Consent in which one value was changed; null takes it away.
fn changed(mut json: Value, pointer: &str, value: Value) -> Result<NewConsent, Problem> {
    let (holder, name) = pointer.rsplit_once('/').unwrap();
    let members = json.pointer_mut(holder).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    read(&json)
}

/// The directive that was read; what a Consent does not say is as in another.
pub(crate) fn as_directive(new: &NewConsent, like: &Directive) -> Directive {
    let first = new.parts.first().unwrap();
    Directive {
        id: like.id,
        patient: like.patient,
        stance: new.stance,
        grantee: first.grantee.clone(),
        custodian: first.custodian.clone(),
        what: new.what.clone(),
        purposes: new.purposes.clone(),
        valid_from: new.valid_from.unwrap(),
        valid_until: new.valid_until,
        notice: new.notice.clone(),
        existence_visible: new.existence_visible,
        basis: new.basis,
        head_version: like.head_version,
    }
}

#[test]
fn a_permit_is_one_provision() {
    let json = written(scenes::permit());
    let coding =
        |system: &str, code: &str, display: &str| json!({"system": system, "code": code, "display": display});
    let confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    let reason = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    let participation = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    let member = |code: &str| json!({"type": "Organization", "identifier": {"system": "urn:yiqiao:member", "value": code}});
    let document = |byte: &str| {
        let url = format!("DocumentReference/{}", byte.repeat(32));
        json!({"meaning": "instance", "reference": {"reference": url, "type": "DocumentReference"}})
    };
    let expected = json!({
        "extension": [{"url": "urn:yiqiao:consent-existence-visible", "valueBoolean": true}],
        "type": "permit",
        "period": {"start": "2026-11-22T08:00:00+08:00", "end": "2027-01-02T23:59:59.999+08:00"},
        "actor": [
            {"role": {"coding": [coding(participation, "IRCP", "information recipient")]}, "reference": member("hospital-b")},
        ],
        "securityLabel": [coding(confidentiality, "N", "normal"), coding(confidentiality, "R", "restricted")],
        "purpose": [coding(reason, "TREAT", "treatment"), coding(reason, "HPAYMT", "healthcare payment")],
        "class": [coding("urn:yiqiao:document-class", "laboratory", "检验报告")],
        "dataPeriod": {"start": "2026-11-18T04:00:00+08:00", "end": "2026-11-22T08:00:00.004+08:00"},
        "data": [
            {"meaning": "authoredby", "reference": member("hospital-a")},
            document("01"),
            document("02"),
        ],
    });
    assert_eq!(json["provision"], expected);
    assert_eq!(json["status"], "active");
    assert_eq!(
        json["policy"],
        json!([{"uri": format!("urn:yiqiao:notice:{}", scenes::permit().notice.version)}])
    );
    assert_eq!(json["policyRule"]["coding"][0]["code"], "OPTIN");
    assert_eq!(json["performer"][0]["type"], "Patient");
}

#[test]
fn a_consent_says_of_which_profile_of_pcf_it_is_one() {
    let level = |directive: Directive| {
        let resource = scenes::consent(directive).write(&scenes::patient(), &scenes::site());
        rules::check(&resource);
        let profile = resource.json().expose()["meta"]["profile"][0].as_str().map(str::to_owned);
        profile.map(|profile| profile.rsplit_once("consent").unwrap().1.to_owned())
    };
    let basic = Directive { custodian: None, what: What::default(), ..scenes::permit() };
    let what = |what: What| Directive { what, ..basic.clone() };
    let whole = scenes::permit().what;
    let dated = What { service_from: whole.service_from, ..What::default() };
    let labelled = What { sensitivities: whole.sensitivities, ..What::default() };
    let of_one = Directive { custodian: Some(scenes::code("hospital-a")), ..basic.clone() };
    assert_eq!(level(basic.clone()).as_deref(), Some("Basic"));
    for directive in [what(dated), of_one, forbid()] {
        assert_eq!(level(directive).as_deref(), Some("Intermediate"));
    }
    assert_eq!(level(what(labelled)).as_deref(), Some("Advanced"));
    assert_eq!(level(scenes::permit()), None, "classes are none of PCF's elements");
    let undated = Consent { recorded_at: None, ..scenes::consent(basic) };
    let undated = undated.write(&scenes::patient(), &scenes::site());
    assert_eq!(undated.json().expose()["meta"]["profile"], Value::Null, "without a date");
}

#[test]
fn the_member_that_keeps_is_named_as_an_actor_or_as_the_author() {
    let mut json = written(scenes::permit());
    let data = json["provision"]["data"].as_array_mut().unwrap();
    let keeps = data.remove(0)["reference"].clone();
    let role = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "CST"}]});
    let actor = json!({"role": role, "reference": keeps});
    json["provision"]["actor"].as_array_mut().unwrap().push(actor);
    let new = read(&json).unwrap();
    assert_eq!(as_directive(&new, &scenes::permit()), scenes::permit());
}

#[test]
fn what_is_written_is_read_back_whole() {
    let guarded = Directive { basis: LegalBasis::GuardianConsent, ..scenes::permit() };
    let guardians = Directive { basis: LegalBasis::GuardianObjection, ..forbid() };
    let of_role = Grantee { role: Some(PersonRole::Nurse), ..Grantee::default() };
    let named = BTreeSet::from([Purpose::Emergency, Purpose::Research]);
    let of_a_role = Directive { grantee: of_role, purposes: named, ..forbid() };
    for directive in [scenes::permit(), forbid(), narrow(), guarded, guardians, of_a_role] {
        let new = read(&written(directive.clone())).unwrap();
        assert_eq!(new.patient, Who::Subject(scenes::subject()));
        assert_eq!(as_directive(&new, &directive), directive);
        assert_eq!(Directive::decode(&directive.encode()), Ok(directive));
    }
}

/// What a permit of everything leaves out: a member's documents, a stretch of time, single documents, a purpose.
fn exceptions(whole: &Directive) -> Vec<Exception> {
    let all = Exception {
        grantee: whole.grantee.clone(),
        custodian: whole.custodian.clone(),
        what: whole.what.clone(),
        purposes: whole.purposes.clone(),
        valid_from: Some(whole.valid_from),
        valid_until: whole.valid_until,
    };
    let given = scenes::permit().what;
    let what = |what: What| Exception { what, ..all.clone() };
    vec![
        Exception { custodian: Some(scenes::code("hospital-a")), ..all.clone() },
        what(What {
            service_from: given.service_from,
            service_until: given.service_until,
            ..whole.what.clone()
        }),
        what(What { entries: given.entries, ..whole.what.clone() }),
        Exception { purposes: BTreeSet::from([Purpose::Payment]), ..all },
    ]
}

#[test]
fn c16_a_permit_says_what_it_leaves_out_and_is_read_back_whole() {
    let whole = Directive { custodian: None, what: What::default(), ..scenes::permit() };
    let mut consent = scenes::consent(whole.clone());
    consent.parts[0].exceptions = exceptions(&whole);
    let resource = consent.write(&scenes::patient(), &scenes::site());
    rules::check(&resource);
    let json = resource.json().expose().clone();
    assert!(json["meta"]["profile"][0].as_str().unwrap().ends_with("consentIntermediate"));
    let nested = json["provision"]["provision"].as_array().unwrap();
    assert!(nested.iter().all(|nested| nested["type"] == "deny" && nested.get("actor").is_none()));
    assert_eq!(nested[0]["data"][0]["meaning"], "authoredby");
    assert_eq!(
        nested[3],
        json!({"type": "deny", "purpose": nested[3]["purpose"].clone()}),
        "what differs only"
    );
    let new = read(&json).unwrap();
    assert_eq!((&new.parts, as_directive(&new, &whole)), (&consent.parts, whole));
}

fn receives(member: &str) -> Value {
    let role = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]});
    json!({"role": role, "reference": {"identifier": {"system": "urn:yiqiao:member", "value": member}}})
}

/// Each of these with each of those who keep.
fn each_with_each(whole: &Directive, grantees: &[Grantee], keepers: &[&str]) -> Vec<Part> {
    let all = Exception {
        grantee: Grantee::default(),
        custodian: None,
        what: whole.what.clone(),
        purposes: whole.purposes.clone(),
        valid_from: Some(whole.valid_from),
        valid_until: whole.valid_until,
    };
    let until = What { service_until: Some(whole.valid_from), ..whole.what.clone() };
    let mut parts = Vec::new();
    for (place, grantee) in grantees.iter().enumerate() {
        for keeper in keepers {
            let (grantee, custodian) = (grantee.clone(), Some(scenes::code(keeper)));
            let own = Exception { grantee: grantee.clone(), custodian: custodian.clone(), ..all.clone() };
            let nurses = Grantee { role: Some(PersonRole::Nurse), ..grantee.clone() };
            let later = Some(Timestamp::from_unix_ms(whole.valid_from.unix_ms() + 1).unwrap());
            let mut exceptions = vec![Exception { what: until.clone(), ..own.clone() }];
            if place == 0 {
                exceptions.push(Exception { grantee: nurses, valid_from: later, ..own });
            }
            parts.push(Part { grantee, custodian, exceptions });
        }
    }
    parts
}

#[test]
fn c17_several_recipients_and_keepers_are_one_consent_and_are_read_back_whole() {
    let whole = Directive { what: What::default(), ..narrow() };
    let to = |member| Grantee { organisation: Some(scenes::code(member)), ..Grantee::default() };
    let referral = whole.grantee.referral;
    let grantees =
        [to("hospital-b"), to("hospital-c"), narrow().grantee].map(|whom| Grantee { referral, ..whom });
    for keepers in [&["hospital-a"][..], &["hospital-a", "hospital-c"]] {
        let parts = each_with_each(&whole, &grantees, keepers);
        let directive = Directive {
            grantee: grantees[0].clone(),
            custodian: parts[0].custodian.clone(),
            ..whole.clone()
        };
        let consent = Consent { parts, ..scenes::consent(directive.clone()) };
        let resource = consent.write(&scenes::patient(), &scenes::site());
        rules::check(&resource);
        let json = resource.json().expose().clone();
        assert_eq!(json["provision"]["actor"].as_array().unwrap().len(), 3);
        assert_eq!(json["provision"]["data"].as_array().unwrap().len(), keepers.len());
        let nested = json["provision"]["provision"].as_array().unwrap();
        // What all leave out is said once, and what one leaves out with who that is.
        assert!(nested[0].get("actor").is_none() && nested[0].get("data").is_none());
        assert_eq!(nested.len(), 1 + keepers.len());
        let ids: Vec<_> = json["contained"].as_array().unwrap().iter().map(|role| &role["id"]).collect();
        assert_eq!(ids, ["grantee", "grantee-2"]);
        assert_eq!(nested[1]["actor"][0]["reference"]["reference"], "#grantee-2");
        let new = read(&json).unwrap();
        assert_eq!((&new.parts, as_directive(&new, &directive)), (&consent.parts, directive));
    }
}

#[test]
fn c17_a_forbid_has_several_recipients_too_and_nobody_is_named_twice_or_without_bound() {
    let mut json = written(forbid());
    json["provision"]["actor"] = json!([receives("hospital-b"), receives("hospital-c")]);
    assert_eq!(read(&json).unwrap().parts.len(), 2);
    json["provision"]["actor"] = json!([receives("hospital-b"), receives("hospital-b")]);
    let twice = read(&json).unwrap_err();
    assert!(matches!(twice, Problem::Invalid { path, .. } if path == "Consent.provision.actor[1].reference"));
    let many: Vec<Value> = (0..9).map(|number| receives(&format!("hospital-{number}"))).collect();
    json["provision"]["actor"] = json!(many);
    assert!(matches!(read(&json), Err(Problem::TooLarge { limit: 8, .. })));
}

#[test]
fn c17_a_permit_that_names_nobody_is_one_to_each_member_by_name() {
    let mut json = written(scenes::permit());
    json["provision"].as_object_mut().unwrap().remove("actor");
    let new = read(&json).unwrap();
    let to: Vec<_> = new.parts.iter().map(|part| part.grantee.organisation.clone().unwrap()).collect();
    assert_eq!(to, scenes::everybody());
    assert!(new.parts.iter().all(|part| part.custodian == Some(scenes::code("hospital-a"))));
    // What is permitted is for those who are members now: it is read back with their names.
    let directive = as_directive(&new, &scenes::permit());
    let consent = Consent { parts: new.parts.clone(), ..scenes::consent(directive) };
    let again = consent.write(&scenes::patient(), &scenes::site()).json().expose().clone();
    assert_eq!(again["provision"]["actor"].as_array().unwrap().len(), 3);
    assert_eq!(read(&again).unwrap(), new);
    let many: Vec<_> = (0..9).map(|number| scenes::code(&format!("hospital-{number}"))).collect();
    let of = |everybody| read_new(json.to_string().as_bytes(), &scenes::site(), everybody);
    assert_eq!(of(&many[..8]).unwrap().parts.len(), 8);
    let refused = of(&many).unwrap_err();
    assert!(refused.to_string().contains("without actor") && refused.to_string().contains('8'), "{refused}");
    assert!(matches!(of(&[]), Err(Problem::Missing { path }) if path == "Consent.provision.actor"));
    // A forbid that names nobody is for everybody, also who joins later: one directive.
    assert_eq!(read(&written(forbid())).unwrap().parts.len(), 1);
}

#[test]
fn c16_what_an_exception_does_not_say_is_as_in_the_permit() {
    let mut json = written(scenes::permit());
    let only_first = json["provision"]["data"][1].clone();
    json["provision"]["provision"] = json!([{"type": "deny", "data": [only_first]}]);
    let new = read(&json).unwrap();
    let [exception] = new.parts[0].exceptions.as_slice() else { panic!("{new:?}") };
    assert_eq!((&exception.custodian, &exception.purposes), (&new.parts[0].custodian, &new.purposes));
    assert_eq!((exception.valid_from, exception.valid_until), (new.valid_from, new.valid_until));
    let entries = exception.what.entries.clone();
    assert_eq!(entries.len(), 1);
    assert_eq!(What { entries, ..new.what.clone() }, exception.what);
}

#[test]
fn c16_an_exception_that_is_none_or_leaves_nothing_is_refused_by_its_element() {
    let nested = "Consent.provision.provision[0]";
    for (exception, path) in [
        (json!({"type": "deny"}), format!("{nested}.type")),
        (json!({"type": "permit", "dataPeriod": {"end": "2026-11-19"}}), format!("{nested}.type")),
        (json!({"type": "deny", "dataPeriod": {"start": "2020"}}), format!("{nested}.type")),
        (json!({"type": "deny", "provision": [{"type": "permit"}]}), format!("{nested}.provision")),
        (json!({"type": "permit", "actor": [receives("hospital-c")]}), format!("{nested}.type")),
        (json!({"type": "deny", "actor": [receives("hospital-b")]}), format!("{nested}.type")),
        (json!({"type": "deny", "period": {"start": "2026-01-01"}}), format!("{nested}.type")),
    ] {
        let refused =
            changed(written(scenes::permit()), "/provision/provision", json!([exception])).unwrap_err();
        assert_eq!(refused, Problem::NotCarriedOut { path }, "{exception}");
    }
    let nobody = json!([{"type": "deny", "actor": [{}]}]);
    let refused = changed(written(scenes::permit()), "/provision/provision", nobody).unwrap_err();
    assert_eq!(refused, Problem::Missing { path: format!("{nested}.actor[0].reference") });
    let many = vec![json!({"type": "deny", "dataPeriod": {"end": "2026-11-19"}}); 8];
    let refused = changed(written(scenes::permit()), "/provision/provision", json!(many)).unwrap_err();
    assert!(matches!(refused, Problem::TooLarge { .. }));
}

/// C-16: to others, of others, longer, or more of the data than was permitted.
#[test]
fn c16_an_exception_may_go_beyond_the_permit_and_is_read_back_whole() {
    let of = |member: &str| json!([{"meaning": "authoredby", "reference": {"identifier": {"system": "urn:yiqiao:member", "value": member}}}]);
    let permit = Directive { grantee: narrow().grantee, ..scenes::permit() };
    for exception in [
        json!({"type": "deny", "actor": [receives("hospital-c")]}),
        json!({"type": "deny", "data": of("hospital-c")}),
        json!({"type": "deny", "actor": [receives("hospital-b")], "data": of("hospital-c")}),
        json!({"type": "deny", "actor": [receives("hospital-b")], "dataPeriod": {"start": "2020", "end": "2026-11-19"}}),
        json!({"type": "deny", "dataPeriod": {"start": "2020-01-01", "end": "2026-11-19"}}),
        json!({"type": "deny", "purpose": reasons(&["TREAT", "HRESCH"])}),
        json!({"type": "deny", "period": {"start": "2026-12-01", "end": "2030-12-31"}}),
        json!({"type": "deny", "period": {"start": "2026-01-01", "end": "2026-12-01"}}),
    ] {
        let mut json = written(permit.clone());
        json["provision"]["provision"] = json!([exception]);
        let new = read(&json).unwrap_or_else(|refused| panic!("{exception}: {refused}"));
        assert_eq!(new.parts[0].exceptions.len(), 1, "{exception}");
        let consent = Consent { parts: new.parts.clone(), ..scenes::consent(as_directive(&new, &permit)) };
        let resource = consent.write(&scenes::patient(), &scenes::site());
        rules::check(&resource);
        assert_eq!(read(resource.json().expose()).unwrap(), new, "{exception}");
    }
}

/// C-16: of each keeper that the permit is about, and no directive twice.
#[test]
fn c16_a_denial_to_others_is_one_of_what_each_keeper_has() {
    let mut json = written(scenes::permit());
    let mut other = json["provision"]["data"][0].clone();
    other["reference"]["identifier"]["value"] = json!("hospital-c");
    json["provision"]["data"].as_array_mut().unwrap().push(other);
    json["provision"]["actor"] = json!([receives("hospital-b"), receives("hospital-a")]);
    json["provision"]["provision"] = json!([{"type": "deny", "actor": [receives("hospital-c")]}]);
    let new = read(&json).unwrap();
    let left_out = |new: &NewConsent| -> Vec<_> {
        let exceptions = new.parts.iter().flat_map(|part| &part.exceptions);
        exceptions.map(|one| (one.grantee.organisation.clone(), one.custodian.clone())).collect()
    };
    let to = Some(scenes::code("hospital-c"));
    let of = |keeper| (to.clone(), Some(scenes::code(keeper)));
    assert_eq!(left_out(&new), [of("hospital-a"), of("hospital-c")]);
    let consent =
        Consent { parts: new.parts.clone(), ..scenes::consent(as_directive(&new, &scenes::permit())) };
    let again = consent.write(&scenes::patient(), &scenes::site()).json().expose().clone();
    assert_eq!(read(&again).unwrap(), new);
}

#[test]
fn c16_an_exception_that_ends_before_the_permit_begins_is_refused() {
    let late = json!([{"type": "deny", "dataPeriod": {"end": "2020"}}]);
    let refused = changed(written(scenes::permit()), "/provision/provision", late).unwrap_err();
    let path = "Consent.provision.provision[0].dataPeriod";
    assert!(matches!(&refused, Problem::Invalid { path: at, .. } if at == path), "{refused}");
}

#[test]
fn c4_a_narrow_grantee_is_one_actor_and_a_referral_nobody_may_pass_over() {
    let json = written(narrow());
    assert_eq!(json["provision"]["actor"].as_array().unwrap().len(), 1);
    assert_eq!(json["provision"]["actor"][0]["reference"]["reference"], "#grantee");
    assert_eq!(json["contained"][0]["healthcareService"][0]["identifier"]["value"], "hospital-b/cardiology");
    assert_eq!(json["provision"]["modifierExtension"][0]["url"], "urn:yiqiao:consent-referral");
}

#[test]
fn d8_a_forbid_that_spares_emergencies_says_so() {
    let json = written(forbid());
    assert!(json["provision"].get("purpose").is_none());
    assert_eq!(json["provision"]["provision"][0]["type"], "permit");
    assert_eq!(json["provision"]["provision"][0]["purpose"][0]["code"], "ETREAT");
    let refused = changed(json, "/provision/provision", Value::Null).unwrap_err();
    assert!(matches!(refused, Problem::Invalid { path, .. } if path == "Consent.provision.purpose"));
}

fn reasons(codes: &[&str]) -> Value {
    let coding =
        |code: &&str| json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code});
    codes.iter().map(coding).collect()
}

#[test]
fn d2_the_purposes_of_pcf_are_read_and_written() {
    let basic = reasons(&["TREAT", "HPAYMT", "HOPERAT"]);
    let new = changed(written(scenes::permit()), "/provision/purpose", basic).unwrap();
    assert_eq!(new.purposes, BTreeSet::from([Purpose::Treatment, Purpose::Payment, Purpose::Operations]));
    let again = written(as_directive(&new, &scenes::permit()));
    let codes: Vec<_> =
        again["provision"]["purpose"].as_array().unwrap().iter().map(|one| one["code"].clone()).collect();
    assert_eq!(codes, ["TREAT", "HPAYMT", "HOPERAT"]);
}

#[test]
fn d8_to_break_the_glass_is_the_emergency() {
    let spares = json!([{"type": "permit", "purpose": reasons(&["BTG"])}]);
    let new = changed(written(forbid()), "/provision/provision", spares).unwrap();
    assert!(new.purposes.is_empty());
    let new = changed(written(narrow_forbid()), "/provision/purpose", reasons(&["BTG", "TREAT"])).unwrap();
    assert_eq!(new.purposes, BTreeSet::from([Purpose::Emergency, Purpose::Treatment]));
    let refused = changed(written(scenes::permit()), "/provision/purpose", reasons(&["BTG"])).unwrap_err();
    assert_eq!(refused, Problem::NotCarriedOut { path: "Consent.provision.purpose".to_owned() });
}

/// W-9, C-8: no directive says which paper was signed, or who the guardian is. The evidence does.
#[test]
fn c8_the_paper_and_the_guardian_stand_in_the_evidence() {
    let directive = Directive { basis: LegalBasis::GuardianConsent, ..scenes::permit() };
    let source =
        Source { document: Some(scenes::entry_id(9)), guardian: Some(Phi::new("张父".to_owned())) };
    let consent = Consent { source: source.clone(), ..scenes::consent(directive.clone()) };
    let resource = consent.write(&scenes::patient(), &scenes::site());
    rules::check(&resource);
    let json = resource.json().expose().clone();
    let document = format!("DocumentReference/{}", scenes::entry_id(9));
    assert_eq!(
        (&json["sourceReference"]["reference"], &json["performer"][0]["display"]),
        (&json!(document), &json!("张父"))
    );
    assert_eq!(json["policy"][0]["extension"][0]["url"], "urn:yiqiao:sha256");
    let new = read(&json).unwrap();
    assert_eq!((&new.source, as_directive(&new, &directive)), (&source, directive));
    let bytes = json.to_string().into_bytes();
    assert_eq!(Source::of_evidence(&bytes), source);
    assert_eq!(Source::of_evidence(&source.evidence(&bytes)), source, "of a long one");
    assert_eq!(Source::of_evidence(&[b"\xEF\xBB\xBF".as_slice(), &bytes].concat()), source);
    for desk in ["知情同意书 2026-0131".as_bytes(), b"", b"{\"sourceReference\": 7}", &[0xff]] {
        assert_eq!(Source::of_evidence(desk), Source::default());
    }
    for (pointer, value, path) in [
        ("/sourceReference/reference", json!("Contract/7"), "Consent.sourceReference.reference"),
        ("/sourceReference/reference", Value::Null, "Consent.sourceReference.reference"),
        ("/sourceReference/identifier", json!({}), "Consent.sourceReference.identifier"),
        ("/policy/0/extension", Value::Null, "Consent.policy[0].extension"),
        ("/policy/0/uri", json!("http://example.org/policy"), "Consent.policy[0].uri"),
        ("/policy", Value::Null, "Consent.policy"),
        ("/performer/0/display", json!("父".repeat(86)), "Consent.performer[0].display"),
    ] {
        let refused = changed(json.clone(), pointer, value).unwrap_err();
        let said = refused.outcome().json().expose()["issue"][0]["expression"][0].clone();
        assert_eq!(said, path, "{pointer}: {refused}");
    }
}

/// A forbid that names its purposes.
fn narrow_forbid() -> Directive {
    Directive { purposes: BTreeSet::from([Purpose::Research]), ..forbid() }
}

#[test]
fn c7_a_guardian_permits_and_objects_for_the_patient() {
    let guardian = json!([{"type": "RelatedPerson", "display": "张父"}]);
    for (said, basis) in
        [(scenes::permit(), LegalBasis::GuardianConsent), (forbid(), LegalBasis::GuardianObjection)]
    {
        let new = changed(written(said.clone()), "/performer", guardian.clone()).unwrap();
        assert_eq!((new.basis, &new.performer), (basis, &None));
        let consent = Consent { source: new.source.clone(), ..scenes::consent(as_directive(&new, &said)) };
        let again = consent.write(&scenes::patient(), &scenes::site()).json().expose().clone();
        assert_eq!(again["performer"], guardian);
        assert_eq!(read(&again).unwrap(), new);
        // Where nothing but the directive is known the guardian has no name.
        assert_eq!(read(&written(as_directive(&new, &said))).unwrap().source, Source::default());
    }
    // Whether somebody who is a patient, too, is this one is for the door to say.
    let other = json!([{"reference": format!("Patient/{}", "cd".repeat(32))}]);
    let new = changed(written(scenes::permit()), "/performer", other).unwrap();
    assert!(matches!(new.performer, Some(Who::Subject(who)) if who != scenes::subject()));
    let two = json!([{"type": "Patient"}, {"type": "RelatedPerson"}]);
    let refused = changed(written(scenes::permit()), "/performer", two).unwrap_err();
    assert!(matches!(refused, Problem::Invalid { path, .. } if path == "Consent.performer"));
}

#[test]
fn a_consent_says_whether_it_counts() {
    for (standing, status) in [
        (Standing::InForce, "active"),
        (Standing::Over, "inactive"),
        (Standing::Replaced, "inactive"),
        (Standing::Revoked(RevocationReason::PatientWish), "inactive"),
        (Standing::Revoked(RevocationReason::Error), "entered-in-error"),
    ] {
        let consent = Consent { standing, ..scenes::consent(scenes::permit()) };
        let resource = consent.write(&scenes::patient(), &scenes::site());
        rules::check(&resource);
        assert_eq!(resource.json().expose()["status"], status);
    }
}

#[test]
fn a_restriction_is_never_passed_over() {
    let loinc = json!([{"system": "http://loinc.org", "code": "34133-9"}]);
    for (pointer, value) in [
        ("/modifierExtension", json!([{"url": "urn:x"}])),
        ("/implicitRules", json!("urn:x")),
        ("/verification", json!([{"verified": true}])),
        ("/policyRule", json!({"text": "as the law says"})),
        ("/policyRule/coding/0/code", json!("OPTOUT")),
        ("/provision/action", json!([{"text": "access"}])),
        ("/provision/code", json!([{"text": "x"}])),
        ("/provision/_type", json!({"id": "x"})),
        ("/provision/class", loinc),
        ("/provision/purpose", json!([{"system": "urn:x", "code": "TREAT"}])),
        ("/provision/securityLabel", json!([{"system": "urn:x", "code": "R"}])),
        ("/provision/provision", json!([{"type": "deny"}])),
        ("/provision/extension/0/url", json!("urn:x")),
        ("/provision/modifierExtension", json!([{"url": "urn:x", "valueBoolean": true}])),
        ("/contained", json!([{"resourceType": "Organization", "id": "x"}])),
    ] {
        let refused = changed(written(scenes::permit()), pointer, value).unwrap_err();
        assert!(matches!(refused, Problem::NotCarriedOut { .. }), "{pointer}: {refused}");
        assert_eq!(refused.status(), 422);
        rules::check(&refused.outcome());
    }
}

#[test]
fn what_the_documentation_shows_is_read() {
    let examples = include_str!("../../../../docs/fhir.md").split("```json\n").skip(1);
    let consents =
        examples.map(|rest| rest.split("```").next().unwrap()).filter(|one| one.contains("Consent"));
    let patient = "5a".repeat(32);
    let read: Vec<_> = consents
        .map(|one| {
            read_new(one.replace("PATIENT", &patient).as_bytes(), &scenes::site(), &scenes::everybody())
                .unwrap()
        })
        .collect();
    let [plain, limited, but, several] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!(but.parts[0].exceptions.len(), 2);
    let left_out: Vec<usize> = several.parts.iter().map(|part| part.exceptions.len()).collect();
    assert_eq!(left_out, [2, 1]);
    let grantee = &plain.parts[0].grantee;
    assert!(plain.what.classes.is_empty() && grantee.referral.is_none());
    let grantee = &limited.parts[0].grantee;
    assert!(limited.existence_visible && grantee.referral.is_some() && limited.parts[0].custodian.is_some());
    assert!(grantee.department.is_some() && grantee.role.is_some());
}

/// What IHE PCF has and a directive cannot say: the list in docs/fhir.md, each by its element.
#[test]
fn what_pcf_has_and_no_directive_says_is_refused_by_its_element() {
    let provision = "Consent.provision";
    let refers = |to: &str| json!({"reference": to});
    let actor = |to: &str| json!([{"role": receives("hospital-b")["role"], "reference": refers(to)}]);
    let data = |meaning: &str, to: &str| json!([{"meaning": meaning, "reference": refers(to)}]);
    let research = json!([{"type": "permit", "purpose": reasons(&["HRESCH"])}]);
    let staff =
        json!([{"type": "permit", "purpose": reasons(&["BTG"]), "actor": actor("Group/ex-privilegedUsers")}]);
    let partly = json!([{"type": "permit", "purpose": reasons(&["BTG"]), "dataPeriod": {"end": "2020"}}]);
    let label =
        |code: &str| json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code}]);
    let of_project = json!([{"system": "http://example.org/policies/purposeOfUse", "code": "FooBar"}]);
    for (directive, element, value, at) in [
        (forbid(), "provision", research.clone(), ".provision"),
        (narrow_forbid(), "provision", research, ".provision"),
        (forbid(), "provision", staff, ".provision[0].actor"),
        (forbid(), "provision", partly, ".provision[0].dataPeriod"),
        (
            forbid(),
            "provision",
            json!([{"type": "deny", "dataPeriod": {"end": "2020"}}]),
            ".provision[0].dataPeriod",
        ),
        (scenes::permit(), "data", data("related", "Encounter/ex-encounter"), ".data[0].meaning"),
        (scenes::permit(), "data", data("dependents", "Encounter/ex-encounter"), ".data[0].meaning"),
        (
            scenes::permit(),
            "data",
            data("authoredby", "Practitioner/ex-practitioner"),
            ".data[0].reference.identifier",
        ),
        (scenes::permit(), "data", data("instance", "Observation/ex-weight"), ".data[0].reference.reference"),
        (scenes::permit(), "data", data("instance", "DocumentReference/ex"), ".data[0].reference.reference"),
        (scenes::permit(), "actor", actor("Group/ex-privilegedUsers"), ".actor[0].reference.identifier"),
        (scenes::permit(), "actor", actor("Practitioner/ex-practitioner"), ".actor[0].reference.identifier"),
        (scenes::permit(), "purpose", of_project, ".purpose[0].code"),
        (scenes::permit(), "securityLabel", label("PSY"), ".securityLabel[0].code"),
    ] {
        let refused = changed(written(directive), &format!("/provision/{element}"), value).unwrap_err();
        let said = refused.outcome().json().expose()["issue"][0]["expression"][0].clone();
        assert_eq!(said, format!("{provision}{at}"), "{refused}");
    }
    let ours = json!([{"uri": "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"}]);
    let refused = changed(written(scenes::permit()), "/policy", ours).unwrap_err();
    assert!(refused.to_string().contains("urn:yiqiao:notice:"), "{refused}");
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let bytes = written(scenes::permit()).to_string();
    let marked = format!("\u{feff}{bytes}");
    let read = |text: &str| read_new(text.as_bytes(), &scenes::site(), &scenes::everybody()).unwrap();
    assert_eq!(read(&marked), read(&bytes));
}

#[test]
fn a_notice_without_its_hash_is_told_what_to_add() {
    let refused = changed(written(scenes::permit()), "/sourceAttachment/extension", Value::Null).unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("urn:yiqiao:sha256") && text.contains("valueString"), "{text}");
}

#[test]
fn what_is_missing_or_wrong_is_named_by_its_path() {
    let patient = json!({"reference": "Patient/7"});
    let person = json!([{"reference": "Practitioner/7"}]);
    for (pointer, value, path) in [
        ("/status", json!("draft"), "Consent.status"),
        ("/scope", Value::Null, "Consent.scope"),
        ("/category", Value::Null, "Consent.category"),
        ("/category", json!([]), "Consent.category"),
        ("/patient", patient, "Consent.patient.reference"),
        ("/patient", json!({}), "Consent.patient.reference"),
        ("/performer", Value::Null, "Consent.performer"),
        ("/performer", person, "Consent.performer"),
        ("/dateTime", json!("today"), "Consent.dateTime"),
        ("/sourceAttachment/title", Value::Null, "Consent.sourceAttachment.title"),
        ("/sourceAttachment/extension", Value::Null, "Consent.sourceAttachment.extension"),
        ("/sourceAttachment", Value::Null, "Consent.sourceAttachment"),
        ("/sourceReference", json!({"reference": "DocumentReference/1"}), "Consent.sourceAttachment"),
        ("/provision", Value::Null, "Consent.provision"),
        ("/provision/type", Value::Null, "Consent.provision.type"),
        ("/provision/type", json!("maybe"), "Consent.provision.type"),
        ("/provision/purpose", Value::Null, "Consent.provision.purpose"),
        ("/provision/period/end", json!("2020"), "Consent.provision.period.end"),
        ("/policy/0/uri", json!("http://example.org/policy"), "Consent.policy[0].uri"),
        ("/provision/data/1/meaning", json!("related"), "Consent.provision.data[1].meaning"),
        ("/provision/data/1/meaning", json!("authoredby"), "Consent.provision.data[1].reference.identifier"),
        (
            "/provision/data/1/reference/reference",
            json!("Patient/1"),
            "Consent.provision.data[1].reference.reference",
        ),
        (
            "/provision/actor/0/reference/identifier/system",
            json!("urn:x"),
            "Consent.provision.actor[0].reference.identifier.value",
        ),
        ("/provision/actor/0/role/coding/0/code", json!("CST"), "Consent.provision.actor"),
        ("/organization/0/identifier/value", json!("hospital-c"), "Consent.organization"),
    ] {
        let refused = changed(written(scenes::permit()), pointer, value).unwrap_err();
        let said = refused.outcome().json().expose()["issue"][0]["expression"][0].clone();
        assert_eq!(said, path, "{pointer}: {refused}");
    }
    assert!(matches!(read(&json!([])), Err(Problem::Invalid { .. })));
    assert!(matches!(read_new(b"{", &scenes::site(), &[]), Err(Problem::Json { .. })));
    assert!(matches!(read_new(&[b' '; 300_000], &scenes::site(), &[]), Err(Problem::TooLarge { .. })));
}

#[test]
fn c5_what_names_everything_is_left_out() {
    let all: Vec<Value> = ["N", "R", "V"]
        .map(|code| json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code}))
        .to_vec();
    assert_eq!(all.len(), Sensitivity::ALL.len());
    let refused = changed(written(scenes::permit()), "/provision/securityLabel", json!(all)).unwrap_err();
    assert!(matches!(refused, Problem::Invalid { path, .. } if path == "Consent.provision.securityLabel"));
}

#[test]
fn c7_a_permit_is_not_for_emergencies_and_a_forbid_shows_nothing() {
    let emergency =
        json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "ETREAT"}]);
    let refused = changed(written(scenes::permit()), "/provision/purpose", emergency).unwrap_err();
    assert_eq!(refused, Problem::NotCarriedOut { path: "Consent.provision.purpose".to_owned() });
    let visible = json!([{"url": "urn:yiqiao:consent-existence-visible", "valueBoolean": true}]);
    let refused = changed(written(forbid()), "/provision/extension", visible).unwrap_err();
    assert_eq!(refused, Problem::NotCarriedOut { path: "Consent.provision.extension".to_owned() });
}

#[test]
fn a_day_at_the_end_of_a_period_is_part_of_it() {
    let period = json!({"start": "2026-12-01", "end": "2026-12-31"});
    let new = changed(written(scenes::permit()), "/provision/period", period).unwrap();
    assert_eq!(new.valid_from.unwrap().unix_ms(), 1_796_054_400_000);
    assert_eq!(new.valid_until.unwrap().unix_ms(), 1_798_732_800_000);
}

#[test]
fn a_patient_may_be_named_by_identifier() {
    let patient = json!({"identifier": {"system": "urn:oid:2.16.156.10011.1.19", "value": "A12345678"}});
    let new = changed(written(scenes::permit()), "/patient", patient).unwrap();
    let Who::Identifier(token) = &new.patient else { panic!("by identifier") };
    assert_eq!(token.value.expose(), "A12345678");
    assert!(!format!("{new:?}").contains("A12345678"));
}

#[test]
fn a_consent_is_taken_back_by_its_status_and_changed_by_nothing() {
    let read = |id: &str, status: &str| {
        let json = json!({"resourceType": "Consent", "id": "1.ab", "status": status});
        read_revocation(json.to_string().as_bytes(), id)
    };
    assert_eq!(read("1.ab", "inactive"), Ok(RevocationReason::PatientWish));
    assert_eq!(read("1.ab", "entered-in-error"), Ok(RevocationReason::Error));
    for (id, status) in [("1.ab", "active"), ("1.ab", "draft"), ("2.ab", "inactive")] {
        assert!(matches!(read(id, status), Err(Problem::Invalid { .. })), "{id} {status}");
    }
}
