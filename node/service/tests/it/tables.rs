//! Tables by HTTP and by folder, with the mapping of the configuration.

use std::fs;

use serde_json::json;
use yiqiao_intake::charset::Charset;

use crate::pages::Person;
use crate::rig::{Node, until};
use crate::wire;

const CONFIGURED: &str = "
[[door]]
kind = \"folder\"
system = \"finance\"
folder = \"fees-out\"
table = \"fees\"

[[table]]
name = \"fees\"
kind = \"fees\"
key = [\"结算单号\"]
number = \"病案号\"
patient = \"姓名\"
date = \"收费时间\"
department = \"科室\"

[[table]]
name = \"stock\"
kind = \"stock\"
key = [\"药品编码\"]
";

const FEES: &str = "结算单号,病案号,姓名,收费时间,科室,项目,金额\r\n\
    J1,00218001,陈志远,2026-11-20 09:30:00,0203,静脉输液,12.00\r\n\
    J2,00218002,李秀英,2026-11-20 09:31:00,0203,血常规,20.00\r\n\
    J1,00218001,陈志远,2026-11-20 09:30:00,0203,奥美拉唑,30.50\r\n";

async fn configured() -> Node {
    let mut node = Node::joined().await;
    fs::create_dir(node.folder().join("fees-out")).unwrap();
    let config = fs::read_to_string(node.config()).unwrap();
    fs::write(node.config(), config + CONFIGURED).unwrap();
    node.start().await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_settlement_are_one_document_that_a_doctor_of_the_patient_reads() {
    let node = configured().await;
    let token = node.token("finance").await;
    let fees = "/api/tables/fees";
    let admission = "MSH|^~\\&|HIS|QZRM|YQ|QZRM|20261120080000||ADT^A01|t1|P|2.4\rEVN|A01|20261120080000\r\
         PID|1||00218001||陈志远||19580304|M\rPV1|1|I|0203^^12||||10215^王建平\r";
    assert!(node.mllp().await.send(admission.as_bytes()).await.unwrap().starts_with("MSA|AA"));
    let answer = wire::post(node.http, fees, Some(&token), "text/csv", FEES.as_bytes()).await;
    let items = answer.json()["items"].as_array().unwrap().clone();
    assert_eq!((answer.status, items.len()), (200, 2), "{}", answer.text());
    assert!(items.iter().all(|item| item["outcome"] == "indexed" && item["type"] == "fees"));
    let chinese = Charset::Gb18030.encode(&FEES.replace("30.50", "31.50"));
    let again = wire::post(node.http, fees, Some(&token), "text/csv; charset=GBK", &chinese).await;
    let repeats: Vec<bool> =
        again.json()["items"].as_array().unwrap().iter().map(|item| item["repeat"] == true).collect();
    assert_eq!(repeats, [false, true], "a document whose rows are the same is the same");
    let doctor = Person::with_account(&node, "10215", "doctor", Some("0203")).await;
    let found = doctor.post("/api/patients/find", &json!({ "number": "00218001" })).await;
    let subject = found["items"][0]["subject"].as_str().unwrap();
    let listed = doctor.get(&format!("/api/patients/{subject}/documents")).await;
    let rows: Vec<_> =
        listed["items"].as_array().unwrap().iter().filter(|row| row["title"] == "费用明细").collect();
    let newest = rows.iter().find(|row| row["replaced"] != true).unwrap();
    let path = format!(
        "/api/documents/{}/{}",
        newest["holder"].as_str().unwrap(),
        newest["entry"].as_str().unwrap()
    );
    let shown = doctor.get(&path).await.to_string();
    assert!(shown.contains("静脉输液") && shown.contains("31.50") && !shown.contains("血常规"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_refused_by_line_and_column_and_the_rest_of_it_is_taken() {
    let node = configured().await;
    let token = node.token("finance").await;
    let wrong = FEES.replace("2026-11-20 09:31:00", "一月一日");
    let answer = wire::post(node.http, "/api/tables/fees", Some(&token), "text/csv", wrong.as_bytes()).await;
    assert_eq!(answer.status, 422);
    let items = answer.json()["items"].as_array().unwrap().clone();
    assert_eq!((&items[0]["outcome"], &items[1]["outcome"]), (&json!("indexed"), &json!("refused")));
    assert_eq!(items[1]["reason"], "line 3, column 收费时间: it is no date");
    let stock = "药品编码,数量\nA1,20\n";
    let answer = wire::post(node.http, "/api/tables/stock", Some(&token), "text/csv", stock.as_bytes()).await;
    assert_eq!(answer.json()["outcome"], "answered");
    let unknown = wire::post(node.http, "/api/tables/none", Some(&token), "text/csv", stock.as_bytes()).await;
    assert_eq!(unknown.status, 404);
    let nobody = wire::post(node.http, "/api/tables/fees", None, "text/csv", FEES.as_bytes()).await;
    assert_eq!(nobody.status, 401);
    let text = node.does(&["status"]).await;
    assert!(text.contains("line 3, column 收费时间: it is no date") && !text.contains("一月"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_lies_in_a_folder_is_taken_and_one_that_waits_for_a_person_is_replayed() {
    let node = configured().await;
    let folder = node.folder().join("fees-out");
    fs::write(folder.join("1.csv"), FEES).unwrap();
    fs::write(folder.join("2.csv"), FEES.replace("00218001", "").replace("J1", "J9").replace("J2", "J8"))
        .unwrap();
    until("both files", async || {
        ["1.csv", "2.csv"].iter().all(|name| folder.join("done").join(name).exists()).then_some(())
    })
    .await;
    let status = node.status().await;
    let row = status["connections"].as_array().unwrap().iter().find(|row| row["door"] == "folder").unwrap();
    assert_eq!((&row["came"], &row["indexed"], &row["review"]), (&json!(4), &json!(3), &json!(1)));
    let kept = node.does(&["review", "show", "1"]).await;
    assert!(kept.starts_with("#table fees\n结算单号,"), "{kept}");
    assert!(node.does(&["review", "replay", "1"]).await.starts_with("review"), "it is read as a table again");
}
