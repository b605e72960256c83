//! A region and a node, each in a folder of its own, made by the real commands; both processes die with the test.
//!
//! Not here: what systems say to the node: `wire`.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use yiqiao_host::keys::{self, KeyKind};
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::member::MemberList;
use yiqiao_proto::suite::{SecretKey, Suite};

use crate::wire::{self, Mllp};
use crate::{node, registry};

/// How long a process may take to be ready, or to end.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Ports that are tried: below those that the system gives to outgoing connections.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// Where SoftHSM is told its configuration.
pub(crate) const MODULE: &str = "SOFTHSM2_CONF";

/// A region with its registry running.
pub(crate) struct Region {
    root: TempDir,
    /// Where its registry can be dialled on this machine.
    pub(crate) link: u16,
    pub(crate) http: u16,
    registry: Mutex<Option<Running>>,
}

impl Region {
    pub(crate) async fn started() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("region");
        let (link, http) = (free_port(), free_port());
        let [listen, serve] = [format!("/ip4/127.0.0.1/tcp/{link}"), format!("127.0.0.1:{http}")];
        let mut init = Command::new(registry());
        init.args(["init", "--region", "demo", "--listen", &listen, "--http", &serve, "--folder"]);
        succeeded(&init.arg(&folder).output().unwrap());
        let region = Self { root, link, http, registry: Mutex::new(None) };
        region.start_registry().await;
        region
    }

    async fn start_registry(&self) {
        let mut serve = Command::new(registry());
        serve.env(MODULE, self.module());
        serve.arg("serve").arg("--config").arg(self.folder().join("registry/registry.toml"));
        let mut running = Running::spawn(serve, &self.root.path().join("registry.log"));
        running.answers(self.http).await.unwrap();
        *self.registry.lock().unwrap() = Some(running);
    }

    /// Kills the registry and starts it again.
    pub(crate) async fn restart_registry(&self) {
        self.kill_registry();
        self.start_registry().await;
    }

    /// Runs a command of the authority; what it prints.
    pub(crate) fn does(&self, command: &str, arguments: &[&str]) -> String {
        let mut authority = Command::new(registry());
        authority.env(MODULE, self.module());
        let output =
            authority.arg(command).arg("--region").arg(self.folder()).args(arguments).output().unwrap();
        succeeded(&output);
        text(&output.stdout)
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.root.path().join("region")
    }

    /// The configuration of the software module for whoever uses one here.
    pub(crate) fn module(&self) -> PathBuf {
        self.root.path().join("softhsm2.conf")
    }

    /// Where its registry can be dialled.
    pub(crate) fn address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.link)
    }

    pub(crate) fn admit(&self, request: &Path) {
        self.does("admit", &[request.to_str().unwrap()]);
    }

    /// Signs a list by which every member may have so many tokens computed a day, and none beyond.
    pub(crate) fn allows_tokens(&self, a_day: u64) {
        let lists = self.folder().join("registry/lists");
        let version = std::fs::read_dir(&lists).unwrap().count();
        let file = |version: usize| lists.join(format!("{version:06}.list"));
        let newest = Envelope::decode(&std::fs::read(file(version)).unwrap()).unwrap();
        let mut list = MemberList::decode(newest.payload()).unwrap();
        (list.version, list.previous) = (list.version + 1, Some(newest.payload_hash()));
        (list.policy.evaluations_per_day, list.policy.evaluations_backfill) = (a_day, 0);
        let authority = self.folder().join("authority/authority.key");
        let authority = keys::load(&authority, KeyKind::new("authority")).unwrap();
        let authority = SecretKey::new(Suite::International, authority.expose());
        let signed = Envelope::sign(&list.region, &list, &authority);
        let unfinished = self.root.path().join("next.list");
        std::fs::write(&unfinished, signed.as_bytes()).unwrap();
        std::fs::rename(unfinished, file(version + 1)).unwrap();
    }

    /// Kills the registry at once.
    pub(crate) fn kill_registry(&self) {
        self.registry.lock().unwrap().take();
    }

    pub(crate) fn suspend(&self, member: &str) {
        self.does("suspend", &[member]);
    }
}

/// A node in a region, and its process while it runs.
pub(crate) struct Node {
    pub(crate) region: Arc<Region>,
    code: &'static str,
    pub(crate) http: u16,
    pub(crate) mllp: u16,
    link: u16,
    /// What stands before the program on its command line.
    wrapper: Vec<String>,
    starts: u32,
    running: Option<Running>,
}

impl Node {
    /// A node that has asked to join and does not run.
    pub(crate) async fn applied() -> Self {
        Self::applied_to(Arc::new(Region::started().await), "qzrm")
    }

    /// The same of another code, in a region that others may be in.
    pub(crate) fn applied_to(region: Arc<Region>, code: &'static str) -> Self {
        let node = Self {
            region,
            code,
            http: free_port(),
            mllp: free_port(),
            link: free_port(),
            wrapper: Vec::new(),
            starts: 0,
            running: None,
        };
        let his = format!("his={}", node.mllp_address());
        succeeded(&node.join(&["--mllp", &his]));
        node
    }

    /// The same, admitted.
    pub(crate) async fn joined() -> Self {
        let node = Self::applied().await;
        node.admit();
        node
    }

    pub(crate) fn admit(&self) {
        self.region.admit(&self.folder().join("join-request.toml"));
    }

    /// The same, running and connected to the registry.
    pub(crate) async fn started() -> Self {
        let mut node = Self::joined().await;
        node.start().await;
        node.connected().await;
        node
    }

    /// Runs `join` into the node's folder.
    pub(crate) fn join(&self, more: &[&str]) -> Output {
        let http = format!("127.0.0.1:{}", self.http);
        let listen = format!("/ip4/127.0.0.1/tcp/{}", self.link);
        let mut join = Command::new(node());
        join.args(["join", "--code", self.code, "--name", "桥州市人民医院", "--contact", "0571-00000000"]);
        join.args(["--http", &http, "--listen", &listen]).args(more);
        join.arg("--region-file").arg(self.region.folder().join("region.json"));
        join.arg("--folder").arg(self.folder()).output().unwrap()
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.region.root.path().join(self.code)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder().join("node.toml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    pub(crate) fn index_file(&self) -> PathBuf {
        self.data().join("index/index.redb")
    }

    pub(crate) fn mllp_address(&self) -> String {
        format!("127.0.0.1:{}", self.mllp)
    }

    /// Puts words before the program on its command line.
    pub(crate) fn wrap(&mut self, wrapper: &[&str]) {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
    }

    // ---- The process ----

    pub(crate) async fn start(&mut self) {
        self.try_start().await.unwrap_or_else(|said| panic!("the node did not start:\n{said}"));
    }

    /// Starts the node and waits until it answers, or else gives what it said when it ended.
    pub(crate) async fn try_start(&mut self) -> Result<(), String> {
        self.starts += 1;
        let own = [node().as_os_str(), OsStr::new("serve"), OsStr::new("--config")];
        let mut words = self.wrapper.iter().map(OsStr::new).chain(own);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg(self.config()).env(MODULE, self.region.module());
        let mut running = Running::spawn(command, &self.log());
        running.answers(self.http).await?;
        self.running = Some(running);
        Ok(())
    }

    /// Waits until the node is a member that is connected.
    pub(crate) async fn connected(&self) {
        until("the registry's connection", async || {
            wire::health(self.http).await.filter(|health| health["ready"] == true)
        })
        .await;
    }

    /// Stops the node as a service manager does, and gives what it said.
    pub(crate) async fn stop(&mut self) -> String {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.running.as_mut().unwrap().end().await;
        self.running = None;
        let said = self.said();
        assert!(status.success(), "{said}");
        said
    }

    /// Kills the node at once.
    pub(crate) fn kill(&mut self) {
        self.running = None;
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.as_ref().unwrap().child.id()
    }

    /// What the node said since its last start.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap()
    }

    fn log(&self) -> PathBuf {
        self.region.root.path().join(format!("{}-{}.log", self.code, self.starts))
    }

    // ---- Commands ----

    /// Runs a command of the administrator.
    pub(crate) async fn command(&self, words: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(node());
        command.args(words).arg("--config").arg(self.config()).env(MODULE, self.region.module());
        command.stdin(Stdio::null()).output().await.unwrap()
    }

    /// The same, which must succeed; what it printed.
    pub(crate) async fn does(&self, words: &[&str]) -> String {
        let output = self.command(words).await;
        succeeded(&output);
        text(&output.stdout)
    }

    pub(crate) async fn status(&self) -> Value {
        serde_json::from_str(&self.does(&["status", "--json"]).await).unwrap()
    }

    /// Registers a system that may send messages and signs it in; its access token.
    pub(crate) async fn token(&self, client: &str) -> String {
        self.token_for(client, &["intake"]).await
    }

    /// The same with these scopes.
    pub(crate) async fn token_for(&self, client: &str, scopes: &[&str]) -> String {
        let secret = self.client(client, scopes).await;
        self.signed_in(client, &secret).await
    }

    /// Registers a system; its secret.
    pub(crate) async fn client(&self, client: &str, scopes: &[&str]) -> String {
        let mut add = vec!["client", "add", client, "--name", "电子病历"];
        scopes.iter().for_each(|scope| add.extend(["--scope", scope]));
        let said = self.does(&add).await;
        said.lines().next().unwrap().strip_prefix("client secret: ").unwrap().to_owned()
    }

    /// Signs a system in; its access token.
    pub(crate) async fn signed_in(&self, client: &str, secret: &str) -> String {
        let form = format!("grant_type=client_credentials&client_id={client}&client_secret={secret}");
        let form_type = "application/x-www-form-urlencoded";
        let answer = wire::post(self.http, "/oauth2/token", None, form_type, form.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn mllp(&self) -> Mllp {
        Mllp::connect(&self.mllp_address()).await.unwrap()
    }

    /// Waits until nothing waits to be published that can be.
    pub(crate) async fn published(&self) -> Value {
        until("the end of publishing", async || {
            let status = self.status().await;
            (status["subjects_waiting"] == 0).then_some(status)
        })
        .await
    }

    /// How many sealed files the vault has.
    pub(crate) fn sealed_files(&self) -> usize {
        sealed_files(&self.data().join("vault"))
    }
}

/// How many sealed files a vault has, those half written too.
pub(crate) fn sealed_files(vault: &Path) -> usize {
    fn count(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
    }
    // Beside them stands what the vault says of itself.
    count(vault) - 1
}

/// A process that is killed when this is dropped.
struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn spawn(mut command: Command, log: &Path) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(log).unwrap());
        Self { child: command.spawn().unwrap(), log: log.to_owned() }
    }

    /// Waits until it answers, or else gives what it said when it ended.
    async fn answers(&mut self, http: u16) -> Result<(), String> {
        let began = Instant::now();
        let mut look = tokio::time::interval(LOOK_EVERY);
        while began.elapsed() < DEADLINE {
            look.tick().await;
            if self.child.try_wait().unwrap().is_some() {
                return Err(std::fs::read_to_string(&self.log).unwrap());
            }
            if wire::health(http).await.is_some() {
                return Ok(());
            }
        }
        panic!("the process is not ready:\n{}", std::fs::read_to_string(&self.log).unwrap());
    }

    async fn end(&mut self) -> ExitStatus {
        let mut child = std::mem::replace(&mut self.child, Command::new("true").spawn().unwrap());
        until("the end of the process", async || child.try_wait().unwrap()).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Asks again and again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        look.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < DEADLINE, "{what} did not come");
    }
}

pub(crate) fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", text(&output.stderr));
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn free_port() -> u16 {
    let mut draw = || PORTS.start + u16::from_be_bytes(keys::random()) % (PORTS.end - PORTS.start);
    std::iter::repeat_with(&mut draw).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}
