//! Orthanc as a PACS that sends a study on, by an association and by DICOMweb.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::dicom::{Door, IMAGE, Image, JPEG, opened};
use crate::fhir::EVERYTHING;
use crate::rig::{free_port, until};
use crate::wire;

/// Where Debian's packages have what makes Orthanc speak DICOMweb.
const DICOMWEB: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";

/// A PACS that is killed when this is dropped.
struct Orthanc {
    process: Child,
    http: u16,
    _folder: tempfile::TempDir,
}

impl Orthanc {
    /// Starts one that knows a node as `node`, and signs in there as `pacs` by HTTP.
    async fn started(door: &Door) -> Self {
        let missing = "run 'apt-get install orthanc orthanc-dicomweb'";
        assert!(std::path::Path::new(DICOMWEB).exists(), "there is no {DICOMWEB}: {missing}");
        let token = door.node.token_for("pacs", EVERYTHING).await;
        let web = format!("http://localhost:{}/dicomweb/", door.node.http);
        let folder = tempfile::tempdir().unwrap();
        let (http, dicom) = (free_port(), free_port());
        let config = json!({
            "Name": "PACS", "StorageDirectory": folder.path(), "IndexDirectory": folder.path(),
            "HttpPort": http, "DicomPort": dicom, "DicomAet": "PACS",
            "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
            "DicomModalities": {"node": ["YIQIAO", "127.0.0.1", door.port]},
            "Plugins": [DICOMWEB],
            "DicomWeb": {"Servers": {"node": {"Url": web, "HttpHeaders": {"Authorization": format!("Bearer {token}")}}}},
        });
        let file = folder.path().join("orthanc.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("Orthanc");
        command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn();
        let process = process.unwrap_or_else(|error| panic!("Orthanc does not run ({error}): {missing}"));
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
async fn orthanc_sends_a_study_as_a_pacs_does_and_by_dicomweb() {
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

    // One more instance of the study by STOW-RS is a version with all three.
    let more = orthanc.does("POST", "/instances", &Image { number: 2, ..IMAGE }.file()).await["ID"].clone();
    let sent = json!({"Resources": [more], "Synchronous": true}).to_string();
    orthanc.does("POST", "/dicom-web/servers/node/stow", sent.as_bytes()).await;
    door.counted("documents", 2).await;
    let (found, study) = door.current().await;
    assert_eq!((found.len(), opened(&study).0["instances"].as_array().map(Vec::len)), (1, Some(3)));
}
