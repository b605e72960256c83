//! Keys in a hardware module, played by SoftHSM: in the process there is no secret of theirs.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::referral_form::two;
use crate::renewal::{Passing, again, all_know, lists, retires_earlier};
use crate::rig::{MODULE, Node, Region, succeeded, until};

const LIBRARY: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "271828";

/// A software module in the folder of a region, with a token each for a node and the registry.
struct Module {
    config: PathBuf,
    tokens: PathBuf,
    pin: PathBuf,
}

impl Module {
    fn new(region: &Region) -> Self {
        assert!(
            Path::new(LIBRARY).exists(),
            "SoftHSM is missing: `make unit` installs it, or `apt-get install softhsm2`"
        );
        let config = region.module();
        let [tokens, pin] = ["tokens", "pin"].map(|name| config.with_file_name(name));
        std::fs::create_dir(&tokens).unwrap();
        let text = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
        std::fs::write(&config, text).unwrap();
        std::fs::write(&pin, format!("{PIN}\n")).unwrap();
        std::fs::set_permissions(&pin, PermissionsExt::from_mode(0o600)).unwrap();
        Self { config, tokens, pin }
    }

    /// Makes a token and names it in a configuration file; where the token is.
    fn serves(&self, file: &Path, token: &str) -> PathBuf {
        let before = folders(&self.tokens);
        let mut init = Command::new("softhsm2-util");
        init.args(["--init-token", "--free", "--label", token, "--pin", PIN, "--so-pin", "161803"]);
        succeeded(&init.env(MODULE, &self.config).output().unwrap());
        let text = std::fs::read_to_string(file).unwrap();
        let pin = self.pin.display();
        let table = format!("library = \"{LIBRARY}\"\ntoken = \"{token}\"\npin_file = \"{pin}\"\n");
        std::fs::write(file, format!("{text}\n[module]\n{table}")).unwrap();
        folders(&self.tokens).difference(&before).next().unwrap().clone()
    }
}

fn folders(of: &Path) -> BTreeSet<PathBuf> {
    std::fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Removes the key files of these kinds.
fn removes(folder: &Path, kinds: &[&str]) {
    for kind in kinds {
        std::fs::remove_file(folder.join(format!("{kind}.key"))).unwrap();
    }
}

/// The kinds of key files in a folder.
fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort_unstable();
    names
}

/// Words and sealing keys of the node follow in the module, and words, checkpoint and lease keys of the registry; the files go.
async fn moves_into(module: &Module, node: &mut Node, other: &Node) -> PathBuf {
    let token = module.serves(&node.config(), "hospital");
    for key in ["words", "sealing"] {
        let said = node.does(&["renew-key", key]).await;
        assert!(said.contains(&format!("made the key `{key}-2` in the module")), "{said}");
        lists(node, &[]);
    }
    let registry = node.region.folder().join("registry");
    module.serves(&registry.join("registry.toml"), "registry");
    for key in ["words", "checkpoint", "lease"] {
        node.region.does("registry-key", &[key]);
    }
    again(node).await;
    all_know(&[node, other]).await;
    node.region.restart_registry().await;
    for node in [&*node, other] {
        node.connected().await;
    }
    for member in ["qzdx", "registry"] {
        retires_earlier(&node.region, member);
    }
    all_know(&[node, other]).await;
    removes(&node.config().with_file_name("keys"), &["words", "sealing"]);
    removes(&registry.join("keys"), &["words", "checkpoint", "lease"]);
    again(node).await;
    node.region.restart_registry().await;
    for node in [&*node, other] {
        node.connected().await;
    }
    token
}

#[tokio::test(flavor = "multi_thread")]
async fn m13_keys_in_a_hardware_module_sign_and_open_and_nothing_goes_on_without_it() {
    let [from, mut to] = two().await;
    let mut passing = Passing::new(&from, &to).await;
    let module = Module::new(&from.region);
    let token = moves_into(&module, &mut to, &from).await;
    assert_eq!(files(&to.config().with_file_name("keys")), ["at-rest.key", "transport.key"]);
    // The recipient opens what is sealed to it, and says so to a registry that signs in the module, too.
    passing.passes(&from).await;

    // A module that no longer answers ends the process with one sentence, and nothing is lost by it.
    let away = from.region.folder().join("token");
    std::fs::rename(&token, &away).unwrap();
    let path = passing.refers(&from).await;
    let said = until("the end of the node", async || {
        let said = to.said();
        said.contains("the keys can no longer be used").then_some(said)
    });
    assert!(!said.await.contains(PIN));
    let refused = to.try_start().await.unwrap_err();
    assert!(refused.contains("has 0 tokens labelled `hospital`: it must be one"), "{refused}");
    std::fs::rename(&away, &token).unwrap();
    to.start().await;
    to.connected().await;
    passing.arrives(&path).await;

    // What is wrong with the configuration is one sentence before anything is changed.
    to.stop().await;
    std::fs::write(&module.pin, "314159\n").unwrap();
    let refused = to.try_start().await.unwrap_err();
    assert!(refused.contains("signing in with the PIN"), "{refused}");
    std::fs::set_permissions(&module.pin, PermissionsExt::from_mode(0o644)).unwrap();
    let refused = to.try_start().await.unwrap_err();
    assert!(refused.contains("can be used by others (mode 644)"), "{refused}");
}
