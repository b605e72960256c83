//! Setting up a region of real processes by their own commands; starting, feeding, stopping it.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;
use yiqiao_simnet::feeds::Feed;
use yiqiao_simnet::hospitals::Hospital;
use yiqiao_simnet::story::Role;
use yiqiao_simnet::town::Town;

use crate::cast::{self, Account, System};
use crate::client::Client;
use crate::facts::{Facts, HospitalFacts, PatientFacts, Running, port_of};
use crate::feed::Systems;
use crate::place::{self, Choice, Place, Ports};
use crate::process::{Process, run};

/// How long the outboxes may take to be empty.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often they are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Seconds without an image after which a study is whole.
const STUDY_QUIET: i64 = 5;

/// After how many messages progress is told.
const TELL_EVERY: usize = 250;

/// What is told about the progress of long work.
pub type Say<'a> = &'a mut dyn FnMut(&str);

/// How a region is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the two binaries.
    pub programs: PathBuf,
    /// Which ports.
    pub ports: Choice,
    /// How many hospitals: A, B, C …
    pub hospitals: usize,
}

/// A process that has ended by itself.
#[derive(Debug)]
pub struct Ended {
    /// The hospital; none for the registry.
    pub letter: Option<char>,
    /// What it is called.
    pub name: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it said last.
    pub words: String,
}

/// A region that runs.
#[derive(Debug)]
pub struct Region {
    place: Place,
    programs: PathBuf,
    ports: Choice,
    taken: Vec<u16>,
    facts: Facts,
    /// Who has the token key.
    tokens: Option<Process>,
    registry: Option<Process>,
    nodes: BTreeMap<char, Process>,
}

impl Region {
    /// Makes a new region with its hospitals and their accounts, and starts everything.
    ///
    /// # Errors
    /// A sentence that says what is in the way.
    pub fn set_up(place: Place, options: &Options, town: &Town, say: Say<'_>) -> anyhow::Result<Self> {
        let mut taken = Vec::new();
        let ports = options.ports.ports(0, &mut taken)?;
        ports.check()?;
        let mut region = Self {
            facts: Facts {
                region: cast::REGION.to_owned(),
                folder: place.root().to_owned(),
                supervisor: std::process::id(),
                registry: registry_facts(&place, ports),
                hospitals: Vec::new(),
                patients: patients(town),
            },
            place,
            programs: options.programs.clone(),
            ports: options.ports,
            taken,
            tokens: None,
            registry: None,
            nodes: BTreeMap::new(),
        };
        say("making the region: the authority's key, the registry's keys, the first member list");
        region.init_registry(ports)?;
        region.set_tokens_apart()?;
        region.start_registry()?;
        region.add_accounts("yiqiao-registry", &region.facts.registry)?;
        for hospital in cast::hospitals(options.hospitals) {
            region.join(hospital, town, say)?;
        }
        Ok(region)
    }

    /// Starts a region again that was set up here before.
    ///
    /// # Errors
    /// A sentence that says what is in the way.
    pub fn resume(place: Place, programs: &Path) -> anyhow::Result<Self> {
        let again = "make demo FRESH=1 begins anew";
        let facts = Facts::read(&place.facts()).with_context(|| again.to_owned())?;
        place::check(facts.ports()?)?;
        let folder = place.root().to_owned();
        Self::start_again_in(place, programs, facts).with_context(|| {
            format!("the region in {} does not start; if an older version made it, {again}", folder.display())
        })
    }

    fn start_again_in(place: Place, programs: &Path, mut facts: Facts) -> anyhow::Result<Self> {
        facts.supervisor = std::process::id();
        let mut region = Self {
            place,
            programs: programs.to_owned(),
            ports: Choice::Tour,
            taken: Vec::new(),
            facts,
            tokens: None,
            registry: None,
            nodes: BTreeMap::new(),
        };
        region.start_registry()?;
        let letters: Vec<char> = region.facts.hospitals.iter().map(|hospital| hospital.letter).collect();
        for letter in &letters {
            region.spawn_node(*letter)?;
        }
        for letter in letters {
            region.wait_for_node(letter)?;
        }
        Ok(region)
    }

    /// What scripts need to know.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Where everything is.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// One more hospital joins: by three commands, as the tour gives them.
    ///
    /// # Errors
    /// A sentence that says what is in the way.
    pub fn join(&mut self, hospital: &'static Hospital, town: &Town, say: Say<'_>) -> anyhow::Result<()> {
        let number = u16::try_from(self.facts.hospitals.len() + 1)?;
        let ports = self.ports.ports(number, &mut self.taken)?;
        ports.check()?;
        say(&format!("{} joins as {}", hospital.name, hospital.member));
        let mllp = self.mllp(hospital, ports)?;
        let folder = self.place.node(hospital.member);
        self.node_joins(hospital, ports, &mllp)?;
        let dicom = dicom(ports);
        self.configure(hospital, dicom.as_deref())?;
        self.passkeys(ports)?;
        if number == 1 {
            self.emergencies()?;
        }
        let request = folder.join("join-request.toml");
        self.registry_command(&["admit", "--region", &text(&self.place.region()), &text(&request)])?;
        let running = Running {
            code: hospital.member.to_owned(),
            name: hospital.name.to_owned(),
            pid: 0,
            config: self.place.node_config(hospital.member),
            log: self.place.log(hospital.member),
            folder,
            url: ports.url(),
            link: link(ports),
            accounts: cast::accounts(hospital, town),
        };
        let url = ports.url();
        self.facts.hospitals.push(HospitalFacts {
            letter: hospital.letter,
            fhir: format!("{url}/fhir"),
            token_url: format!("{url}/oauth2/token"),
            node: running,
            mllp,
            dicom,
            systems: Vec::new(),
        });
        self.spawn_node(hospital.letter)?;
        self.wait_for_node(hospital.letter)?;
        self.add_people_and_systems(hospital)
    }

    /// Sends what the hospitals' systems sent until today about the people that are wanted: their index in the town.
    ///
    /// # Errors
    /// A message was not taken.
    pub fn feed(&self, town: &Town, wanted: impl Fn(usize) -> bool, say: Say<'_>) -> anyhow::Result<usize> {
        let mut feeds: BTreeMap<char, Vec<Feed>> = BTreeMap::new();
        for feed in town.feeds().filter(|feed| wanted(feed.patient)) {
            feeds.entry(feed.hospital.letter).or_default().push(feed);
        }
        feeds.retain(|letter, _| self.facts.hospital(*letter).is_ok());
        let all: usize = feeds.values().map(Vec::len).sum();
        let sent = AtomicUsize::new(0);
        // Each hospital's systems send in order of time, and no hospital waits for another.
        std::thread::scope(|scope| {
            let sending: Vec<_> = feeds
                .iter()
                .map(|(letter, feeds)| scope.spawn(|| send_all(self.facts.hospital(*letter)?, feeds, &sent)))
                .collect();
            let mut told = 0;
            while sending.iter().any(|thread| !thread.is_finished()) {
                let now = sent.load(Ordering::Relaxed);
                if now >= told + TELL_EVERY {
                    told = now;
                    say(&format!("{now} of {all} messages and documents are in"));
                }
                std::thread::sleep(LOOK_EVERY);
            }
            let results = sending.into_iter().map(|thread| thread.join().expect("a sender does not panic"));
            results.collect::<anyhow::Result<Vec<()>>>()
        })?;
        Ok(all)
    }

    /// Waits until all that came is published and has its receipt.
    ///
    /// # Errors
    /// It takes longer than five minutes.
    pub fn wait_until_published(&self, say: Say<'_>) -> anyhow::Result<()> {
        let began = Instant::now();
        for hospital in &self.facts.hospitals {
            let client = Client::at(&hospital.node.url);
            let it = hospital.node.accounts.iter().find(|account| account.role == "it");
            let it = it.context("hospital IT has an account")?;
            client.sign_in(&it.login, &it.password)?;
            let mut told = u64::MAX;
            loop {
                let region = client.json("/api/region")?;
                let waiting = region.pointer("/outbox/waiting").and_then(Value::as_u64).unwrap_or(u64::MAX);
                if waiting == 0 {
                    break;
                }
                if waiting < told.saturating_sub(500) {
                    say(&format!("{}: {waiting} index entries wait for their receipts", hospital.node.name));
                    told = waiting;
                }
                ensure!(
                    began.elapsed() < PATIENCE,
                    "{} still has {waiting} entries to publish; see {}",
                    hospital.node.name,
                    hospital.node.log.display()
                );
                std::thread::sleep(LOOK_EVERY);
            }
        }
        Ok(())
    }

    /// Writes `demo.json`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write_facts(&self) -> anyhow::Result<()> {
        self.facts.write(&self.place.facts())
    }

    // ---- Processes ----

    /// Starts the registry and waits until it is up.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_registry(&mut self) -> anyhow::Result<()> {
        self.spawn_registry()?;
        let port = port_of(&self.facts.registry.url)?;
        self.registry.as_mut().context("a registry that was started")?.wait_until_up(port)
    }

    /// Starts a node that is down and waits until it is up.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_node(&mut self, letter: char) -> anyhow::Result<()> {
        self.spawn_node(letter)?;
        self.wait_for_node(letter)
    }

    /// Starts a node that is down, and does not wait until it is up.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_node_soon(&mut self, letter: char) -> anyhow::Result<()> {
        self.spawn_node(letter)
    }

    /// Waits until a node that was started is up.
    ///
    /// # Errors
    /// It ended, or is not up in a minute.
    pub fn wait_until_ready(&mut self, letter: char) -> anyhow::Result<()> {
        self.wait_for_node(letter)
    }

    /// Kills the registry at once.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill_registry(&mut self) -> anyhow::Result<()> {
        self.registry.take().map_or(Ok(()), Process::kill)
    }

    /// Kills a node at once.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill_node(&mut self, letter: char) -> anyhow::Result<()> {
        self.nodes.remove(&letter).map_or(Ok(()), Process::kill)
    }

    /// Stops a node in order.
    ///
    /// # Errors
    /// It did not stop.
    pub fn stop_node(&mut self, letter: char) -> anyhow::Result<()> {
        self.nodes.remove(&letter).map_or(Ok(()), |node| node.stop().map(|_| ()))
    }

    /// Stops everything in order: the nodes first.
    ///
    /// # Errors
    /// Something did not stop and was killed.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let mut result = Ok(());
        for (_, node) in std::mem::take(&mut self.nodes) {
            result = result.and(node.stop().map(|_| ()));
        }
        if let Some(registry) = self.registry.take() {
            result = result.and(registry.stop().map(|_| ()));
        }
        if let Some(tokens) = self.tokens.take() {
            result = result.and(tokens.stop().map(|_| ()));
        }
        result
    }

    /// A process that has ended by itself, and how.
    ///
    /// # Errors
    /// The system does not say.
    pub fn ended(&mut self) -> anyhow::Result<Option<Ended>> {
        if let Some(tokens) = &mut self.tokens
            && let Some(status) = tokens.ended()?
        {
            let (name, words) = (tokens.name().to_owned(), tokens.last_words());
            self.tokens = None;
            return Ok(Some(Ended { letter: None, name, status, words }));
        }
        let registry = self.registry.iter_mut().map(|process| (None, process));
        let nodes = self.nodes.iter_mut().map(|(letter, process)| (Some(*letter), process));
        for (letter, process) in registry.chain(nodes) {
            if let Some(status) = process.ended()? {
                let (name, words) = (process.name().to_owned(), process.last_words());
                return Ok(Some(Ended { letter, name, status, words }));
            }
        }
        Ok(None)
    }

    /// Starts a process again that has ended by itself, does not wait until it is up, and writes its number down.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_again(&mut self, ended: &Ended) -> anyhow::Result<()> {
        match ended.letter {
            Some(letter) => self.spawn_node(letter)?,
            None => {
                self.spawn_tokens()?;
                let runs = self
                    .registry
                    .as_mut()
                    .map(Process::ended)
                    .transpose()?
                    .is_some_and(|ended| ended.is_none());
                if !runs {
                    self.spawn_registry()?;
                }
            }
        }
        self.write_facts()
    }

    fn spawn_registry(&mut self) -> anyhow::Result<()> {
        self.spawn_tokens()?;
        let config = text(&self.facts.registry.config);
        let arguments = ["serve", "--config", &config];
        let log = &self.facts.registry.log;
        let process = Process::start("the registry", &self.program("yiqiao-registry"), &arguments, log)?;
        self.facts.registry.pid = process.id();
        self.registry = Some(process);
        Ok(())
    }

    /// The registry waits for it at its start. A region that was made before has the key in the registry's own folder.
    fn spawn_tokens(&mut self) -> anyhow::Result<()> {
        let (keys, socket) = (self.place.token_keys(), self.place.token_socket());
        if self.tokens.is_some() || !keys.exists() {
            return Ok(());
        }
        let (keys, socket) = (text(&keys), text(&socket));
        let arguments = ["tokens", "serve", "--keys", &keys, "--socket", &socket];
        let log = self.place.log("tokens");
        self.tokens =
            Some(Process::start("the token process", &self.program("yiqiao-registry"), &arguments, &log)?);
        Ok(())
    }

    fn spawn_node(&mut self, letter: char) -> anyhow::Result<()> {
        let program = self.program("yiqiao-node");
        let hospital = self.facts.hospitals.iter_mut().find(|hospital| hospital.letter == letter);
        let node = &mut hospital.context("a hospital that joined")?.node;
        let config = text(&node.config);
        let process = Process::start(&node.name, &program, &["serve", "--config", &config], &node.log)?;
        node.pid = process.id();
        self.nodes.insert(letter, process);
        Ok(())
    }

    fn wait_for_node(&mut self, letter: char) -> anyhow::Result<()> {
        let port = port_of(&self.facts.hospital(letter)?.node.url)?;
        let process = self.nodes.get_mut(&letter).context("a node that was started")?;
        process.wait_until_up(port)
    }

    // ---- Commands ----

    fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    fn registry_command(&self, arguments: &[&str]) -> anyhow::Result<String> {
        run(&self.program("yiqiao-registry"), arguments, None)
    }

    fn init_registry(&self, ports: Ports) -> anyhow::Result<()> {
        let folder = text(&self.place.region());
        let (link, http) = (link(ports), format!("127.0.0.1:{}", ports.http));
        self.registry_command(&[
            "init",
            "--region",
            cast::REGION,
            "--folder",
            &folder,
            "--name",
            "桥州市区域健康信息平台",
            "--contact",
            "0999-61000000",
            "--listen",
            &link,
            "--http",
            &http,
        ])?;
        Ok(())
    }

    /// As docs/configuration.md says it: the registry has the token key no more.
    fn set_tokens_apart(&self) -> anyhow::Result<()> {
        let apart = self.place.token_keys();
        std::fs::DirBuilder::new().mode(0o700).create(&apart)?;
        let key = "tokens-1.key";
        std::fs::rename(self.place.region().join("registry/keys").join(key), apart.join(key))?;
        let file = self.place.registry_config();
        let config = std::fs::read_to_string(&file)?;
        Ok(std::fs::write(&file, format!("tokens = \"../tokens.sock\"\n{config}"))?)
    }

    fn node_joins(&self, hospital: &Hospital, ports: Ports, mllp: &[(String, String)]) -> anyhow::Result<()> {
        let (folder, region) = (text(&self.place.node(hospital.member)), text(&self.place.region_file()));
        let (link, http) = (link(ports), format!("127.0.0.1:{}", ports.http));
        let contact = cast::contact(hospital);
        let mut arguments = vec![
            "join",
            "--folder",
            &folder,
            "--region-file",
            &region,
            "--code",
            hospital.member,
            "--name",
            hospital.name,
            "--contact",
            &contact,
            "--facility",
            cast::facility(hospital),
            "--listen",
            &link,
            "--http",
            &http,
        ];
        let doors: Vec<String> = mllp.iter().map(|(system, address)| format!("{system}={address}")).collect();
        for door in &doors {
            arguments.extend(["--mllp", door.as_str()]);
        }
        run(&self.program("yiqiao-node"), &arguments, None)?;
        Ok(())
    }

    /// Patients' passkeys are of this machine, on the pages of all hospitals.
    fn passkeys(&self, joining: Ports) -> anyhow::Result<()> {
        let known = self.facts.hospitals.iter().map(|hospital| hospital.node.url.clone());
        let origins: Vec<String> = known.chain([joining.url()]).collect();
        let region = text(&self.place.region());
        let mut arguments = vec!["passkeys", "--region", &region, "--rp-id", "localhost"];
        for origin in &origins {
            arguments.extend(["--origin", origin.as_str()]);
        }
        self.registry_command(&arguments)?;
        Ok(())
    }

    /// Who treats may break the glass.
    fn emergencies(&self) -> anyhow::Result<()> {
        self.registry_command(&["emergency", "on", "--region", &text(&self.place.region())])?;
        Ok(())
    }

    /// The first system stands at the port of the tour, the next ones ten above.
    fn mllp(&mut self, hospital: &Hospital, ports: Ports) -> anyhow::Result<Vec<(String, String)>> {
        let mut doors = Vec::new();
        let mut next = ports.mllp;
        for system in cast::mllp_systems(hospital) {
            let port = next.context("a hospital has a port for HL7 v2")?;
            doors.push(((*system).to_owned(), format!("127.0.0.1:{port}")));
            next = match self.ports {
                Choice::Tour => Some(port + 10),
                Choice::Free => self.ports.ports(1, &mut self.taken)?.mllp,
            };
        }
        Ok(doors)
    }

    /// Makes accounts by the administrator's command, and lets their owners choose their passwords.
    fn add_accounts(&self, program: &str, of: &Running) -> anyhow::Result<()> {
        let config = text(&of.config);
        for Account { login, password, name, role, department } in &of.accounts {
            let mut arguments =
                vec!["account", "--config", &config, "add", login, "--name", name, "--role", role];
            arguments.push("--password-stdin");
            if let Some(department) = department {
                arguments.extend(["--department", department.as_str()]);
            }
            run(&self.program(program), &arguments, Some(cast::FIRST_PASSWORD))?;
            let client = Client::at(&of.url);
            client.sign_in(login, cast::FIRST_PASSWORD)?;
            let change = serde_json::json!({ "current": cast::FIRST_PASSWORD, "next": password });
            client.post("/api/session/password", &change)?;
        }
        Ok(())
    }

    fn add_people_and_systems(&mut self, hospital: &Hospital) -> anyhow::Result<()> {
        let facts = self.facts.hospital(hospital.letter)?;
        self.add_accounts("yiqiao-node", &facts.node)?;
        let config = text(&facts.node.config);
        let mut systems = Vec::new();
        for client in cast::http_systems(hospital) {
            let mut add = vec!["client", "--config", &config, "add", client, "--name", client];
            for scope in [
                "intake",
                "system/*.rs",
                "system/Bundle.c",
                "system/Binary.c",
                "system/Consent.cu",
                "system/Task.u",
            ] {
                add.extend(["--scope", scope]);
            }
            let said = run(&self.program("yiqiao-node"), &add, None)?;
            let secret = said.lines().find_map(|line| line.strip_prefix("client secret: "));
            let secret = secret.context("the secret of a new client is printed")?.trim().to_owned();
            systems.push(System { client: (*client).to_owned(), secret });
        }
        let letter = hospital.letter;
        let known = self.facts.hospitals.iter_mut().find(|known| known.letter == letter);
        known.context("a hospital that joined")?.systems = systems;
        Ok(())
    }

    /// What an administrator writes into the configuration: how the hospital's departments are coded, what others call theirs, the
    /// register of the patient numbers that its people type, and the door of its PACS.
    fn configure(&self, hospital: &Hospital, dicom: Option<&str>) -> anyhow::Result<()> {
        let file = self.place.node_config(hospital.member);
        let mut config: toml::Table = std::fs::read_to_string(&file)?.parse()?;
        let coding = config.get_mut("coding").and_then(toml::Value::as_table_mut);
        let departments = cast::departments(hospital).into_iter();
        let departments = departments.map(|(name, setting)| (name, toml::Value::from(setting))).collect();
        let coding = coding.context("a node's configuration has [coding]")?;
        coding.insert("departments".to_owned(), toml::Value::Table(departments));
        let codes = cast::department_codes(hospital).into_iter();
        let codes = codes.map(|(name, code)| (name, toml::Value::from(code))).collect();
        coding.insert("department_codes".to_owned(), toml::Value::Table(codes));
        config.insert("main_register".to_owned(), cast::main_register(hospital).into());
        let others = cast::other_departments(hospital).into_iter();
        let others = others.map(|(member, names)| (member.to_owned(), toml::Value::from(names))).collect();
        config.insert("member_departments".to_owned(), toml::Value::Table(others));
        if let Some(address) = dicom {
            let mut door = toml::Table::new();
            door.extend([("kind", "dicom"), ("system", "pacs"), ("listen", address)].map(entry));
            // Who looks at a demo waits for no minute.
            door.extend([entry(("study_quiet", STUDY_QUIET))]);
            let doors = config.entry("door").or_insert_with(|| toml::Value::Array(Vec::new()));
            doors.as_array_mut().context("doors are an array of tables")?.push(door.into());
        }
        Ok(std::fs::write(&file, toml::to_string(&config)?)?)
    }
}

fn send_all(hospital: &HospitalFacts, feeds: &[Feed], sent: &AtomicUsize) -> anyhow::Result<()> {
    let mut systems = Systems::connect(hospital)?;
    for feed in feeds {
        systems.send(feed)?;
        sent.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn registry_facts(place: &Place, ports: Ports) -> Running {
    Running {
        code: "registry".to_owned(),
        name: "桥州市区域健康信息平台".to_owned(),
        pid: 0,
        folder: place.region().join("registry"),
        config: place.registry_config(),
        log: place.log("registry"),
        url: ports.url(),
        link: link(ports),
        accounts: vec![cast::bureau()],
    }
}

fn patients(town: &Town) -> Vec<PatientFacts> {
    let facts = |role: Role| {
        let patient = town.cast(role)?;
        let numbers =
            patient.registrations.iter().map(|(letter, registration)| (*letter, registration.number.clone()));
        Some(PatientFacts {
            role: format!("{role:?}").to_lowercase(),
            name: patient.person.name.text.clone(),
            resident_id: patient.person.resident_id.to_string(),
            health_card: patient.person.health_card.clone(),
            numbers: numbers.collect(),
            doctors: patient
                .visits
                .iter()
                .map(|visit| (visit.hospital.letter, visit.doctor.code.to_owned()))
                .collect(),
        })
    };
    Role::ALL.into_iter().filter_map(facts).collect()
}

fn entry<V: Into<toml::Value>>((key, value): (&str, V)) -> (String, toml::Value) {
    (key.to_owned(), value.into())
}

fn dicom(ports: Ports) -> Option<String> {
    ports.dicom.map(|port| format!("127.0.0.1:{port}"))
}

fn link(ports: Ports) -> String {
    format!("/ip4/127.0.0.1/tcp/{}", ports.link)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
