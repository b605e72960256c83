//! Searches: what is read, what is refused, what is admitted, what is answered.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use serde_json::json;
use yiqiao_fhir::bundle::{self, Page};
use yiqiao_fhir::consent::Standing;
use yiqiao_fhir::limits::{COUNT_DEFAULT, COUNT_MAX, PAGE_TOKEN_BYTES_MAX};
use yiqiao_fhir::outcome::{Name, Problem};
use yiqiao_fhir::query::Request;
use yiqiao_fhir::search::{
    Asked, ConsentFilter, DocumentFilter, PageToken, PatientFilter, ServiceRequestFilter, Sort, TaskFilter,
    Who, read,
};
use yiqiao_proto::referral::State;

use crate::rules;
use crate::scenes::{self, search};

const PATIENT: &str = "patient.identifier=urn%3Aoid%3A2.16.156.10011.1.3%7C11010519491231002X";

fn refused(query: &str) -> Problem {
    read::<DocumentFilter>(&Request { query, ..Request::default() }).unwrap_err()
}

fn admitted(query: &str) -> bool {
    search::<DocumentFilter>(&format!("{PATIENT}&{query}")).filter.admits(&scenes::listing())
}

#[test]
fn a_patient_is_named_by_identifier_or_by_id() {
    let asked = search::<DocumentFilter>(PATIENT);
    let Some(Who::Identifier(token)) = asked.filter.patient else { panic!("by identifier") };
    assert_eq!(token.system.as_deref(), Some("urn:oid:2.16.156.10011.1.3"));
    assert_eq!(token.value.expose(), "11010519491231002X");
    for query in ["patient=Patient/", "patient=", "patient=https://a.example/fhir/Patient/"] {
        let asked = search::<DocumentFilter>(&format!("{query}{}", "ab".repeat(32)));
        assert_eq!(asked.filter.patient, Some(Who::Subject(scenes::subject())), "{query}");
    }
    assert!(matches!(refused("patient=Patient/7"), Problem::ParameterInvalid { name: "patient", .. }));
    let twice = format!("{PATIENT}&{PATIENT}");
    assert!(matches!(refused(&twice), Problem::ParameterInvalid { name: "patient.identifier", .. }));
}

#[test]
fn parameters_narrow_alternatives_widen() {
    for (query, expected) in [
        ("status=current", true),
        ("status=superseded", false),
        ("status=superseded,current", true),
        ("status=current&status=superseded", false),
        ("type=C0007", true),
        ("type=urn:oid:2.16.156.10011.2.4%7CC0007", true),
        ("type=http://loinc.org%7CC0007", false),
        ("type=%7CC0007", false),
        ("category=laboratory,imaging", true),
        ("category=imaging", false),
        ("facility=general-hospital", true),
        ("setting=urn:yiqiao:practice-setting%7Csurgery", false),
        ("format=cda-wst", true),
        ("security-label=R", true),
        ("security-label=http://terminology.hl7.org/CodeSystem/v3-Confidentiality%7CN", false),
        ("identifier=R1", true),
        ("identifier=urn:yiqiao:assigner:LIS%7CR1", true),
        ("identifier=R2", false),
        ("date=2026-11-22", true),
        ("date=ge2026-11-22T08:00:00%2B08:00", true),
        ("date=ge2026-11-22T00:00:00Z", true),
        ("date=lt2026-11-22", false),
        ("date=ge2026-11-01&date=le2026-11-30", true),
        ("creation=2026-11-22T07:30", true),
        ("period=2026-11-22", true),
        ("period=gt2026-11-22T06:30", true),
        ("period=sa2026-11-22T06:30", false),
        ("period=2026-11-21,2026-11-22", true),
    ] {
        assert_eq!(admitted(query), expected, "{query}");
    }
    let by_id = |byte: &str| search::<DocumentFilter>(&format!("_id={}", byte.repeat(32))).filter;
    assert!(by_id("01").admits(&scenes::listing()) && !by_id("02").admits(&scenes::listing()));
    assert_eq!(by_id("01").ids().collect::<Vec<_>>(), ["01".repeat(32)]);
}

#[test]
fn a_service_without_dates_is_in_no_period() {
    let mut listing = scenes::listing();
    (listing.service_start, listing.service_end) = (None, None);
    let filter = |query: &str| search::<DocumentFilter>(&format!("{PATIENT}&{query}")).filter;
    assert!(!filter("period=ne2026").admits(&listing));
    listing.service_start = Some(scenes::at(0));
    assert!(filter("period=gt2030").admits(&listing), "what has not ended may go on");
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let unknown = |name| Problem::ParameterUnknown { name: Name::new(name) };
    assert_eq!(refused(&format!("{PATIENT}&_include=x")), unknown("_include"));
    assert_eq!(refused(&format!("{PATIENT}&status:not=current")), unknown("status:not"));
    assert!(!refused(&format!("{PATIENT}&11010519491231002X=1")).to_string().contains("1101"));
    for (query, name) in [
        ("status=finished", "status"),
        ("status=", "status"),
        ("date=yesterday", "date"),
        ("date=ap2026", "date"),
        ("date=ge2026-11-22T08:00:00+08:00", "date"),
        ("_count=-1", "_count"),
        ("_sort=status", "_sort"),
        ("type=a%7Cb%7Cc", "type"),
        ("type=a%7C", "type"),
    ] {
        let problem = refused(&format!("{PATIENT}&{query}"));
        assert!(
            matches!(problem, Problem::ParameterInvalid { name: said, .. } if said == name),
            "{query}: {problem}"
        );
    }
    assert_eq!(refused(&format!("{PATIENT}&_format=xml")), Problem::Format);
    for format in
        ["json", "text/json", "application/json", "application/fhir%2Bjson", "application/fhir+json"]
    {
        search::<DocumentFilter>(&format!("{PATIENT}&_format={format}"));
    }
    assert!(matches!(refused("status=current"), Problem::Unbounded { .. }));
    assert!(matches!(read::<PatientFilter>(&Request::default()), Err(Problem::Unbounded { .. })));
}

#[test]
fn lenient_handling_passes_over_and_says_so() {
    let query = format!("{PATIENT}&_include=x&status=current");
    let request = Request { query: &query, prefer: "handling=lenient", ..Request::default() };
    let Ok(Asked::First(search)) = read::<DocumentFilter>(&request) else { panic!("a search") };
    assert_eq!(search.ignored, [Name::new("_include")]);
    let found = vec![scenes::listing().write(&scenes::patient())];
    let found = Page { found, ..Page::default() };
    let resource = bundle::searchset(&search, &found, None, &scenes::site());
    rules::check(&resource);
    let json = resource.json().expose();
    assert_eq!(json["entry"][1]["search"]["mode"], "outcome");
    assert_eq!(json["entry"][1]["resource"]["issue"][0]["severity"], "warning");
    assert_eq!(json["entry"][1]["resource"]["issue"][0]["expression"], json!(["http._include"]));
    assert!(!json["link"][0]["url"].as_str().unwrap().contains("_include"));
}

#[test]
fn what_only_shapes_the_answer_is_passed_over_and_said_unless_the_client_is_strict() {
    let shaped = |prefer, more: &str| {
        let query = format!("{PATIENT}&{more}");
        read::<DocumentFilter>(&Request { query: &query, prefer, ..Request::default() })
    };
    let Ok(Asked::First(search)) = shaped("", "_pretty=true&_elements=id,status&_total=accurate") else {
        panic!("a search")
    };
    assert_eq!(search.ignored, [Name::new("_pretty"), Name::new("_elements")], "each answer has a total");
    for (prefer, more) in [
        ("handling=strict", "_elements=id"),
        ("", "_include=x"),
        ("", "_total=many"),
        ("", "_lastUpdated=ge2026"),
    ] {
        assert!(shaped(prefer, more).is_err(), "{prefer} {more}");
    }
}

#[test]
fn counts_are_bounded_and_orders_read() {
    let asked = search::<DocumentFilter>(&format!("{PATIENT}&_count=10&_sort=-date"));
    assert_eq!((asked.count, asked.sort), (10, Some(Sort::NewestFirst)));
    assert_eq!(search::<DocumentFilter>(&format!("{PATIENT}&_sort=date")).sort, Some(Sort::OldestFirst));
    let counted = |count: &str| search::<DocumentFilter>(&format!("{PATIENT}&_count={count}")).count;
    assert_eq!([counted("0"), counted("999"), counted("99999999999999999999")], [0, COUNT_MAX, COUNT_MAX]);
    assert_eq!(search::<DocumentFilter>(PATIENT).count, COUNT_DEFAULT);
}

#[test]
fn a_next_page_is_a_token_and_nothing_else() {
    let query = "_page=abc.DEF_1-~&_format=json";
    let asked = read::<DocumentFilter>(&Request { query, ..Request::default() });
    let token = PageToken::new("abc.DEF_1-~").unwrap();
    assert_eq!(asked, Ok(Asked::Next(token.clone())));
    assert!(matches!(refused("_page=a&status=current"), Problem::ParameterInvalid { name: "_page", .. }));
    for bad in ["", "a b", "a%", "医", &"a".repeat(PAGE_TOKEN_BYTES_MAX + 1)] {
        assert_eq!(PageToken::new(bad), None);
    }
    let page = bundle::next_page::<DocumentFilter>(&token, &Page::default(), None, &scenes::site());
    rules::check(&page);
    let own = "https://a.example/fhir/DocumentReference?_page=abc.DEF_1-~";
    assert_eq!(page.json().expose()["link"], json!([{"relation": "self", "url": own}]));
}

#[test]
fn a_searchset_links_to_itself_and_to_what_follows() {
    let asked = search::<DocumentFilter>(&format!("{PATIENT}&status=current"));
    let found = vec![scenes::listing().write(&scenes::patient())];
    let found = Page { found, ..Page::default() };
    let next = PageToken::new("next").unwrap();
    let resource = bundle::searchset(&asked, &found, Some(&next), &scenes::site());
    rules::check(&resource);
    let json = resource.json().expose();
    let own = format!("https://a.example/fhir/DocumentReference?{PATIENT}&status=current");
    assert_eq!(json["link"][0], json!({"relation": "self", "url": own}));
    let url = "https://a.example/fhir/DocumentReference?_page=next";
    assert_eq!(json["link"][1], json!({"relation": "next", "url": url}));
    let full_url = format!("https://a.example/fhir/DocumentReference/{}", "01".repeat(32));
    assert_eq!(json["entry"][0]["fullUrl"], full_url);
    assert!(json.get("total").is_none());
    let empty =
        bundle::searchset(&search::<DocumentFilter>(PATIENT), &Page::default(), None, &scenes::site());
    rules::check(&empty);
}

#[test]
fn patients_are_searched_by_any_of_some_identifiers() {
    let asked = search::<PatientFilter>(r"identifier=urn:x%7Ca\,b,c");
    let values: Vec<_> = asked.filter.identifiers.iter().map(|token| token.value.expose().as_str()).collect();
    assert_eq!(values, ["a,b", "c"]);
    let asked = search::<PatientFilter>("_id=AB,cd").filter;
    assert_eq!(asked.ids().collect::<Vec<_>>(), ["ab", "cd"]);
    assert!(asked.admits("cd") && !asked.admits("ef"));
}

#[test]
fn consents_and_referrals_are_searched_by_state_and_side() {
    let mut consent = scenes::consent(scenes::permit());
    let filter = search::<ConsentFilter>(&format!("{PATIENT}&status=active")).filter;
    assert!(filter.admits(&consent));
    consent.standing = Standing::Over;
    assert!(!filter.admits(&consent));
    for (query, expected) in [
        ("status=requested", true),
        ("status=accepted", false),
        ("status=requested&owner:identifier=urn:yiqiao:member%7Chospital-b", true),
        ("status=requested&owner:identifier=urn:yiqiao:member%7Chospital-a", false),
        ("status=requested&requester:identifier=hospital-a", true),
        ("status=requested&requester=Organization/hospital-a", true),
        ("status=requested&owner=Organization/hospital-a,Organization/hospital-b", true),
        ("status=requested&owner=Organization/hospital-a", false),
        ("status=requested&business-status=sent", true),
    ] {
        let filter = search::<TaskFilter>(query).filter;
        assert_eq!(filter.admits(&scenes::referral(State::Sent)), expected, "{query}");
    }
    let filter = search::<ServiceRequestFilter>("status=active&performer=Organization/hospital-b").filter;
    assert!(filter.admits(&scenes::referral(State::Arrived)));
    let filter = search::<ServiceRequestFilter>("status=active&performer:identifier=hospital-b").filter;
    assert!(filter.admits(&scenes::referral(State::Arrived)));
    assert!(!filter.admits(&scenes::referral(State::Closed)));
}
