//! Keys follow each other while the exchange goes on: those of a hospital, of the registry, of the authority (M-4, M-5, M-8, M-13).

use crate::pages::Person;
use crate::referral_form::{ADMISSION, DISCHARGE, RESULTS, consents, find, hands_in, note, sends, two};
use crate::rig::{Node, Region, until};

/// The keys of a member that are listed: use, id, state.
pub(crate) fn keys_of(region: &Region, member: &str) -> Vec<[String; 3]> {
    let shown = region.does("members", &["--keys"]);
    let from = shown.lines().skip_while(|line| !line.starts_with(member)).skip(1);
    let lines = from.take_while(|line| line.starts_with("    "));
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    lines.map(|line| words(line).try_into().unwrap()).collect()
}

/// Lists the key that a node has asked for.
pub(crate) fn lists(node: &Node, more: &[&str]) {
    let request = node.config().with_file_name("key-request.toml");
    node.region.does("renew-key", &[&[request.to_str().unwrap()], more].concat());
}

/// All nodes have the newest list.
pub(crate) async fn all_know(nodes: &[&Node]) {
    let shown = nodes[0].region.does("members", &[]);
    let version: u64 = shown.lines().next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    for node in nodes {
        until("the newest list", async || (node.status().await["member_list"] == version).then_some(()))
            .await;
    }
}

/// Retires all keys of a member but the newest of each use.
pub(crate) fn retires_earlier(region: &Region, member: &str) {
    let keys = keys_of(region, member);
    for (at, [key_use, id, _]) in keys.iter().enumerate() {
        if keys[at + 1..].iter().any(|[later, ..]| later == key_use) {
            region.does("retire-key", &[member, id]);
        }
    }
}

/// What passes from one hospital to the other.
pub(crate) struct Passing {
    secret: String,
    doctor: Person,
    office: Person,
    /// How many notes were handed in.
    pub(crate) notes: usize,
}

impl Passing {
    pub(crate) async fn new(from: &Node, to: &Node) -> Self {
        assert!(from.mllp().await.send(ADMISSION.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
        let desk = Person::with_account(from, "desk", "desk", None).await;
        let passing = Self {
            secret: from.client("emr", &["intake"]).await,
            doctor: Person::with_account(from, "10215", "doctor", Some("0203")).await,
            office: Person::with_account(to, "referral", "referral-office", None).await,
            notes: 0,
        };
        passing.hands_in(from).await;
        consents(&desk, "qzdx", "treatment").await;
        Self { notes: 1, ..passing }
    }

    async fn hands_in(&self, from: &Node) {
        let at = format!("202611181000{:02}", self.notes);
        let written = note(DISCHARGE, &at, &[("29548-5", "Diagnosis", &[("诊断名称", "心绞痛")])]);
        hands_in(from, &from.signed_in("emr", &self.secret).await, &written).await;
    }

    /// One more note is published, all are referred, and the other hospital prefetches them.
    pub(crate) async fn passes(&mut self, from: &Node) {
        let path = self.refers(from).await;
        self.arrives(&path).await;
    }

    /// One more note is published, and all are referred; where the other hospital shows the referral.
    pub(crate) async fn refers(&mut self, from: &Node) -> String {
        self.hands_in(from).await;
        self.notes += 1;
        from.published().await;
        sends(&self.doctor, &find(&self.doctor).await, "qzdx").await
    }

    /// The other hospital prefetches all.
    pub(crate) async fn arrives(&self, path: &str) {
        until("all documents", async || {
            let answer = self.office.request("GET", path, "", b"").await;
            let seen = (answer.status == 200).then(|| answer.json())?;
            let documents = seen["documents"].as_array()?.clone();
            let all_held = documents.iter().all(|row| row["state"] == "held");
            (documents.len() == self.notes && all_held).then_some(())
        })
        .await;
    }
}

pub(crate) async fn again(node: &mut Node) {
    node.stop().await;
    node.start().await;
    node.connected().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m13_everybody_s_keys_follow_each_other_while_documents_go_on_passing() {
    let [mut from, to] = two().await;
    let mut passing = Passing::new(&from, &to).await;

    // The hospital's: listed beside those before, used, and those before retired.
    for key in ["words", "sealing", "transport"] {
        from.does(&["renew-key", key]).await;
        lists(&from, &[]);
    }
    all_know(&[&from, &to]).await;
    passing.passes(&from).await;
    again(&mut from).await;
    retires_earlier(&from.region, "qzrm");
    all_know(&[&from, &to]).await;
    let states: Vec<String> = keys_of(&from.region, "qzrm")
        .into_iter()
        .map(|[key_use, _, state]| format!("{key_use} {state}"))
        .collect();
    assert_eq!(
        states,
        ["words retired", "words valid", "sealing retired", "sealing valid", "transport listed"]
    );
    passing.passes(&from).await;

    // The registry's.
    for key in ["words", "checkpoint", "lease", "transport"] {
        from.region.does("registry-key", &[key]);
    }
    all_know(&[&from, &to]).await;
    from.region.restart_registry().await;
    for node in [&from, &to] {
        node.connected().await;
    }
    retires_earlier(&from.region, "registry");
    all_know(&[&from, &to]).await;
    passing.passes(&from).await;

    // The authority's: the first one is of no use any more.
    from.region.does("rotate-authority", &[]);
    std::fs::remove_file(from.region.folder().join("authority/authority.key")).unwrap();

    // A hospital that has lost all its words keys goes on with one that nobody vouches for.
    assert!(from.mllp().await.send(RESULTS.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    from.published().await;
    from.stop().await;
    for file in ["words.key", "words-2.key"] {
        std::fs::remove_file(from.config().with_file_name("keys").join(file)).unwrap();
    }
    from.does(&["renew-key", "words"]).await;
    lists(&from, &["--unvouched"]);
    let lost = keys_of(&from.region, "qzrm").into_iter().find(|[_, _, state]| state == "valid").unwrap();
    from.region.does("retire-key", &["qzrm", &lost[1], "--compromised-since", "1000000"]);
    from.start().await;
    from.connected().await;
    all_know(&[&from, &to]).await;
    // What the lost key signed stays, and is called back with the new one (N-7).
    let called_back = RESULTS.replace("|f2|", "|f3|").replace("||LAB|F\r", "||LAB|X\r");
    assert!(from.mllp().await.send(called_back.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    assert_eq!(from.published().await["open_problems"], 0);
    passing.passes(&from).await;
}
