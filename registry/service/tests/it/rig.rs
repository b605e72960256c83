//! A region in a folder of its own, made by the real commands, and its registry as a child process that dies with it.
//!
//! Not here: what members say to it, which is `member`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot happen here fails the test")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use yiqiao_host::joining::{Applicant, JoinRequest};
use yiqiao_host::keys;
use yiqiao_host::link::peer_id_of;
use yiqiao_proto::codes::MemberRole;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::Code;
use yiqiao_proto::suite::{PublicKey, SecretKey, Suite};
use zeroize::Zeroizing;

use crate::registry;

/// How long the process may take to be ready, or to end.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Ports that are tried: below those that the system gives to outgoing connections, which would take one away while the
/// process is down.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

pub(crate) fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

/// The region of all tests.
pub(crate) fn region() -> Code {
    code("demo")
}

/// A secret of a member: its name and what it is for.
pub(crate) fn seed(member: &str, what: u8) -> Zeroizing<[u8; 32]> {
    let mut seed = [what; 32];
    seed.iter_mut().zip(member.bytes()).for_each(|(to, from)| *to = from);
    Zeroizing::new(seed)
}

/// The seed of a member's transport key.
pub(crate) fn transport(member: &str) -> Zeroizing<[u8; 32]> {
    seed(member, 1)
}

/// A member's words key.
pub(crate) fn words_key(member: &str) -> SecretKey {
    SecretKey::new(Suite::International, &seed(member, 2))
}

/// A region, and its registry while it runs.
pub(crate) struct Region {
    root: TempDir,
    ports: Ports,
    /// What stands before the program on its command line.
    wrapper: Vec<String>,
    starts: u32,
    running: Option<Running>,
}

#[derive(Clone, Copy)]
struct Ports {
    link: u16,
    http: u16,
}

impl Region {
    /// A region of these members, all custodians; its registry does not run yet.
    pub(crate) fn new(members: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let ports = Ports { link: free_port(), http: free_port() };
        let region = Self { root, ports, wrapper: Vec::new(), starts: 0, running: None };
        let folder = region.folder();
        let [link, http] =
            [format!("/ip4/127.0.0.1/tcp/{}", ports.link), format!("127.0.0.1:{}", ports.http)];
        let init = ["init", "--region", "demo", "--listen", &link, "--http", &http, "--folder"];
        let made = Command::new(registry()).args(init).arg(&folder).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        region.admit(members);
        region
    }

    /// The same with its registry running.
    pub(crate) async fn started(members: &[&str]) -> Self {
        let mut region = Self::new(members);
        region.start().await;
        region
    }

    /// The region's folder, as `init` made it.
    pub(crate) fn folder(&self) -> PathBuf {
        self.root.path().join("region")
    }

    /// The folder of the registry's log.
    pub(crate) fn log_folder(&self) -> PathBuf {
        self.folder().join("registry/data/log")
    }

    /// The file of the registry's index.
    pub(crate) fn index_file(&self) -> PathBuf {
        self.folder().join("registry/data/index/index.redb")
    }

    /// Where members reach the registry.
    pub(crate) fn address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.ports.link)
    }

    /// The port at which browsers reach the registry.
    pub(crate) const fn http(&self) -> u16 {
        self.ports.http
    }

    /// The registry's configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder().join("registry/registry.toml")
    }

    /// Puts a program before the registry on its command line, which gives way to it.
    pub(crate) fn wrap(&mut self, wrapper: &[&str]) {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
    }

    /// The first member list, believed because the configuration names the authority.
    pub(crate) fn first_directory(&self) -> Directory {
        let config = std::fs::read_to_string(self.config()).unwrap();
        let config: toml::Table = toml::from_str(&config).unwrap();
        let key =
            PublicKey::new(Suite::International, &unhex(config.get("authority").unwrap().as_str().unwrap()));
        let first = std::fs::read(self.folder().join("registry/lists/000001.list")).unwrap();
        Directory::first(&region(), &key.unwrap(), &Envelope::decode(&first).unwrap()).unwrap()
    }

    // ---- The authority's commands ----

    /// Runs a command of the authority.
    pub(crate) fn command(&self, command: &str, arguments: &[&Path]) -> Output {
        let mut authority = Command::new(registry());
        authority.arg(command).arg("--region").arg(self.folder()).args(arguments).output().unwrap()
    }

    /// Admits members, whose join requests are written as a node writes them.
    pub(crate) fn admit(&self, members: &[&str]) {
        self.admit_at(members, &[]);
    }

    /// The same with the addresses at which they listen.
    pub(crate) fn admit_at(&self, members: &[&str], addresses: &[String]) {
        let files: Vec<PathBuf> = members.iter().map(|member| self.join_request(member, addresses)).collect();
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let admitted = self.command("admit", &files);
        assert!(admitted.status.success(), "{}", text(&admitted.stderr));
    }

    fn join_request(&self, member: &str, addresses: &[String]) -> PathBuf {
        let request = JoinRequest::of(&Applicant {
            region: &region(),
            code: &code(member),
            name: "示范医院",
            contact: "0571-00000000",
            roles: &[MemberRole::Custodian],
            addresses,
            peer_id: peer_id_of(&transport(member)).unwrap(),
            words: &words_key(member),
            registry_keys: None,
            sealing: None,
        });
        let file = self.root.path().join(format!("{member}.join"));
        std::fs::write(&file, toml::to_string(&request).unwrap()).unwrap();
        file
    }

    // ---- The process ----

    /// Starts the registry and waits until it is ready. Gives how long that took.
    pub(crate) async fn start(&mut self) -> Duration {
        self.try_start().await.unwrap_or_else(|said| panic!("the registry did not start:\n{said}"))
    }

    /// Starts the registry and waits until it is ready, or else gives what it said when it ended.
    pub(crate) async fn try_start(&mut self) -> Result<Duration, String> {
        self.starts += 1;
        let said = self.root.path().join(format!("stderr-{}", self.starts));
        let began = Instant::now();
        self.running = Some(self.spawn(&self.config(), &said));
        let mut look = tokio::time::interval(LOOK_EVERY);
        while began.elapsed() < DEADLINE {
            look.tick().await;
            if self.running().ended().is_some() {
                self.running = None;
                return Err(std::fs::read_to_string(said).unwrap());
            }
            if is_healthy(self.ports.http).await {
                return Ok(began.elapsed());
            }
        }
        panic!("the registry is not ready:\n{}", std::fs::read_to_string(said).unwrap());
    }

    /// Starts a second registry by another configuration file and gives what it says when it ends.
    pub(crate) async fn refused_second(&self, config: &Path) -> String {
        let said = self.root.path().join("stderr-second");
        let mut second = self.spawn(config, &said);
        assert!(!second.end().await.success(), "a second registry ran");
        std::fs::read_to_string(said).unwrap()
    }

    fn spawn(&self, config: &Path, said: &Path) -> Running {
        let own = [registry().as_os_str(), OsStr::new("serve"), OsStr::new("--config")];
        let mut words = self.wrapper.iter().map(OsStr::new).chain(own);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg(config).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(std::fs::File::create(said).unwrap());
        Running(command.spawn().unwrap())
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().unwrap()
    }

    /// The process, in the system's numbers.
    pub(crate) fn pid(&self) -> u32 {
        self.running.as_ref().unwrap().0.id()
    }

    /// Whether it runs and answers.
    pub(crate) async fn is_healthy(&mut self) -> bool {
        self.running().ended().is_none() && is_healthy(self.ports.http).await
    }

    /// Stops the registry as a service manager does, and gives what it said.
    pub(crate) async fn stop(&mut self) -> String {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.running().end().await;
        self.running = None;
        let said = self.said();
        assert!(status.success(), "{said}");
        said
    }

    /// Kills the registry at once.
    pub(crate) fn kill(&mut self) {
        self.running = None;
    }

    /// Waits until the registry has ended by itself, and gives what it said.
    pub(crate) async fn ended(&mut self) -> String {
        self.running().end().await;
        self.running = None;
        self.said()
    }

    /// What the registry said since its last start.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.root.path().join(format!("stderr-{}", self.starts))).unwrap()
    }

    /// A figure of the process in kilobytes, as `/proc` has it.
    pub(crate) fn kilobytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Processor time that the process has used so far, in ticks of 10 ms: other than the clock's, it is not longer on a machine
    /// that is busy with others (fields 14 and 15 of `/proc/PID/stat`).
    pub(crate) fn processor_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
    }
}

/// A process that is killed when this is dropped.
struct Running(Child);

impl Running {
    fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    async fn end(&mut self) -> ExitStatus {
        let began = Instant::now();
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            look.tick().await;
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(began.elapsed() < DEADLINE, "the process does not end");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Asks again and again until there is an answer.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let began = Instant::now();
    let mut look = tokio::time::interval(LOOK_EVERY * 5);
    loop {
        look.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < DEADLINE, "{what} did not come");
    }
}

async fn is_healthy(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer.starts_with("HTTP/1.1 200 "))
    };
    // Until the log is open the connection waits; an end of the process breaks it.
    tokio::time::timeout(Duration::from_secs(1), ask).await.ok().flatten().unwrap_or(false)
}

pub(crate) fn free_port() -> u16 {
    let mut draw = || {
        let drawn = u16::from_be_bytes(keys::random());
        PORTS.start + drawn % (PORTS.end - PORTS.start)
    };
    std::iter::repeat_with(&mut draw).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

fn unhex(digits: &str) -> Vec<u8> {
    let nibbles: Vec<u8> =
        digits.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    nibbles.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All files of a folder, to put them back later.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}
