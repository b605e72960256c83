//! The DICOM door with dcmtk's own tools as devices: what they send becomes one document a study, durable before they are told.

use std::process::{Command, Output};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::fhir::{EVERYTHING, FHIR, RESIDENT, System, permit};
use crate::pages::{Person, RESIDENT_ID};
use crate::rig::{Node, free_port, text, until};

/// How much more memory the node may have taken for a study, however long it is.
const MEMORY_KIB_MAX: u64 = 40 << 10;
const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub(crate) const JPEG: &str = "1.2.840.10008.1.2.4.50";

/// A node with a DICOM door, and the folder of the devices.
pub(crate) struct Door {
    pub(crate) node: Node,
    pub(crate) port: u16,
    files: tempfile::TempDir,
    /// Of the system that reads.
    secret: String,
}

/// An image that a device has.
#[derive(Clone, Copy)]
pub(crate) struct Image {
    pub(crate) study: u32,
    pub(crate) series: u32,
    pub(crate) number: u32,
    pub(crate) patient: &'static str,
    pub(crate) syntax: &'static str,
    pub(crate) pixels: usize,
}

pub(crate) const IMAGE: Image =
    Image { study: 1, series: 1, number: 1, patient: "0088123", syntax: EXPLICIT, pixels: 512 };

impl Image {
    pub(crate) fn uid(self) -> String {
        format!("1.2.3.{}.{}.{}", self.study, self.series, self.number)
    }

    /// The data set, explicit and little end first.
    pub(crate) fn data_set(self) -> Vec<u8> {
        let mut set = Vec::new();
        let mut put = |group: u16, element: u16, vr: &str, value: &[u8]| {
            let mut value = value.to_vec();
            value.resize(value.len().next_multiple_of(2), if vr == "UI" { 0 } else { b' ' });
            set.extend([group.to_le_bytes(), element.to_le_bytes()].concat());
            set.extend(vr.as_bytes());
            if vr == "OW" || vr == "OB" {
                set.extend([0, 0]);
                set.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
            } else {
                set.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
            }
            set.extend(value);
        };
        put(0x0008, 0x0005, "CS", b"GB18030");
        put(0x0008, 0x0016, "UI", CT.as_bytes());
        put(0x0008, 0x0018, "UI", self.uid().as_bytes());
        put(0x0008, 0x0020, "DA", b"20260302");
        put(0x0008, 0x0030, "TM", b"083015");
        put(0x0008, 0x0060, "CS", b"CT");
        put(0x0008, 0x1030, "LO", b"\xD0\xD8\xB2\xBFCT");
        put(0x0010, 0x0010, "PN", b"ZHANG^SAN=\xD5\xC5^\xC8\xFD");
        put(0x0010, 0x0020, "LO", self.patient.as_bytes());
        if self.patient == IMAGE.patient {
            put(0x0010, 0x1000, "LO", RESIDENT_ID.as_bytes());
        }
        put(0x0020, 0x000D, "UI", format!("1.2.3.{}", self.study).as_bytes());
        put(0x0020, 0x000E, "UI", format!("1.2.3.{}.{}", self.study, self.series).as_bytes());
        put(0x0020, 0x0011, "IS", self.series.to_string().as_bytes());
        put(0x0020, 0x0013, "IS", self.number.to_string().as_bytes());
        put(0x0028, 0x0010, "US", &16_u16.to_le_bytes());
        put(0x0028, 0x0011, "US", &16_u16.to_le_bytes());
        let pixels: Vec<u8> =
            (0_u8..251).cycle().skip(usize::try_from(self.number).unwrap()).take(self.pixels).collect();
        if self.syntax == EXPLICIT {
            put(0x7FE0, 0x0010, "OW", &pixels);
            return set;
        }
        set.extend([0xE0, 0x7F, 0x10, 0x00, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
        for fragment in [&[][..], &pixels] {
            set.extend([0xFE, 0xFF, 0x00, 0xE0]);
            set.extend(u32::try_from(fragment.len()).unwrap().to_le_bytes());
            set.extend(fragment);
        }
        set.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        set
    }

    pub(crate) fn file(self) -> Vec<u8> {
        let mut meta = Vec::new();
        for (element, value) in [
            (2_u16, CT.to_owned()),
            (3, self.uid()),
            (0x10, self.syntax.to_owned()),
            (0x12, "1.2.3.9".to_owned()),
        ] {
            let mut value = value.into_bytes();
            value.resize(value.len().next_multiple_of(2), 0);
            meta.extend([2, 0]);
            meta.extend(element.to_le_bytes());
            meta.extend(b"UI");
            meta.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
            meta.extend(value);
        }
        let version = [2, 0, 1, 0, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 1];
        let length = u32::try_from(meta.len() + version.len()).unwrap();
        let group = [&[2, 0, 0, 0, b'U', b'L', 4, 0][..], &length.to_le_bytes()].concat();
        [&[0; 128][..], b"DICM", &group, &version, &meta, &self.data_set()].concat()
    }
}

impl Door {
    pub(crate) async fn opened(more: &str) -> Self {
        let mut node = Node::joined().await;
        let port = free_port();
        let config = std::fs::read_to_string(node.config()).unwrap();
        let door = format!(
            "\n[[door]]\nkind = \"dicom\"\nsystem = \"pacs\"\nlisten = \"127.0.0.1:{port}\"\nstudy_quiet = 1\n{more}\n"
        );
        std::fs::write(node.config(), config + &door).unwrap();
        node.start().await;
        node.connected().await;
        let secret = node.client("viewer", EVERYTHING).await;
        Self { node, port, files: tempfile::tempdir().unwrap(), secret }
    }

    /// Runs a tool of dcmtk against the door.
    async fn tool(&self, name: &str, title: &str, more: Vec<String>) -> Output {
        let mut tool = Command::new(name);
        let port = self.port.to_string();
        tool.args(["-to", "20", "-aet", "CT1", "-aec", title, "127.0.0.1", &port]).args(more);
        let ran = tokio::task::spawn_blocking(move || tool.output()).await.unwrap();
        ran.unwrap_or_else(|error| panic!("{name} does not run ({error}): run 'apt-get install dcmtk'"))
    }

    /// Sends images as a device does; whether each was taken.
    pub(crate) async fn store(&self, images: &[Image]) -> bool {
        let mut words = Vec::new();
        if images.iter().any(|image| image.syntax == JPEG) {
            words.push("-xy".to_owned());
        }
        let folder = tempfile::tempdir_in(self.files.path()).unwrap();
        let mut files = Vec::new();
        for image in images {
            let file = folder.path().join(image.uid());
            std::fs::write(&file, image.file()).unwrap();
            files.push(file.display().to_string());
        }
        self.tool_with(words, files).await.status.success()
    }

    async fn tool_with(&self, options: Vec<String>, files: Vec<String>) -> Output {
        let mut tool = Command::new("storescu");
        let port = self.port.to_string();
        tool.args(options)
            .args(["-to", "20", "-aet", "CT1", "-aec", "YIQIAO", "127.0.0.1", &port])
            .args(files);
        let ran = tokio::task::spawn_blocking(move || tool.output()).await.unwrap();
        ran.unwrap_or_else(|error| panic!("storescu does not run ({error}): run 'apt-get install dcmtk'"))
    }

    pub(crate) async fn counted(&self, what: &str, count: u64) {
        until(what, async || {
            let status = self.node.status().await;
            (status["systems"]["pacs"][what] == count).then_some(())
        })
        .await;
    }

    /// The documents that are current, and the bytes of the first.
    pub(crate) async fn current(&self) -> (Vec<Value>, Vec<u8>) {
        let token = self.node.signed_in("viewer", &self.secret).await;
        let system = System { node: &self.node, token };
        let found = system.all("DocumentReference", "patient.identifier=0088123&status=current").await;
        let answer = system.get(&format!("/fhir/Binary/{}", found[0]["id"].as_str().unwrap())).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/zip"));
        (found, answer.body)
    }

    fn waiting(&self) -> usize {
        let folder = self.node.data().join("spool/pacs");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

/// The list of a study, and the bytes behind it.
pub(crate) fn opened(study: &[u8]) -> (Value, &[u8]) {
    let length = usize::try_from(u32::from_le_bytes(study[18..22].try_into().unwrap())).unwrap();
    (serde_json::from_slice(&study[40..40 + length]).unwrap(), &study[40 + length..])
}

fn part<'s>(list: &Value, bytes: &'s [u8], place: usize) -> &'s [u8] {
    let part = &list["instances"][place];
    let number = |name: &str| usize::try_from(part[name].as_u64().unwrap()).unwrap();
    &bytes[number("offset")..number("offset") + number("length")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_of_a_device_is_one_document_and_what_comes_later_its_next_version() {
    let door = Door::opened("").await;
    let echoed = door.tool("echoscu", "YIQIAO", Vec::new()).await;
    assert!(echoed.status.success(), "{}", text(&echoed.stderr));
    let first = [IMAGE, Image { number: 2, ..IMAGE }, Image { series: 2, number: 1, syntax: JPEG, ..IMAGE }];
    assert!(door.store(&first).await);
    door.counted("documents", 1).await;
    let (found, study) = door.current().await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["description"].as_str(), Some("胸部CT"), "{}", found[0]);
    assert!(found[0]["context"]["period"]["start"].as_str().unwrap().starts_with("2026-03-02"));
    let (list, bytes) = opened(&study);
    assert_eq!((&list["study"], list["instances"].as_array().unwrap().len()), (&"1.2.3.1".into(), 3));
    for (place, image) in first.iter().enumerate() {
        assert_eq!(list["instances"][place]["instance"], image.uid().as_str());
        assert!(part(&list, bytes, place).ends_with(&image.data_set()), "the data set as it came");
    }
    assert_eq!(list["instances"][2]["transferSyntax"], JPEG);

    // The same again is the same document; one more is a version of it with all.
    assert!(door.store(&first[..1]).await);
    until("the spool to be empty", async || (door.waiting() == 0).then_some(())).await;
    door.counted("documents", 1).await;
    let more = Image { series: 2, number: 2, ..IMAGE };
    assert!(door.store(&[more]).await);
    door.counted("documents", 2).await;
    let (found, study) = door.current().await;
    assert_eq!(found.len(), 1, "the earlier version is replaced");
    let (list, bytes) = opened(&study);
    assert_eq!(list["instances"].as_array().unwrap().len(), 4);
    for (place, image) in first.iter().chain([&more]).enumerate() {
        assert!(part(&list, bytes, place).ends_with(&image.data_set()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_was_told_is_kept_outlives_a_kill_before_its_study_is_whole() {
    let mut door = Door::opened("").await;
    assert!(door.store(&[IMAGE, Image { number: 2, ..IMAGE }]).await);
    door.node.kill();
    let left = door.waiting();
    door.node.start().await;
    door.node.connected().await;
    door.counted("documents", 1).await;
    assert!(left == 2 || left == 0, "{left} instances waited");
    let (_, study) = door.current().await;
    assert_eq!(opened(&study).0["instances"].as_array().unwrap().len(), 2);
    until("the spool to be empty", async || (door.waiting() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_behind_tls_takes_studies_of_devices_that_show_a_certificate_and_nothing_in_the_open() {
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).display().to_string();
    for who in ["door", "other"] {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(path(&format!("{who}.pem")), own.pem()).unwrap();
        std::fs::write(path(&format!("{who}.key")), key.serialize_pem()).unwrap();
    }
    let named = |name: &str| format!("{:?}", path(name));
    let (certificate, key) = (named("door.pem"), named("door.key"));
    let tls = format!("[door.tls]\ncertificate = {certificate}\nkey = {key}\nsenders = {certificate}");
    let door = Door::opened(&tls).await;
    let image = path("image");
    std::fs::write(&image, IMAGE.file()).unwrap();
    let sent = async |options: &[&str]| {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        door.tool_with(options, vec![image.clone()]).await
    };
    let (own, own_key) = (path("door.pem"), path("door.key"));
    let open = sent(&[]).await;
    assert!(!open.status.success(), "in the open");
    let other = sent(&["+tls", &path("other.key"), &path("other.pem"), "+cf", &own]).await;
    assert!(!other.status.success(), "another certificate");
    door.counted("documents", 0).await;
    let right = sent(&["+tls", &own_key, &own, "+cf", &own]).await;
    assert!(right.status.success(), "{}", text(&right.stderr));
    door.counted("documents", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_configured_is_turned_away_and_what_names_no_patient_is_for_a_person() {
    let door = Door::opened("callers = [\"CT1\"]").await;
    assert!(!door.tool("echoscu", "OTHER", Vec::new()).await.status.success());
    let nobody = Image { patient: "", ..IMAGE };
    assert!(door.store(&[nobody]).await);
    door.counted("review", 1).await;
    let listed = door.node.does(&["review", "list"]).await;
    assert!(listed.contains("no-identifier") && listed.contains("pacs"), "{listed}");
    assert!(door.node.does(&["review", "replay", "1"]).await.starts_with("review"), "it is read again");
    let said = door.node.said();
    assert!(!said.contains("ZHANG") && !said.contains("0088123"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_patients_with_one_study_are_two_documents() {
    let door = Door::opened("").await;
    assert!(door.store(&[IMAGE]).await);
    door.counted("documents", 1).await;
    let other = Image { number: 2, patient: "0099999", ..IMAGE };
    assert!(door.store(&[other]).await);
    door.counted("documents", 2).await;
    let (found, study) = door.current().await;
    assert_eq!(found.len(), 1);
    assert_eq!(opened(&study).0["instances"].as_array().unwrap().len(), 1);
}

/// A body of STOW-RS.
fn multipart(parts: &[Vec<u8>]) -> Vec<u8> {
    let part =
        |bytes: &Vec<u8>| [b"\r\n--b1\r\nContent-Type: application/dicom\r\n\r\n", bytes.as_slice()].concat();
    [parts.iter().flat_map(part).collect::<Vec<_>>(), b"\r\n--b1--\r\n".to_vec()].concat()
}

/// What dcmtk makes of an image in the DICOM JSON model, but for its pixels, which it does not take compressed.
fn dcm2json(image: Image) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    std::fs::write(&path, Image { syntax: EXPLICIT, ..image }.file()).unwrap();
    let said = Command::new("dcm2json").arg(path).output().unwrap();
    assert!(said.status.success(), "{}", text(&said.stderr));
    let mut said: Value = serde_json::from_slice(&said.stdout).unwrap();
    said.as_object_mut().unwrap().remove("7FE00010").unwrap();
    said
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn dicomweb_takes_instances_and_gives_a_study_a_series_or_one_instance() {
    let door = Door::opened("").await;
    let node = &door.node;
    // The PACS sends by HTTP what its devices send by associations.
    let pacs = System { node, token: node.token_for("pacs", EVERYTHING).await };
    let images = [IMAGE, Image { series: 2, syntax: JPEG, ..IMAGE }];
    let kind = "Content-Type: multipart/related; type=\"application/dicom\"; boundary=b1\r\n";
    let body = multipart(&[images[0].file(), images[1].file(), b"no image".to_vec()]);
    let answer = pacs.ask("POST", "/dicomweb/studies", kind, &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let said = answer.json();
    assert_eq!(said["00081199"]["Value"][1]["00081155"]["Value"][0], images[1].uid().as_str());
    assert_eq!(said["00081198"]["Value"][0]["00081197"]["Value"][0], 0xC000);
    let cut = pacs.ask("POST", "/dicomweb/studies", kind, &body[..body.len() - 9]).await;
    assert_eq!(cut.status, 400);
    let other = pacs.ask("POST", "/dicomweb/studies", "Content-Type: application/dicom\r\n", b"x").await;
    assert_eq!(other.status, 415);
    let reader = System { node, token: node.token_for("reader", &["system/*.rs"]).await };
    assert_eq!(reader.ask("POST", "/dicomweb/studies", kind, &body).await.status, 403);
    door.counted("documents", 1).await;

    let (found, _) = door.current().await;
    let root = format!("/dicomweb/documents/{}/studies", found[0]["id"].as_str().unwrap());
    let listed = reader.get(&root).await.json();
    assert_eq!(
        (&listed[0]["0020000D"]["Value"][0], &listed[0]["00201208"]["Value"][0]),
        (&"1.2.3.1".into(), &2.into())
    );
    assert_eq!(listed[0]["00100010"]["Value"][0]["Ideographic"], "张^三");
    assert_eq!(
        (&listed[0]["00100020"]["Value"][0], &listed[0]["00080020"]["Value"][0]),
        (&"0088123".into(), &"20260302".into())
    );
    let address = listed[0]["00081190"]["Value"][0].as_str().unwrap();
    assert!(address.ends_with(&format!("{root}/1.2.3.1")), "{address}");
    assert_eq!(reader.get(&format!("{root}?PatientID=0088*&StudyDate=20260301-")).await.json(), listed);
    assert_eq!(reader.get(&format!("{root}?PatientID=1")).await.json(), json!([]));
    assert_eq!(reader.get(&format!("{root}?PatientAge=1")).await.status, 400);
    let series = reader.get(&format!("{root}/1.2.3.1/series")).await.json();
    assert_eq!(series[1]["0020000E"]["Value"][0], "1.2.3.1.2");
    let instances = reader.get(&format!("{root}/1.2.3.1/series/1.2.3.1.2/instances")).await.json();
    assert_eq!(instances.as_array().map(Vec::len), Some(1));
    assert_eq!(instances[0]["00280010"]["Value"][0], 16);

    let all = reader.get(&format!("{root}/1.2.3.1/metadata")).await;
    assert_eq!(all.header("content-type"), Some("application/dicom+json"));
    assert_eq!(all.json(), json!(images.map(dcm2json)), "as dcmtk has it");
    let series = reader.get(&format!("{root}/1.2.3.1/series/1.2.3.1.2/metadata")).await.json();
    assert_eq!(series, json!([dcm2json(images[1])]));
    let one = format!("{root}/1.2.3.1/series/1.2.3.1.1/instances/{}/metadata", IMAGE.uid());
    assert_eq!(reader.get(&one).await.json(), json!([dcm2json(IMAGE)]));

    assert_eq!(reader.get("/dicomweb/studies?PatientID=0088123&Modality=CT").await.status, 400);
    let of_patient = reader.get("/dicomweb/studies?PatientID=0088123&ModalitiesInStudy=CT").await;
    assert_eq!(of_patient.json(), listed);
    assert_eq!(reader.get("/dicomweb/studies?PatientID=0088124").await.json(), json!([]));
    let of_all = reader.get("/dicomweb/studies").await;
    assert_eq!(of_all.status, 403, "without a bound: {}", of_all.text());

    let whole = reader.get(&format!("{root}/1.2.3.1")).await;
    assert!(
        whole.header("content-type").unwrap().starts_with("multipart/related; type=\"application/dicom\"")
    );
    assert!(images.iter().all(|image| contains(&whole.body, &image.data_set())));
    let second = reader.get(&format!("{root}/1.2.3.1/series/1.2.3.1.2")).await.body;
    assert!(contains(&second, &images[1].data_set()) && !contains(&second, &images[0].data_set()));
    let one = format!("{root}/1.2.3.1/series/1.2.3.1.1/instances/{}", IMAGE.uid());
    let one = reader.ask("GET", &one, "Accept: application/dicom\r\n", b"").await;
    assert_eq!(one.body, IMAGE.file(), "byte by byte");
    for missing in [
        "/1.2.3.9",
        "/1.2.3.1/series/1.9/metadata",
        "/1.2.3.1/series/1.9",
        "/1.2.3.1/series/1.2.3.1.1/instances/1.2.3.1.2.1",
    ] {
        assert_eq!(reader.get(&format!("{root}{missing}")).await.status, 404, "{missing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_patient_with_many_studies_the_newest_are_listed_and_it_is_said_that_there_are_more() {
    let door = Door::opened("").await;
    let images: Vec<Image> = (1..=65).map(|study| Image { study, ..IMAGE }).collect();
    assert!(door.store(&images).await);
    door.counted("documents", 65).await;
    let reader = System { node: &door.node, token: door.node.signed_in("viewer", &door.secret).await };
    let listed = reader.get("/dicomweb/studies?PatientID=0088123").await;
    assert_eq!(listed.json().as_array().map(Vec::len), Some(64));
    let warned = listed.header("warning");
    assert_eq!(warned, Some("299 yiqiao \"1 older documents of the patient were not looked at\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_that_another_hospital_has_let_go_is_found_and_read_like_an_own_one() {
    let door = Door::opened("").await;
    assert!(door.store(&[IMAGE, Image { number: 2, ..IMAGE }]).await);
    door.counted("documents", 1).await;
    door.node.published().await;
    let own = System { node: &door.node, token: door.node.signed_in("viewer", &door.secret).await };
    let found = own.all("Patient", &format!("identifier={RESIDENT}%7C{RESIDENT_ID}")).await;
    let consent = permit(found[0]["id"].as_str().unwrap()).to_string().replace("qzrm", "qzdx");

    let mut other = Node::applied_to(Arc::clone(&door.node.region), "qzdx");
    other.admit();
    other.start().await;
    other.connected().await;
    let arrival = format!(
        "MSH|^~\\&|HIS|QZDX|YQ|QZDX|20261121080000||ADT^A04|e1|P|2.4\rEVN|A04|20261121080000\r\
         PID|1||77001^^^HIS^MR~{RESIDENT_ID}^^^GA^NI||张三||19580304|M\r\
         PV1|1|O|JZ01||||30001^林医生||||||||||||E1|||||||||||||||||||||||||20261121080000\r"
    );
    assert!(other.mllp().await.send(arrival.as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    let made = until("the consent, once the other is a member", async || {
        let made = own.post("/fhir/Consent", FHIR, &consent).await;
        (made.status == 201).then_some(made)
    });
    made.await;
    let doctor = Person::with_account(&other, "30001", "doctor", Some("JZ01")).await;
    let subject = doctor.find().await;
    let reader = System { node: &other, token: other.token_for("viewer", EVERYTHING).await };
    let study = until("the study", async || {
        doctor.send("POST", &format!("/api/patients/{subject}/fetch"), &json!({})).await;
        let found = reader.all("DocumentReference", &format!("patient={subject}")).await;
        found.first().map(|one| one["id"].as_str().unwrap().to_owned())
    })
    .await;
    let root = format!("/dicomweb/documents/{study}/studies");
    let listed = until("the study to be opened", async || {
        let answer = reader.get(&format!("{root}?PatientID={}", IMAGE.patient)).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    assert_eq!(
        (&listed[0]["0020000D"]["Value"][0], &listed[0]["00201208"]["Value"][0]),
        (&json!("1.2.3.1"), &json!(2))
    );
    assert_eq!(reader.get("/dicomweb/studies?PatientID=77001").await.json(), listed, "by the own number");
    let one = format!("{root}/1.2.3.1/series/1.2.3.1.1/instances/{}", IMAGE.uid());
    let said = reader.get(&format!("{one}/metadata")).await.json();
    assert_eq!(said, json!([dcm2json(IMAGE)]));
    let one = reader.ask("GET", &one, "Accept: application/dicom\r\n", b"").await;
    assert!(one.body.ends_with(&IMAGE.data_set()), "the data set as it came");
}

/// The most memory that the node has had, in KiB.
fn peak(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_of_a_hundred_megabytes_needs_no_memory() {
    let door = Door::opened("").await;
    let long = |number| Image { number, pixels: 20 << 20, ..IMAGE };
    assert!(door.store(&[IMAGE]).await);
    door.counted("documents", 1).await;
    let before = peak(&door.node);
    assert!(door.store(&[2, 3, 4, 5, 6].map(long)).await);
    door.counted("documents", 2).await;
    let grown = peak(&door.node) - before;
    assert!(grown < MEMORY_KIB_MAX, "{grown} KiB for 100 MiB");
}
