//! Views of databases, Debian's own PostgreSQL and MariaDB: each row once, however late it is committed, and documents whole.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::pages::Person;
use crate::rig::{Node, until};
use crate::servers::{PASSWORD, Server, mariadb, postgres};

const TABLES: &str = "
[[table]]
name = \"fees\"
kind = \"fees\"
key = [\"结算单号\"]
number = \"病案号\"
patient = \"姓名\"
date = \"收费时间\"

[[table]]
name = \"dispensing\"
kind = \"dispensing\"
key = [\"prescription\"]
number = \"patient\"
patient = \"name\"
";

const FEES: &str = "
CREATE TABLE fees (no text, patient text, name text, item text, sum numeric(10, 2), at timestamp, changed timestamptz);
CREATE VIEW v_fees AS SELECT no AS 结算单号, patient AS 病案号, name AS 姓名, item, sum, at AS 收费时间, changed FROM fees;
INSERT INTO fees VALUES
    ('J1', '00218001', '陈志远', '静脉输液', 12.00, '2026-11-20 09:30:00', now() - interval '1 day'),
    ('J2', '00218002', '李秀英', '血常规, 五分类', 20.00, '2026-11-20 09:31:00', now() - interval '1 day');
";

/// 1,200 rows of 60 prescriptions, whose rows were written in turns.
const DISPENSING: &str = "
CREATE TABLE dispensing (id bigint PRIMARY KEY, prescription varchar(20), patient varchar(20), name varchar(20), drug varchar(40));
INSERT INTO dispensing SELECT seq, CONCAT('C', seq % 60), CONCAT('003001', 100 + seq % 60), '李秀英', CONCAT('奥美拉唑', seq) FROM seq_1_to_1200;
";

fn section(name: &str, url: &str, password: &Path, more: &str) -> String {
    format!(
        "\n[[view]]\nname = \"{name}\"\nsystem = \"{name}\"\nurl = \"{url}\"\npassword_file = {password:?}\n{more}\n"
    )
}

async fn configured(postgres: &Server, mariadb: &Server) -> Node {
    let mut node = Node::joined().await;
    let at = |scheme: &str, server: &Server| format!("{scheme}://owner@127.0.0.1:{}/his", server.port);
    let (fees, drugs) = (at("postgresql", postgres), at("mysql", mariadb));
    let (password, wrong) = (postgres.password(PASSWORD), postgres.password("a-wrong-one"));
    let of_fees = "table = \"fees\"\nwatermark = \"changed\"\nevery = 1\n";
    let of_drugs = "table = \"dispensing\"\nwatermark = \"id\"\noverlap = 10\n";
    let sections = [
        section("fees", &fees, &password, &format!("view = \"v_fees\"\n{of_fees}")),
        section("drugs", &drugs, &password, &format!("view = \"dispensing\"\nevery = 1\n{of_drugs}")),
        section(
            "old",
            &drugs,
            &password,
            &format!("query = \"SELECT * FROM dispensing WHERE id <= 1190 -- old\"\nevery = 0\n{of_drugs}"),
        ),
        section("wrong", &fees, &wrong, &format!("view = \"v_fees\"\n{of_fees}")),
        section("strange", &drugs, &wrong, &format!("view = \"dispensing\"\nevery = 1\n{of_drugs}")),
        section("none", &fees, &password, &format!("view = \"v_none\"\n{of_fees}")),
        section(
            "narrow",
            &fees,
            &password,
            &format!("query = \"SELECT 结算单号, changed FROM v_fees;\"\n{of_fees}"),
        ),
    ];
    let config = fs::read_to_string(node.config()).unwrap() + TABLES + &sections.concat();
    fs::write(node.config(), config).unwrap();
    node.start().await;
    node
}

/// What came of a system through a door.
async fn came(node: &Node, system: &str, door: &str) -> Option<Value> {
    let status = node.status().await;
    let rows = status["connections"].as_array().unwrap();
    rows.iter().find(|row| row["system"] == system && row["door"] == door).cloned()
}

/// What came of a view, once so many documents did, and while nothing is wrong with it.
async fn until_indexed(node: &Node, view: &str, count: u64) -> Value {
    until("the rows of a view", async || {
        let status = node.status().await;
        let row = status["views"].as_array()?.iter().find(|row| row["name"] == view)?;
        assert_eq!(row["trouble"], Value::Null, "{view}");
        came(node, view, "view").await.filter(|row| row["indexed"].as_u64().unwrap() >= count)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_of_a_view_comes_once_however_late_it_is_committed_and_documents_come_whole() {
    let (postgres, mariadb) = tokio::join!(postgres(), mariadb());
    postgres.does(FEES);
    mariadb.does(DISPENSING);
    let mut node = configured(&postgres, &mariadb).await;
    until_indexed(&node, "fees", 2).await;

    // Committed late, with an older watermark; beside one of next year, which must not hide what comes then.
    let row = |no: &str, item: &str, changed: &str| {
        format!("INSERT INTO fees VALUES ('{no}', '00218001', '陈志远', '{item}', 3, now(), {changed});")
    };
    postgres.does(&row("J3", "住院诊查", "now()"));
    until_indexed(&node, "fees", 3).await;
    postgres.does(&row("J4", "护理", "now() - interval '5 minutes'"));
    until_indexed(&node, "fees", 4).await;
    postgres.does(&row("J5", "床位", "now() + interval '1 year'"));
    until_indexed(&node, "fees", 5).await;
    // A further row of an older document brings all of it again.
    postgres.does(&row("J1", "奥美拉唑", "now()"));
    let before = until_indexed(&node, "fees", 6).await;
    assert_eq!(
        (&before["came"], &before["repeated"]),
        (&json!(6), &json!(0)),
        "nothing comes twice: {before}"
    );
    let text = fees_of(&node).await;
    assert!(text.contains("静脉输液") && text.contains("奥美拉唑"), "{text}");

    node.kill();
    postgres.does(&row("J6", "会诊", "now()"));
    node.start().await;
    let after = until_indexed(&node, "fees", 7).await;
    assert_eq!(after["came"].as_u64().unwrap(), 7 + after["repeated"].as_u64().unwrap(), "{after}");

    all_of_a_long_view(&node).await;
    what_is_wrong_is_said(&node, &postgres).await;
}

/// What a doctor reads of the settlement J1.
async fn fees_of(node: &Node) -> String {
    let doctor = Person::with_account(node, "10215", "doctor", Some("0203")).await;
    let admission = "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261120080000||ADT^A01|t1|P|2.4\rEVN|A01|20261120080000\r\
         PID|1||00218001||陈志远||19580304|M\rPV1|1|I|0203^^12||||10215^王建平\r";
    assert!(node.mllp().await.send(admission.as_bytes()).await.unwrap().starts_with("MSA|AA"));
    let found = doctor.post("/api/patients/find", &json!({ "number": "00218001" })).await;
    let subject = found["items"][0]["subject"].as_str().unwrap();
    let listed = doctor.get(&format!("/api/patients/{subject}/documents")).await;
    let mut texts = String::new();
    for row in listed["items"].as_array().unwrap() {
        let (holder, entry) = (row["holder"].as_str().unwrap(), row["entry"].as_str().unwrap());
        let text = doctor.get(&format!("/api/documents/{holder}/{entry}")).await.to_string();
        if row["replaced"] != true && text.contains("J1") {
            texts += &text;
        }
    }
    texts
}

/// More than a window, with rows of a document in all of it; and the same by a backfill, once.
async fn all_of_a_long_view(node: &Node) {
    let row = until_indexed(node, "drugs", 60).await;
    assert_eq!((&row["indexed"], &row["documents"]), (&json!(60), &json!(60)), "{row}");
    let said = node.does(&["backfill", "--view", "old", "--share", "100"]).await;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("up to 1000; indexed 60; live: "), "{said}");
    assert!(lines[1].starts_with("up to 1190; indexed 60, repeated 60; live: "), "{said}");
    let again = node.does(&["backfill", "--view", "old"]).await;
    assert!(again.starts_with("up to 1190; ; live"), "{again}");
}

async fn what_is_wrong_is_said(node: &Node, postgres: &Server) {
    let row = |status: &Value, name: &str| {
        status["views"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
    };
    let status = node.status().await;
    for (name, said) in [
        ("wrong", "the database does not accept the user or the password"),
        ("strange", "the database does not accept the user or the password"),
        ("none", "there is no such view or table"),
        ("narrow", "the view has no column 病案号"),
    ] {
        let what = row(&status, name)["trouble"]["what"].as_str().unwrap().to_owned();
        assert_eq!(what, said, "{name}");
    }
    assert_eq!(row(&status, "drugs")["read"], "1200");
    assert_eq!(row(&status, "fees")["trouble"], Value::Null);
    postgres.does("INSERT INTO fees VALUES (NULL, '1', '无号', '', 3, now(), now()), ('J9', '1', '无时', '', 3, now(), NULL);");
    for said in ["in the column of the watermark", "in a column of the key"] {
        until("what is odd", async || {
            let what = row(&node.status().await, "fees")["trouble"]["what"].as_str()?.to_owned();
            what.contains(said).then_some(())
        })
        .await;
        postgres.does("DELETE FROM fees WHERE changed IS NULL");
    }
    let text = node.does(&["status"]).await;
    assert!(text.contains("view          none of none: read up to -"), "{text}");
    for secret in [PASSWORD, "a-wrong-one", "无号", "无时", "陈志远"] {
        assert!(!text.contains(secret) && !node.said().contains(secret), "{secret}");
    }
}
