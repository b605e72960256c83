//! Orthanc as a PACS that sends a study on. Not here: Orthanc as a client of DICOMweb.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::dicom::{Door, IMAGE, Image, JPEG};
use crate::rig::{free_port, until};
use crate::wire;

/// A PACS that is killed when this is dropped.
struct Orthanc {
    process: Child,
    http: u16,
    _folder: tempfile::TempDir,
}

impl Orthanc {
    /// Starts one that knows a node as `node`.
    async fn started(door: &Door) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (http, dicom) = (free_port(), free_port());
        let config = json!({
            "Name": "PACS", "StorageDirectory": folder.path(), "IndexDirectory": folder.path(),
            "HttpPort": http, "DicomPort": dicom, "DicomAet": "PACS",
            "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
            "DicomModalities": {"node": ["YIQIAO", "127.0.0.1", door.port]},
        });
        let file = folder.path().join("orthanc.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("Orthanc");
        command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let missing = "Orthanc does not run: run 'apt-get install orthanc'";
        let process = command.spawn().unwrap_or_else(|error| panic!("{missing} ({error})"));
        let orthanc = Self { process, http, _folder: folder };
        until("Orthanc to be ready", async || {
            wire::try_request(http, "GET", "/system", "", b"").await.ok().filter(|said| said.status == 200)
        })
        .await;
        orthanc
    }

    async fn does(&self, method: &str, path: &str, body: &[u8]) -> Value {
        let answer = wire::try_request(self.http, method, path, "", body).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }
}

impl Drop for Orthanc {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orthanc_sends_a_study_as_a_pacs_does() {
    let door = Door::opened("callers = [\"PACS\"]").await;
    let orthanc = Orthanc::started(&door).await;
    let mut ids = Vec::new();
    for image in [IMAGE, Image { series: 2, syntax: JPEG, ..IMAGE }] {
        ids.push(orthanc.does("POST", "/instances", &image.file()).await["ID"].clone());
    }
    let sent = json!({"Resources": ids, "Synchronous": true}).to_string();
    let sent = orthanc.does("POST", "/modalities/node/store", sent.as_bytes()).await;
    assert_eq!((&sent["InstancesCount"], &sent["FailedInstancesCount"]), (&json!(2), &json!(0)), "{sent}");
    door.counted("documents", 1).await;
    let (_, study) = door.current().await;
    assert!(study.starts_with(b"PK"));
}
