//! No secret is shown: neither by what a process logs, however much that is, nor by printing what holds one.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use yiqiao_host::keys::{KeyKind, Seed};
use yiqiao_node_core::at_rest::AtRest;
use yiqiao_node_core::machine::{Keys, WordsKeys};
use yiqiao_proto::release::SealingSecret;
use yiqiao_proto::suite::{SecretKey, Suite};
use yiqiao_proto::token::TokenSecret;
use zeroize::Zeroizing;

use crate::feeds::admission;
use crate::rig::{Node, text};

/// The ways in which bytes are commonly printed.
fn printings(secret: &[u8]) -> Vec<String> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{secret:?}");
    let inner = list.trim_matches(['[', ']']).to_owned();
    vec![hex.to_uppercase(), hex, inner, STANDARD.encode(secret)]
}

/// Which of the secrets a text shows, by their names.
fn shown<'a>(said: &str, secrets: &'a [(String, Vec<u8>)]) -> Vec<&'a str> {
    let is_shown = |secret: &[u8]| printings(secret).iter().any(|printed| said.contains(printed.as_str()));
    secrets.iter().filter(|(_, secret)| is_shown(secret)).map(|(name, _)| name.as_str()).collect()
}

/// The seeds in the key files of a folder.
fn seeds(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let line = std::fs::read_to_string(&file).unwrap();
        let [_, kind, seed, _] = line.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
        seeds.push((format!("{kind} of {}", file.display()), STANDARD.decode(seed).unwrap()));
    }
    seeds
}

#[test]
fn what_holds_a_secret_does_not_print_it() {
    let mut seed = [0; 32];
    for (byte, value) in seed.iter_mut().zip((0xa1..=0xfe).step_by(3)) {
        *byte = value;
    }
    let secret = Zeroizing::new(seed);
    let words = || SecretKey::new(Suite::International, &seed);
    let keys = Keys {
        words: WordsKeys { first: words(), later: vec![words()] },
        sealing: vec![SealingSecret::new(&secret)],
        at_rest: AtRest::new(&secret),
    };
    let token = TokenSecret::new(1, &seed).unwrap();
    let printed = format!("{keys:?} {keys:#?} {:?} {token:?} {:?}", Seed::fresh(), KeyKind::new("words"));
    assert_eq!(shown(&printed, &[("a secret".to_owned(), seed.to_vec())]), Vec::<&str>::new(), "{printed}");
    let bare = format!("{seed:?} {}", STANDARD.encode(seed));
    assert_eq!(shown(&bare, &[("it".to_owned(), seed.to_vec())]), ["it"], "this check would see it");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_in_the_most_detailed_log_or_in_an_error() {
    let mut node = Node::joined().await;
    let config = std::fs::read_to_string(node.config()).unwrap();
    std::fs::write(node.config(), format!("{config}\n[log]\nlevel = \"trace\"\n")).unwrap();
    let keys = node.folder().join("keys");
    let secrets = seeds(&keys);
    assert!(secrets.len() >= 4, "{}", secrets.len());
    node.start().await;
    node.connected().await;
    assert!(node.mllp().await.send(admission(1).as_bytes()).await.unwrap().starts_with("MSA|AA|"));
    let said = node.stop().await;
    assert!(said.contains("TRACE"), "it says as much as it can");
    assert_eq!(shown(&said, &secrets), Vec::<&str>::new());
    // Every way in which a key file is refused, and every command that makes one.
    for (damage, file) in ["words.key", "sealing.key", "at-rest.key", "transport.key"].iter().enumerate() {
        let path = keys.join(file);
        let whole = std::fs::read_to_string(&path).unwrap();
        let cut = whole.len() - 1 - damage;
        std::fs::write(&path, whole.get(..cut).unwrap()).unwrap();
        let refused = node.try_start().await.unwrap_err();
        assert_eq!(shown(&refused, &secrets), Vec::<&str>::new(), "{file}");
        std::fs::write(&path, whole).unwrap();
    }
    let made = node.does(&["renew-key", "words"]).await;
    let request = std::fs::read_to_string(node.config().with_file_name("key-request.toml")).unwrap();
    let printed = format!("{made}{request}{}", text(&node.command(&["status"]).await.stderr));
    assert_eq!(shown(&printed, &seeds(&keys)), Vec::<&str>::new());
}
