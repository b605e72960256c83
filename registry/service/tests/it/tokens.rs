//! The token key in a process of its own: the registry works with it, waits for it, and never has the key.

#![expect(clippy::unwrap_used, reason = "what cannot happen here fails the test")]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use yiqiao_proto::codes::RefusalCode;

use crate::member::Member;
use crate::registry;
use crate::rig::{Region, text, until};
use crate::words::patient;

/// The token process; killed when this is dropped.
struct Tokens(Child, PathBuf);

impl Tokens {
    /// Of a region whose registry is told to ask it.
    async fn started(region: &Region) -> Self {
        let folder = region.folder();
        let said = folder.join("tokens.log");
        let mut command = Command::new(registry());
        command.args(["tokens", "serve", "--keys"]).arg(folder.join("tokens"));
        command.arg("--socket").arg(socket(region)).stdin(Stdio::null());
        let out = std::fs::File::options().append(true).create(true).open(&said).unwrap();
        command.stdout(out.try_clone().unwrap()).stderr(out);
        let child = command.spawn().unwrap();
        let socket = socket(region);
        until("the token process", || async { UnixStream::connect(&socket).ok() }).await;
        Self(child, said)
    }

    fn stop(mut self) -> String {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
        std::fs::read_to_string(&self.1).unwrap()
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn socket(region: &Region) -> PathBuf {
    region.folder().join("tokens.sock")
}

/// Moves the token keys away from the registry's, and tells it whom to ask.
fn set_apart(region: &Region) -> PathBuf {
    let folder = region.folder();
    let apart = folder.join("tokens");
    std::fs::create_dir(&apart).unwrap();
    let key = apart.join("tokens-1.key");
    std::fs::rename(folder.join("registry/keys/tokens-1.key"), &key).unwrap();
    let config = std::fs::read_to_string(region.config()).unwrap();
    std::fs::write(region.config(), format!("tokens = \"../tokens.sock\"\n{config}")).unwrap();
    key
}

/// The secret of a key file, as it stands there.
fn secret(key: &Path) -> String {
    std::fs::read_to_string(key).unwrap().split_whitespace().nth(2).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn t3_the_registry_evaluates_by_a_process_that_alone_has_the_key() {
    let mut region = Region::new(&["a"]);
    let key = set_apart(&region);
    assert!(region.try_start().await.unwrap_err().contains("tokens serve"), "what to start is said");
    let tokens = Tokens::started(&region).await;
    assert_eq!(std::fs::metadata(socket(&region)).unwrap().permissions().mode() & 0o777, 0o600);
    region.start().await;
    let member = Member::connected(&region, "a").await;
    let first = member.tokens(&[patient()]).await;

    // It goes, and comes back: nobody has the key meanwhile, and nothing is lost by it.
    let said = tokens.stop();
    assert!(!socket(&region).exists());
    let refused = member.tokens_of(1, &[patient()]).await.unwrap_err();
    assert_eq!(refused.refusal(), (RefusalCode::Busy, "T-3"));
    let tokens = Tokens::started(&region).await;
    assert_eq!(member.tokens(&[patient()]).await, first);

    // A new epoch begins while both run.
    let signed = region.command("token-epoch", &[]);
    assert!(signed.status.success(), "{}", text(&signed.stderr));
    let mut member = Member::connected(&region, "a").await;
    until("the new epoch", || async {
        Member::connected(&region, "a").await.tokens_of(2, &[patient()]).await.ok()
    })
    .await;
    member.follow_lists().await.unwrap();
    let second = member.tokens_of(2, &[patient()]).await.unwrap();
    assert_ne!(first, second);

    let secret = secret(&key);
    let all = said + &tokens.stop() + &region.stop().await;
    assert!(!all.contains(&secret) && !all.contains("panic"), "{all}");
    let own = std::fs::read_dir(region.folder().join("registry/keys")).unwrap();
    assert!(own.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with("tokens")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_process_with_another_key_stops_the_registry_at_its_start() {
    let mut region = Region::new(&["a"]);
    let key = set_apart(&region);
    std::fs::remove_file(&key).unwrap();
    let folder = region.folder().join("tokens");
    let nothing = Command::new(registry())
        .args(["tokens", "serve", "--keys"])
        .arg(&folder)
        .arg("--socket")
        .arg(socket(&region))
        .output()
        .unwrap();
    assert!(text(&nothing.stderr).contains("there is no key file"), "{}", text(&nothing.stderr));
    let other = Region::new(&["b"]);
    std::fs::copy(other.folder().join("registry/keys/tokens-1.key"), &key).unwrap();
    let _tokens = Tokens::started(&region).await;
    let said = region.try_start().await.unwrap_err();
    assert!(said.contains("is not the token key that the member list has for epoch 1"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_question_to_the_token_process_breaks_its_own_line_only() {
    let mut region = Region::new(&["a"]);
    set_apart(&region);
    let _tokens = Tokens::started(&region).await;
    for question in [&[0xff; 16][..], &[0, 0, 0, 3, 0xff, 0xff, 0xff], &[0, 0]] {
        let mut line = UnixStream::connect(socket(&region)).unwrap();
        line.write_all(question).unwrap();
        line.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        line.read_to_end(&mut answer).ok();
        assert!(answer.is_empty() || answer == [2, 0, 0, 0, 0], "{answer:?}");
    }
    region.start().await;
    assert_eq!(Member::connected(&region, "a").await.tokens(&[patient()]).await.len(), 1);
    region.stop().await;
}
