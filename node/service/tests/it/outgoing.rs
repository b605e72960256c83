//! What the hospital's systems are told, by HL7 v2 and by webhook: once they take it, through a kill, and nobody waits for who is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use yiqiao_intake::charset;
use yiqiao_intake::flag::Flags;
use yiqiao_intake::hl7::mllp::{Decoder, encode};

use crate::pages::{Person, RESIDENT_ID};
use crate::referral_form::{DISCHARGE, consents, note, sends, two, with_notes};
use crate::rig::{Node, free_port, until};

/// What signs what the application is told.
const SECRET: &str = "a-secret-of-24-characters";

/// A HIS that takes HL7 v2 in GB18030, and nothing the first time it is told it.
struct His {
    port: u16,
    told: mpsc::Receiver<String>,
}

impl His {
    async fn listening() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (telling, told) = mpsc::channel(64);
        tokio::spawn(async move {
            let mut before = String::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                attend(stream, &telling, &mut before).await;
            }
        });
        Self { port, told }
    }

    /// The next message that it took.
    async fn next(&mut self) -> String {
        until("a message for the HIS", async || self.told.try_recv().ok()).await
    }
}

async fn attend(mut stream: TcpStream, telling: &mpsc::Sender<String>, before: &mut String) {
    let (mut decoder, mut bytes) = (Decoder::new(1 << 20), [0; 4_096]);
    while let Ok(read @ 1..) = stream.read(&mut bytes).await {
        for frame in decoder.push(&bytes[..read]) {
            let text = charset::decode(&frame.unwrap(), Some("GB18030"), &mut Flags::none()).text;
            let id = text.split('|').nth(9).unwrap().to_owned();
            let code = if *before == id { "AA" } else { "AE" };
            let answer = format!("MSH|^~\\&|HIS||YIQIAO||20260101||ACK|1|P|2.5.1\rMSA|{code}|{id}\r");
            stream.write_all(&encode(answer.as_bytes())).await.unwrap();
            if *before == id {
                telling.send(text).await.unwrap();
            }
            *before = id;
        }
    }
}

/// An application that is told by webhook, and takes nothing before it is open.
struct Application {
    port: u16,
    told: mpsc::Receiver<Value>,
    is_open: Arc<AtomicBool>,
}

impl Application {
    async fn listening() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let ((telling, told), is_open) = (mpsc::channel(1_024), Arc::new(AtomicBool::new(false)));
        let opened = Arc::clone(&is_open);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if let Some(body) = take(stream, opened.load(Ordering::SeqCst)).await {
                    telling.send(body).await.unwrap();
                }
            }
        });
        Self { port, told, is_open }
    }

    async fn next(&mut self) -> Value {
        until("an event for the application", async || self.told.try_recv().ok()).await
    }
}

/// One request, whose signature must be good; nothing of one that breaks off.
async fn take(mut stream: TcpStream, is_open: bool) -> Option<Value> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        stream.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() == header(head, "content-length").parse::<usize>().unwrap()
        {
            break (head.to_owned(), body.to_owned());
        }
    };
    let signed = format!("{}.{body}", header(&head, "yiqiao-time"));
    let tag = hex::decode(header(&head, "yiqiao-signature").strip_prefix("v1=").unwrap()).unwrap();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes(), &tag).unwrap();
    let status = if is_open { "204 Taken" } else { "503 Busy" };
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.ok()?;
    assert!(!body.contains('陈') && !body.contains(RESIDENT_ID), "{body}");
    Some(serde_json::from_str(&body).unwrap())
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).unwrap().1
}

pub(crate) async fn tells(node: &mut Node, sections: &str) {
    let config = std::fs::read_to_string(node.config()).unwrap() + sections;
    std::fs::write(node.config(), config).unwrap();
    node.stop().await;
    node.start().await;
    node.connected().await;
}

/// The destination of this name, in what the node says of itself.
pub(crate) async fn out(node: &Node, name: &str) -> Value {
    let status = node.status().await;
    status["out"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn o1_o2_o3_systems_are_told_of_a_referral_and_its_documents_though_one_is_away_and_the_node_is_killed()
{
    let [from, mut to] = two().await;
    let (mut his, mut application) = (His::listening().await, Application::listening().await);
    let sections = format!(
        "\n[[out]]\nkind = \"mllp\"\nname = \"his\"\naddress = \"127.0.0.1:{}\"\napplication = \"HIS\"\ncharset = \"GB18030\"\n\
         \n[[out]]\nkind = \"webhook\"\nname = \"app\"\nurl = \"http://127.0.0.1:{}/told\"\nsecret = \"{SECRET}\"\n\
         \n[[out]]\nkind = \"mllp\"\nname = \"gone\"\naddress = \"127.0.0.1:{}\"\n",
        his.port,
        application.port,
        free_port()
    );
    tells(&mut to, &sections).await;
    let discharge = note(DISCHARGE, "20261118100000", &[("29548-5", "Diagnosis", &[("诊断名称", "心绞痛")])]);
    let (doctor, subject) = with_notes(&from, &[discharge]).await;
    from.published().await;
    consents(&Person::with_account(&from, "desk", "desk", None).await, "qzdx", "treatment").await;
    let path = sends(&doctor, &subject, "qzdx").await;

    let referral = his.next().await;
    assert!(
        referral.starts_with("MSH|^~\\&|YIQIAO|qzdx|HIS||") && referral.contains("|REF^I12^REF_I12|"),
        "{referral}"
    );
    assert!(referral.contains("|陈志远|") && referral.contains("转出原因：需造影"), "{referral}");
    let arrived = application.next().await;
    assert_eq!((&arrived["kind"], &arrived["patient"]), (&"referral-arrived".into(), &Value::Null));
    to.kill();
    application.is_open.store(true, Ordering::SeqCst);
    to.start().await;
    to.connected().await;
    until("the same event again", async || {
        while let Ok(told) = application.told.try_recv() {
            assert_eq!(told, arrived, "nothing else before it is taken");
        }
        (out(&to, "app").await["taken"] == 1).then_some(())
    })
    .await;

    let office = Person::with_account(&to, "referral", "referral-office", None).await;
    let given = Person::with_account(&to, "200187", "doctor", Some("D1201")).await;
    until("the prefetched document", async || {
        (office.get(&path).await["documents"][0]["state"] == "held").then_some(())
    })
    .await;
    office.post(&format!("{path}/assign"), &json!({ "login": "200187" })).await;
    office.post(&format!("{path}/act"), &json!({ "act": "accept" })).await;
    office.post(&format!("{path}/file"), &json!({ "number": "C7700012345" })).await;
    let here = his.next().await;
    assert!(here.contains("|MDM^T01^MDM_T01|") && here.contains("C7700012345^"), "{here}");
    let entry = given.get(&path).await["documents"][0]["entry"].as_str().unwrap().to_owned();
    until("the document to open", async || {
        let answer = given.request("GET", &format!("/api/documents/qzrm/{entry}"), "", b"").await;
        (answer.status == 200).then_some(())
    })
    .await;
    let content = his.next().await;
    let object = content.split("^Base64^").nth(1).unwrap().split('|').next().unwrap();
    assert!(String::from_utf8(STANDARD.decode(object).unwrap()).unwrap().contains("心绞痛"));
    let mut kinds = Vec::new();
    while !kinds.iter().any(|kind| kind == "document-opened") {
        let told = application.next().await;
        if told == arrived {
            // Once more, from before the node knew that it was taken.
            continue;
        }
        kinds.push(told["kind"].as_str().unwrap().to_owned());
        assert_eq!(told["patient"], "C7700012345", "{told}");
    }
    assert!(kinds.iter().any(|kind| kind == "document-arrived"), "{kinds:?}");
    is_shown(&to, &given).await;
}

/// What people see of the three, and of whom nothing.
async fn is_shown(to: &Node, given: &Person) {
    let it = Person::with_account(to, "it", "it", None).await;
    let shown = it.get("/api/connections").await["out"].to_string();
    assert!(!shown.contains("陈") && !shown.contains("C77000"), "{shown}");
    let gone = out(to, "gone").await;
    assert!(gone["trouble"]["what"].is_string() && gone["taken"] == 0, "{gone}");
    assert!(out(to, "his").await["taken"].as_u64() >= Some(3));
    let said = to.does(&["status"]).await;
    assert!(
        said.contains("out           gone by mllp: 0 taken, last -; ") && said.contains("not taken since"),
        "{said}"
    );
    let filed = given.get("/api/patients").await["items"][0]["subject"].as_str().unwrap().to_owned();
    let audit = given.get(&format!("/api/patients/{filed}/audit")).await.to_string();
    assert!(audit.contains("\"his\""), "what goes out is written down: {audit}");
}
