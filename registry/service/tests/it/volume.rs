//! What the bureau reads of an exchange that has just happened.

#![expect(clippy::unwrap_used, reason = "what cannot happen here fails the test")]

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::member::{Member, Signed};
use crate::rig::Region;
use crate::words::{Chain, denial, patient, query};

/// A region in which `a` has published six documents, `b` has searched once, and `a` has denied `b` one document.
async fn exchanged() -> Region {
    let region = Region::started(&["a", "b"]).await;
    let (a, b) = (Member::connected(&region, "a").await, Member::connected(&region, "b").await);
    let mut chain = Chain::new("a", 1);
    let tokens = a.tokens(&[patient()]).await;
    let token = *tokens.first().unwrap();
    a.say(&chain.statement(&a, &tokens)).await;
    let entries: Vec<Signed> = (1..=6).map(|number| chain.entry(&a, number)).collect();
    a.submit(&entries).await.unwrap();
    b.search(&query("b", token)).await.unwrap();
    a.say(&a.signed(&denial(token))).await;
    region
}

/// The rows of an act, without their times.
fn rows(answer: &Value, act: &str) -> Vec<Value> {
    let of_act = |row: &&Value| row["act"] == act;
    let mut found: Vec<Value> = answer["rows"].as_array().unwrap().iter().filter(of_act).cloned().collect();
    found.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("bucket")));
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_searched_and_denied_is_counted() {
    let region = exchanged().await;
    let bureau = Browser::signed_in(&region, "wangli", "bureau").await;
    let answer = bureau.get("/api/volume?by=hour").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    let published = json!({
        "organisation": "a", "counterpart": null, "act": "publication", "outcome": "permitted",
        "purpose": null, "class": "laboratory", "events": 6, "documents": 6, "bytes": 6000,
    });
    assert_eq!(rows(&answer, "publication"), [published]);
    let denied = json!({
        "organisation": "a", "counterpart": "b", "act": "release", "outcome": "denied",
        "purpose": "treatment", "class": "laboratory", "events": 1, "documents": 1, "bytes": 1000,
    });
    assert_eq!(rows(&answer, "release"), [denied]);
    let search = rows(&answer, "search");
    let search = search.first().unwrap();
    assert_eq!((&search["organisation"], &search["counterpart"]), (&json!("registry"), &json!("b")));
    let total = json!({ "act": "release", "outcome": "denied", "events": 1, "documents": 1, "bytes": 1000 });
    assert!(answer["totals"].as_array().unwrap().contains(&total), "{answer}");

    let buckets = answer["buckets"].as_array().unwrap();
    assert_eq!((buckets.len(), &buckets[0]["openMinutes"]), (24, &Value::Null), "nobody knows of yesterday");
    assert!(buckets[23]["openMinutes"].is_u64(), "{answer}");
    assert!(answer["countedSince"].is_string());
    let defined: Vec<_> = answer["definitions"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    for figure in ["exchangedDocuments", "exchangedBytes", "events", "publication", "denied", "failed"] {
        assert!(defined.contains(&&json!(figure)), "{figure} is shown and not defined: {defined:?}");
    }
    assert_eq!(
        (&answer["zone"], &answer["codes"]["purpose"][0]["hl7"]),
        (&json!("Asia/Shanghai"), &json!("TREAT"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_filtered_and_grouped_as_asked() {
    let region = exchanged().await;
    let operator = Browser::signed_in(&region, "lijing", "operator").await;
    let denied = operator.get("/api/volume?outcome=denied&group=act").await.json();
    let rows_of = |answer: &Value| answer["rows"].as_array().unwrap().len();
    assert_eq!((rows_of(&denied), &denied["rows"][0]["organisation"]), (1, &Value::Null));
    let all = operator.get("/api/volume?group=").await.json();
    let published = operator.get("/api/volume?organisation=a&act=publication").await.json();
    assert_eq!((rows_of(&all), rows_of(&published)), (1, 1));
    let none = operator.get("/api/volume?counterpart=a&purpose=research&class=imaging").await.json();
    assert_eq!((rows_of(&none), none["totals"].as_array().unwrap().len()), (0, 0));
    let past = operator.get("/api/volume?from=2026-01-01T00:00%2B08:00&to=2026-01-31").await.json();
    assert_eq!((rows_of(&past), past["buckets"].as_array().unwrap().len()), (0, 31));
    assert_eq!(past["buckets"][1]["bucket"], "2026-01-02T00:00:00+08:00");
    assert_eq!(past["from"], "2026-01-01T00:00:00+08:00");
    assert_eq!(past["to"], "2026-02-01T00:00:00+08:00");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_opens_in_a_spreadsheet_and_hides_small_counts() {
    let region = exchanged().await;
    let bureau = Browser::signed_in(&region, "wangli", "bureau").await;
    let export = bureau.get_csv("/api/volume").await;
    assert!(export.head.contains("text/csv; charset=utf-8"), "{}", export.head);
    assert!(export.body.starts_with("\u{feff}start,organisation,"), "{}", export.body);
    let line = |body: &str, act: &str| body.lines().find(|line| line.contains(act)).unwrap().to_owned();
    let published = line(&export.body, "publication");
    let expected = "a,示范医院,,,publication,文档登记,permitted,完成,,,laboratory,检验报告,6,6,6000";
    assert!(published.ends_with(expected), "{published}");
    assert!(line(&export.body, "denied").ends_with(",<5,<5,"), "{}", export.body);

    assert_eq!(bureau.get_csv("/api/volume?exact=true").await.status, 403);
    let operator = Browser::signed_in(&region, "lijing", "operator").await;
    let exact = operator.get_csv("/api/volume?exact=true").await;
    assert!(line(&exact.body, "denied").ends_with(",1,1,1000"), "{}", exact.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_question_names_its_parameter() {
    let region = Region::started(&["a"]).await;
    let bureau = Browser::signed_in(&region, "wangli", "bureau").await;
    for (query, status, field) in [
        ("from=yesterday", 422, json!("from")),
        ("act=reading", 422, json!("act")),
        ("patient=1", 422, json!("patient")),
        ("by=day&by=hour", 422, json!("by")),
        ("from=2026-02-02&to=2026-02-01", 422, json!("to")),
        ("from=2020-01-01", 422, Value::Null),
    ] {
        let answer = bureau.get(&format!("/api/volume?{query}")).await;
        let said = answer.json();
        assert_eq!((answer.status, &said["field"]), (status, &field), "{query}: {said}");
        assert!(said["text"]["zh"].is_string() && said["detail"].is_string(), "{said}");
    }
}
