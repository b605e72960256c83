//! What goes wrong with commands and configuration is said in one sentence, and accounts of staff work.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use yiqiao_host::keys::{self, KeyKind, PASSPHRASE_FILE};
use yiqiao_host::renewal::{KeyRequest, WantedKey};
use yiqiao_proto::id::Code;
use yiqiao_proto::release::SealingSecret;
use zeroize::Zeroizing;

use crate::rig::{Node, text};
use crate::wire;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_before_a_node_runs_is_said_in_one_sentence() {
    let mut node = Node::joined().await;
    let said = text(&node.command(&["status"]).await.stderr);
    assert!(said.starts_with("error: nothing answers at ") && said.contains("start it first"), "{said}");
    let again = node.join(&[]);
    assert!(text(&again.stderr).contains("exists already; name a new folder with --folder"));
    let config = std::fs::read_to_string(node.config()).unwrap();
    let wrong = [
        ("region = \"demo\"", "region = \"other\"", "the region's file is of demo"),
        (
            "facility = \"general-hospital\"",
            "facility = \"castle\"",
            "`coding.facility` in the configuration",
        ),
        ("kind = \"mllp\"", "kind = \"telex\"", "mllp"),
        ("code = \"qzrm\"", "code = \"qzrm\"\ncolour = \"red\"", "colour"),
        ("region_file = \"region.json\"", "region_file = \"keys\"", "cannot read the region's file"),
    ];
    for (from, to, sentence) in wrong {
        std::fs::write(node.config(), config.replace(from, to)).unwrap();
        let said = node.try_start().await.unwrap_err();
        assert!(said.starts_with("error: ") && said.contains(sentence), "{said}");
        assert!(!node.data().exists(), "nothing is made");
    }
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let busy = config
        .replace(&format!("listen = \"127.0.0.1:{}\"", node.mllp), &format!("listen = \"127.0.0.1:{port}\""));
    std::fs::write(node.config(), busy).unwrap();
    assert!(node.try_start().await.unwrap_err().contains("cannot open the MLLP door of his at"));
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_sign_in_with_a_one_time_password_and_are_who_they_are() {
    let node = Node::started().await;
    let add = ["account", "add", "doctor", "--name", "王医生", "--role", "doctor", "--department", "xxgk"];
    let said = node.does(&add).await;
    let password = said.lines().next().unwrap().strip_prefix("one-time password: ").unwrap();
    let sign_in = json!({ "login": "doctor", "password": password }).to_string();
    let answer = wire::post(node.http, "/api/session", None, "application/json", sign_in.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("yiqiao_qzrm="), "{cookie}");
    let who =
        wire::try_request(node.http, "GET", "/api/session", &format!("Cookie: {cookie}\r\n"), b"").await;
    let who = who.unwrap().json();
    assert_eq!((&who["displayName"], &who["mustChangePassword"]), (&json!("王医生"), &json!(true)));
    assert_eq!(who["member"], json!({ "code": "qzrm", "name": "桥州市人民医院" }));
    let king = node.command(&["account", "add", "king", "--name", "王", "--role", "king"]).await;
    assert!(text(&king.stderr).contains("there is no role king here"), "{}", text(&king.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_system_delivers_nothing_more() {
    let node = Node::started().await;
    let token = node.token("emr").await;
    assert!(node.does(&["client", "list"]).await.contains("emr"));
    node.does(&["client", "disable", "emr"]).await;
    let answer = wire::post(node.http, "/api/intake", Some(&token), "text/xml", b"<a/>").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn m13_a_node_makes_its_next_keys_and_goes_on_with_all_that_it_has() {
    let mut node = Node::joined().await;
    let keys_folder = node.config().with_file_name("keys");
    let first = std::fs::read_to_string(keys_folder.join("sealing.key")).unwrap();
    for number in [2, 3] {
        for key in ["words", "transport", "sealing"] {
            let said = text(&node.command(&["renew-key", key]).await.stdout);
            assert!(said.contains(&format!("{key}-{number}.key")), "{said}");
        }
    }
    assert_eq!(std::fs::read_to_string(keys_folder.join("sealing.key")).unwrap(), first);
    let request = KeyRequest::read(&node.config().with_file_name("key-request.toml")).unwrap();
    let third = keys::load(&keys_folder.join("sealing-3.key"), KeyKind::new("sealing")).unwrap();
    let third = SealingSecret::new(&Zeroizing::new(*third.expose())).public();
    assert_eq!(request.code(&Code::new("demo").unwrap()).unwrap().as_str(), "qzrm");
    assert_eq!((request.key, request.vouched.len()), (WantedKey::Sealing { public: hex::encode(third) }, 3));
    // One that was thrown away is missed by nobody; one that is damaged is.
    std::fs::remove_file(keys_folder.join("sealing-2.key")).unwrap();
    std::fs::write(keys_folder.join("sealing-3.key"), "damaged").unwrap();
    let said = node.try_start().await.unwrap_err();
    assert!(said.contains("sealing-3.key"), "{said}");
    std::fs::remove_file(keys_folder.join("sealing-3.key")).unwrap();
    node.try_start().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_encrypted_need_the_passphrase_and_nothing_else_changes() {
    let mut node = Node::joined().await;
    let keys_folder = node.config().with_file_name("keys");
    let passphrase = |text: &str| {
        let file = node.folder().join(text.split(' ').next().unwrap());
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        format!("{PASSPHRASE_FILE}={}", file.display())
    };
    let [right, wrong, short] =
        ["plum blossom in the snow\n", "other blossom in the snow\n", "short"].map(passphrase);
    let protect_in = |folder: &Path, variable: &str| {
        let (name, value) = variable.split_once('=').unwrap();
        let mut command = std::process::Command::new(crate::node());
        command.arg("protect-keys").arg(folder).env(name, value).output().unwrap()
    };
    let protect = |variable: &str| protect_in(&keys_folder, variable);
    let elsewhere = text(&protect_in(&node.folder(), &right).stderr);
    assert!(elsewhere.contains("there is no key file in"), "{elsewhere}");
    let too_short = text(&protect(&short).stderr);
    assert!(too_short.contains("is no passphrase: it has 16 to 1024 bytes"), "{too_short}");
    let unnamed = text(&protect("NOTHING=").stderr);
    assert!(unnamed.contains("nothing is encrypted: name a file"), "{unnamed}");
    let said = text(&protect(&right).stdout);
    assert_eq!(said.matches("encrypted ").count(), 4, "{said}");
    for file in std::fs::read_dir(&keys_folder).unwrap().map(Result::unwrap) {
        let line = std::fs::read_to_string(file.path()).unwrap();
        assert!(line.starts_with("yiqiao-key-2 "), "{}", file.path().display());
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(text(&protect(&right).stdout).matches("is encrypted already").count(), 4);
    assert!(text(&protect(&wrong).stderr).contains("is not opened by the passphrase"));
    let said = node.try_start().await.unwrap_err();
    assert!(said.contains("is encrypted: name the file with its passphrase in"), "{said}");
    node.wrap(&["env", &wrong]);
    assert!(node.try_start().await.unwrap_err().contains("is not opened by the passphrase"));
    node.wrap(&["env", &right]);
    node.start().await;
    node.connected().await;
}

/// What of a folder other users of the machine may look at.
fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let data = entry.metadata().unwrap();
        if data.permissions().mode() & 0o077 != 0 {
            found.push(entry.path());
        }
        if data.is_dir() {
            found.extend(open_to_others(&entry.path()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_look_into_the_data_folder() {
    let node = Node::started().await;
    node.token("emr").await;
    assert!(node.data().join("index").exists());
    assert_eq!(open_to_others(&node.data()), Vec::<PathBuf>::new());
}
