//! Accounts, pages, members and status over the real HTTP.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use yiqiao_host::keys::{self, KeyKind};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::calls::{
    AlarmNotice, Done, EvaluateAnswer, EvaluateRequest, Method, ProofAnswer, ProofRequest, QualityNotice,
};
use yiqiao_proto::codes::{AccessAct, AccessOutcome, PersonRole, Purpose};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::id::{Code, Digest, DocumentId};
use yiqiao_proto::limits::EVALUATION_MAX;
use yiqiao_proto::note::{Checkpoint, read_unchecked};
use yiqiao_proto::person::Identifier;
use yiqiao_proto::release::Delivery;
use yiqiao_proto::suite::{SecretKey, Suite};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Blinding;
use yiqiao_proto::wire::calls::{Contradiction, QualityFigure, alarm_notice::Alarm};
use yiqiao_registry_core::take::day_of;

use crate::browser::{Browser, account};
use crate::member::Member;
use crate::rig::{self, Region, text, until};
use crate::words::{now, some_token};

#[tokio::test(flavor = "multi_thread")]
async fn an_analyst_gets_an_account_and_signs_in_and_out() {
    let region = Region::started(&["a"]).await;
    let browser = Browser::signed_in(&region, "wangli", "bureau").await;
    let who = browser.get("/api/session").await;
    let expected = json!({
        "login": "wangli",
        "displayName": "王丽",
        "roles": ["bureau"],
        "departments": [],
        "mustChangePassword": false,
        "member": { "code": "registry", "name": "区域平台" },
        "region": "demo",
    });
    assert_eq!((who.status, who.json()), (200, expected));
    account(&region, &["disable", "wangli"], "").unwrap();
    assert_eq!(browser.get("/api/session").await.status, 401);
    let listed = account(&region, &["list"], "").unwrap();
    assert!(listed.contains("wangli") && listed.contains("disabled"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_survive_a_kill_and_commands_need_the_process() {
    let mut region = Region::started(&["a"]).await;
    let made = account(&region, &["add", "wangli", "--name", "王丽", "--role", "operator"], "").unwrap();
    let password = made.lines().next().unwrap().strip_prefix("one-time password: ").unwrap();
    region.kill();
    let said = account(&region, &["list"], "").unwrap_err();
    assert!(said.contains("needs the running process") && said.lines().count() == 1, "{said}");
    region.start().await;
    assert_eq!(Browser::new(&region).sign_in("wangli", password).await.status, 200);
    region.stop().await;
    assert!(!region.folder().join("registry/data/admin.sock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_account_only_pages_and_health_are_open() {
    let region = Region::started(&["a"]).await;
    let stranger = Browser::new(&region);
    for path in ["/api/session", "/api/members", "/api/status", "/api/volume"] {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, 401, "{path}: {}", answer.body);
    }
    assert_eq!(stranger.get("/healthz").await.status, 200);
    let page = stranger.get("/").await;
    assert!([200, 503].contains(&page.status), "{}", page.body);
    assert!(page.head.contains("text/html") && page.head.contains("default-src 'self'"), "{}", page.head);
    assert_eq!(stranger.get("/doctor.html").await.status, 404);
    assert_eq!(stranger.get("/nothing").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_password_opens_nothing_but_its_change() {
    let region = Region::started(&["a"]).await;
    let add = ["add", "wangli", "--name", "王丽", "--role", "bureau", "--password-stdin"];
    account(&region, &add, "Plum-2026!").unwrap();
    let mut browser = Browser::new(&region);
    browser.sign_in("wangli", "Plum-2026!").await;
    let refused = browser.get("/api/members").await;
    let kind = json!("urn:yiqiao:problem:change-password");
    assert_eq!((refused.status, &refused.json()["type"]), (403, &kind));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_and_status_show_who_is_there() {
    let region = Region::started(&["a", "b"]).await;
    let browser = Browser::signed_in(&region, "wangli", "bureau").await;
    let _a = Member::connected(&region, "a").await;
    let members = browser.get("/api/members").await.json();
    let expected = json!({ "code": "a", "name": "示范医院", "contact": "0571-00000000", "roles": ["custodian"], "suspended": false, "selfVouched": 0 });
    assert_eq!((members.as_array().unwrap().len(), &members[0]), (3, &expected));

    let status = until("the connection in the status", async || {
        let status = browser.get("/api/status").await.json();
        (status["connected"] == json!(["a"])).then_some(status)
    });
    let status = status.await;
    assert_eq!(
        (&status["members"][1]["code"], &status["members"][1]["connected"]),
        (&json!("b"), &json!(false))
    );
    assert_eq!(
        (&status["words"], &status["term"], &status["lastTrouble"]),
        (&json!(2), &json!(1), &Value::Null)
    );
    assert!(status["checkpointAt"].as_str().unwrap().ends_with('Z'), "{status}");
    assert_eq!(status["singles"], json!({ "count": 0, "shown": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_a_delivery_without_its_release_is_shown_to_the_bureau() {
    let region = Region::started(&["a", "b"]).await;
    let member = Member::connected(&region, "b").await;
    let delivery = Delivery {
        release: Digest::new([7; 32]).unwrap(),
        holder: Code::new("a").unwrap(),
        recipient: Code::new("b").unwrap(),
        document: DocumentId::new([8; 32]).unwrap(),
        at: Timestamp::default(),
    };
    member.say(&member.signed(&delivery)).await;
    let browser = Browser::signed_in(&region, "wangli", "bureau").await;
    let singles = until("the single one", async || {
        let singles = browser.get("/api/status").await.json()["singles"].clone();
        (singles["count"] == 1).then_some(singles)
    });
    let singles = singles.await;
    let shown = &singles["shown"][0];
    assert_eq!((&shown["holder"], &shown["recipient"]), (&json!("a"), &json!("b")), "{singles}");
    assert_eq!(shown["withoutRelease"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn d11_the_bureau_sees_emergencies_beside_what_was_opened_and_no_small_numbers() {
    let region = Region::started(&["a", "b"]).await;
    let member = Member::connected(&region, "b").await;
    let say = async |act, role, line: u8| {
        let event = AccessEvent {
            organisation: Code::new("b").unwrap(),
            counterpart: None,
            patient: some_token(1),
            act,
            outcome: AccessOutcome::Permitted,
            clause: "D-11".to_owned(),
            classes: BTreeSet::new(),
            purpose: Purpose::Emergency,
            role,
            head_version: 0,
            directive: None,
            referral: None,
            release: None,
            documents: 0,
            size: 0,
            at: now(),
            audit_line: Digest::new([line; 32]),
        };
        member.say(&member.signed(&event)).await;
    };
    for line in 1..=5 {
        say(AccessAct::BreakGlass, PersonRole::Physician, line).await;
    }
    say(AccessAct::BreakGlass, PersonRole::Nurse, 6).await;
    for line in 10..=17 {
        say(AccessAct::Opening, PersonRole::Physician, line).await;
    }
    say(AccessAct::Opening, PersonRole::Nurse, 18).await;
    let browser = Browser::signed_in(&region, "wangli", "bureau").await;
    let expected = json!([
        { "organisation": "b", "role": "physician", "events": 5, "openings": 8 },
        { "organisation": "b", "role": "nurse", "events": null, "openings": null },
    ]);
    let told = async || browser.get("/api/emergencies").await.json()["rows"].clone();
    until("the counts", async || (told().await == expected).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t5_a_member_that_nears_its_quota_is_shown_to_the_bureau() {
    let region = Region::started(&["a", "b"]).await;
    let member = Member::connected(&region, "a").await;
    let browser = Browser::signed_in(&region, "wangli", "bureau").await;
    let quotas = async || browser.get("/api/status").await.json()["quotas"].clone();
    let card = |number| Identifier::health_card(&format!("A{number:08}")).unwrap();
    let numbers: Vec<Identifier> = (0..EVALUATION_MAX).map(card).collect();
    let blinding = Blinding::new(&rig::region(), &numbers, &mut Entropy::new(keys::random())).unwrap();
    let request = EvaluateRequest { epoch: 1, blinded: blinding.blinded().to_vec() };
    // Each is counted, the same again too (H-3): 16,128 of 20,000 for a day.
    assert_eq!(quotas().await, json!([]));
    for _ in 0..63 {
        member.ask::<EvaluateAnswer>(Method::Evaluate, &request).await.unwrap();
    }
    let expected = json!([{
        "member": "a", "alarm": "nearly", "used": 16_128, "allowed": 20_000, "backfill": 0, "backfillAllowed": 5_000_000,
    }]);
    until("the alarm", async || (quotas().await == expected).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn l17_two_checkpoints_that_contradict_each_other_are_an_alarm_on_the_bureaus_page() {
    let mut region = Region::started(&["a"]).await;
    let member = Member::connected(&region, "a").await;
    let browser = Browser::signed_in(&region, "wangli", "bureau").await;
    assert_eq!(browser.get("/api/status").await.json()["alarms"], json!([]));
    let proof: ProofAnswer = member.ask(Method::Proof, &ProofRequest::default()).await.unwrap();
    let known = read_unchecked(&proof.checkpoint).unwrap();
    let seed = keys::load(&region.folder().join("registry/keys/checkpoint.key"), KeyKind::new("checkpoint"));
    let key = SecretKey::new(Suite::International, seed.unwrap().expose());
    let forged = Checkpoint { root: [7; 32], ..known }.sign(&key);
    let found = Contradiction { first: proof.checkpoint.clone(), second: forged.clone() };
    let notice = AlarmNotice { alarm: Some(Alarm::Contradiction(found)) };
    for _again in 0..2 {
        let Done {} = member.ask(Method::Alarm, &notice).await.unwrap();
    }
    let told = browser.get("/api/status").await.json()["alarms"].clone();
    assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
    let one = &told[0];
    assert_eq!(
        (&one["kind"], &one["member"], &one["contradicts"]),
        (&json!("checkpoints"), &json!("a"), &json!(true))
    );
    let notes = [&one["notes"][0], &one["notes"][1]];
    assert_eq!(notes.map(|note| note["isOfThisLog"].as_bool()), [Some(true), Some(false)]);
    assert_eq!(notes[1]["note"].as_str().unwrap().as_bytes(), forged);
    let quality = tells_its_quality(&member, &browser).await;
    region.stop().await;
    region.start().await;
    let again = Browser::signed_in(&region, "liping", "bureau").await.get("/api/status").await.json();
    assert_eq!(again["alarms"], told, "it is kept for good");
    let browser = Browser::signed_in(&region, "chenjing", "operator").await;
    assert_eq!(browser.get("/api/quality").await.json(), quality, "so are figures");
}

/// What a member tells of its systems is what the bureau sees of it.
async fn tells_its_quality(member: &Member, browser: &Browser) -> Value {
    assert_eq!(browser.get("/api/quality").await.json(), json!({ "members": [] }));
    let figure = |system: &str, aspect: u32, broken| QualityFigure {
        system: system.to_owned(),
        aspect,
        looked: 200,
        broken,
    };
    let figures = vec![figure("his", 1, 50), figure("his", 2, 0), figure("lis", 1, 0)];
    let notice = QualityNotice { day: day_of(now()), figures };
    let Done {} = member.ask(Method::Quality, &notice).await.unwrap();
    let shown = browser.get("/api/quality").await.json();
    let day = &shown["members"][0]["days"][0];
    assert_eq!((&shown["members"][0]["member"], &day["score"]), (&json!("a"), &json!(916)));
    assert_eq!((&day["checks"], &day["aspects"]["completeness"]), (&json!(600), &json!(875)));
    let his = &day["systems"][0];
    assert_eq!((&his["system"], &his["score"]), (&json!("his"), &json!(875)));
    assert_eq!((&his["aspects"]["completeness"], &his["aspects"]["timeliness"]), (&json!(750), &Value::Null));
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_is_none_is_named_at_start() {
    let mut region = Region::new(&["a"]);
    let config = std::fs::read_to_string(region.config()).unwrap();
    std::fs::write(region.config(), format!("zone = \"Peking\"\n{config}")).unwrap();
    let said = region.try_start().await.unwrap_err();
    assert!(said.contains("IANA zones") && said.contains("Peking"), "{}", text(said.as_bytes()));
}
