//! README.md is true: what it tells to type is typed, word for word, while a demo runs. Only the ports are others, so that
//! tests can run beside each other and beside somebody's demo.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot happen here fails the test")]

pub(crate) mod ground;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use anyhow::ensure;
use yiqiao_demo::cast;
use yiqiao_demo::facts::Facts;
use yiqiao_demo::feed::{Mllp, ack_code};

use crate::story::people::{Person, array, programs, status, until};
use ground::{Ground, Ports, Running, blocks, file};

/// What a node or the registry makes again, or nobody needs any more.
const NOT_BACKED_UP: &[&str] = &["index", "admin.sock", "tokens.sock", "join-request.toml"];

#[test]
fn what_the_readme_tells_to_type_does_what_it_says() {
    let blocks: [String; 8] = blocks(&file("README.md")).try_into().unwrap();
    let [make, token, content, message, join, crash, backup, new_log] = blocks;
    make_has_these_targets(&make);
    let mut demo = Demo::started();
    nobody_else_may_look(&demo.ground.region());
    every_door_is_printed_and_open(&demo);
    a_system_gets_a_token_and_searches(&demo, &token, &content);
    a_message_is_taken_twice(&demo, &message);
    a_fourth_hospital_joins(&demo, &join);
    what_is_killed_runs_again(&demo, &crash);
    demo.stop();
    the_region_runs_from_its_backup(&demo, &backup);
    an_older_log_goes_on_as_a_new_one(&demo, &backup, &new_log);
}

#[test]
fn both_languages_tell_to_type_the_same() {
    let without_comments = |name: &str| -> Vec<String> {
        let lines = |block: &String| -> Vec<String> {
            block.lines().map(|line| line.split("  # ").next().unwrap().trim_end().to_owned()).collect()
        };
        blocks(&file(name)).iter().map(|block| lines(block).join("\n")).collect()
    };
    assert_eq!(without_comments("README.md"), without_comments("README.zh-CN.md"));
}

fn make_has_these_targets(block: &str) {
    let makefile = file("Makefile");
    for line in block.lines() {
        let target = line.strip_prefix("make ").unwrap().split(' ').next().unwrap();
        assert!(makefile.contains(&format!("\n{target}: ")), "there is no target {target}");
    }
}

/// Of all that is kept nothing is open to other users of the machine.
fn nobody_else_may_look(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", entry.path().display());
        if entry.file_type().unwrap().is_dir() {
            nobody_else_may_look(&entry.path());
        }
    }
}

#[test]
fn the_demo_is_started_where_cargo_builds_it_and_needs_no_tools_of_developers() {
    let folder = tempfile::tempdir().unwrap();
    let mut make = Command::new("make");
    make.args(["--dry-run", "--no-print-directory", "demo"]).current_dir(ground::root());
    let printed = make.env("CARGO_TARGET_DIR", folder.path()).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let started = format!("{}/release/yiqiao-demo", folder.path().display());
    assert!(printed.contains(&started), "{printed}");
    assert!(!printed.contains("fmt") && !printed.contains("clippy"), "{printed}");
}

fn every_door_is_printed_and_open(demo: &Demo) {
    for hospital in demo.facts().hospitals {
        let doors: Vec<String> = hospital.mllp.into_iter().map(|(_, address)| address).collect();
        assert!(hospital.dicom.is_some(), "{} has a PACS", hospital.letter);
        for door in doors.into_iter().chain(hospital.dicom) {
            assert!(demo.has_said(&door), "{door} is not printed");
            TcpStream::connect(&door).unwrap_or_else(|error| panic!("{door}: {error}"));
        }
    }
}

fn a_system_gets_a_token_and_searches(demo: &Demo, token: &str, content: &str) {
    let said = demo.types(&[token, content].join("\n"));
    assert!(said.contains(r#""resourceType":"CapabilityStatement""#), "{said}");
    assert!(said.contains(r#""resourceType":"DocumentReference""#), "{said}");
    assert!(said.contains("HTTP/1.1 201 ") && said.to_lowercase().contains("\r\nlocation: "), "{said}");
}

fn a_message_is_taken_twice(demo: &Demo, message: &str) {
    for _time in 0..2 {
        let said = demo.types(message);
        assert!(said.contains("MSA|AA|TOUR0001"), "{said}");
    }
    let desk = Person::signed_in(&demo.facts().hospital('A').unwrap().node.url, "desk");
    let found = desk.post("/api/patients/find", &serde_json::json!({ "number": "0000999001" }));
    assert_eq!(array(&found, "/items").len(), 1, "{found}");
}

fn a_fourth_hospital_joins(demo: &Demo, join: &str) {
    let _fourth = demo.starts(join);
    let config = demo.ground.region().join("qzfy/node.toml");
    until("the fourth hospital to be a member", || {
        let status = status(&config)?;
        let [member, connected] = ["/is_member", "/registry_connected"].map(|fact| status.pointer(fact));
        (member? == true && connected? == true).then_some(())
    });
}

fn what_is_killed_runs_again(demo: &Demo, crash: &str) {
    let pids =
        |facts: Facts| -> Vec<u32> { facts.hospitals.iter().map(|hospital| hospital.node.pid).collect() };
    let before = pids(demo.facts());
    let said = demo.types(crash);
    assert_eq!(said.matches(r#""ready":true"#).count(), 2, "both answer again: {said}");
    let after = pids(demo.facts());
    let changed: Vec<bool> = before.iter().zip(&after).map(|(before, after)| before != after).collect();
    assert_eq!(changed, [true, false, true], "demo.json has the new processes");
    for hospital in ['A', 'C'] {
        let name = demo.facts().hospital(hospital).unwrap().node.name.clone();
        assert!(demo.has_said(&format!("{name} has ended (signal: 9 (SIGKILL)) and is started again")));
    }
}

fn the_region_runs_from_its_backup(demo: &Demo, backup: &str) {
    let facts = demo.facts();
    everything_is_in_the_backup(&demo.ground.region(), backup);
    let _region: Running = demo.starts(backup);
    let bureau = until("the registry", || Person::try_signed_in(&facts.registry.url, &cast::bureau().login));
    assert!(!array(&bureau.get("/api/volume"), "/rows").is_empty(), "the log is there");
    let referred = facts.patients.iter().find(|patient| patient.role == "referred").unwrap();
    for (letter, _) in &referred.numbers {
        let url = &facts.hospital(*letter).unwrap().node.url;
        let desk = until("a node", || Person::try_signed_in(url, "desk"));
        desk.find(&referred.resident_id);
    }
    let (url, login) = (&facts.hospital('A').unwrap().node.url, referred.doctors.get(&'A').unwrap());
    let doctor = Person::signed_in(url, login);
    let documents = doctor.documents(&doctor.find(&referred.resident_id));
    let opened = documents.iter().map(|row| doctor.open(row));
    assert!(opened.count() > 3, "the documents are there, and their keys");
}

/// The registry is given the log back that it had before A published more: A notices, and goes on with a new log only.
fn an_older_log_goes_on_as_a_new_one(demo: &Demo, backup: &str, new_log: &str) {
    let (_, serve) = backup.split_once("\nyiqiao-registry tokens serve").unwrap();
    let in_copy =
        |commands: &str| format!("cd deploy/demo/elsewhere; PATH=$PATH:../../../target/release\n{commands}");
    let serve = in_copy(&format!("yiqiao-registry tokens serve{serve}"));
    let node = demo.ground.path("deploy/demo/elsewhere/qzrm/node.toml");
    let other_log = || Some(status(&node)?.pointer("/exchange/other_log")? == true);
    {
        let _running = demo.starts(&serve);
        demo.publishes("TOUR0002", "referred");
        demo.publishes("TOUR0003", "referred");
    }
    let logs = ["run", "elsewhere"].map(|copy| format!("deploy/demo/{copy}/region/registry/data/log"));
    let [older, later] = logs;
    demo.types(&format!("rm -r {later}; cp -r {older} {later}"));
    {
        let _running = demo.starts(&serve);
        until("A's door", || demo.reports("TOUR0004", "walkin").ok());
        until("A to notice", || other_log()?.then_some(()));
    }
    demo.types(&in_copy(new_log));
    let _running = demo.starts(&serve);
    demo.publishes("TOUR0005", "revoker");
    until("A to take the log for the new one", || (!other_log()?).then_some(()));
    // What the later log alone had is sent again, and what comes next follows it.
    demo.publishes("TOUR0006", "referred");
    let sent = || Some(status(&node)?.pointer("/words_waiting")?.as_u64()? == 0);
    until("all to be sent again", || sent()?.then_some(()));
    assert_eq!(status(&node).unwrap().pointer("/open_problems"), Some(&0.into()));
}

/// Whatever a process keeps is named in the commands, but for what it makes again.
fn everything_is_in_the_backup(region: &Path, backup: &str) {
    let named: BTreeSet<&str> =
        backup.split(|end: char| !end.is_ascii_alphanumeric() && end != '.').collect();
    for folder in ["region", "region/registry", "region/registry/data", "qzrm", "qzrm/data", "qzfy"] {
        for entry in fs::read_dir(region.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_backed_up = named.contains(name.as_str()) || NOT_BACKED_UP.contains(&name.as_str());
            assert!(is_backed_up, "{folder}/{name} is not in the backup");
        }
    }
}

/// A demo as `make demo` starts it, and what it says.
struct Demo {
    ground: Ground,
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Demo {
    fn started() -> Self {
        let ground = Ground::new();
        let program = programs().join("yiqiao-demo");
        assert!(program.exists(), "yiqiao-demo is not built: run `cargo build --workspace --bins` first");
        let mut demo = Command::new(program);
        demo.args(["--free-ports", "--cast-only", "--folder"]).arg(ground.region()).stdout(Stdio::piped());
        let mut child = demo.spawn().unwrap();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let (lines, heard) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(&said));
        std::thread::spawn(move || lines.lines().for_each(|line| heard.lock().unwrap().push(line.unwrap())));
        let demo = Self { ground, child, said };
        until("the region to be up", || demo.has_said("The region is up").then_some(()));
        demo
    }

    fn has_said(&self, words: &str) -> bool {
        self.said.lock().unwrap().iter().any(|line| line.contains(words))
    }

    fn facts(&self) -> Facts {
        Facts::read(&self.ground.region().join("demo.json")).unwrap()
    }

    fn types(&self, commands: &str) -> String {
        self.ground.types(&Ports::of(&self.facts()).put_in(commands))
    }

    /// A's laboratory reports on a patient, and the report is published.
    fn publishes(&self, id: &str, role: &str) {
        let (url, login) = (self.facts().registry.url, cast::bureau().login);
        let bureau = until("the registry", || Person::try_signed_in(&url, &login));
        let published = || {
            let volume = bureau.get("/api/volume?act=publication&organisation=qzrm");
            let events = array(&volume, "/rows").iter().filter_map(|row| row.pointer("/events")?.as_u64());
            events.sum::<u64>()
        };
        let before = published();
        until("A's door", || self.reports(id, role).ok());
        until("its publication", || (published() > before).then_some(()));
    }

    fn reports(&self, id: &str, role: &str) -> anyhow::Result<()> {
        let facts = self.facts();
        let patient = facts.patients.iter().find(|patient| patient.role == role).unwrap();
        let (_, number) = patient.numbers.iter().find(|(letter, _)| *letter == 'A').unwrap();
        let report = format!(
            "MSH|^~\\&|LIS|QZRM|YIQIAO|QZRM|20261101080000||ORU^R01|{id}|P|2.4||||||UNICODE UTF-8\r\
             PID|1||{number}^^^^51~{resident}^^^^1||{name}\r\
             OBR|1||{id}|TSH^促甲状腺激素|||20261101073000||||||||||||||||||F\r\
             OBX|1|NM|TSH^促甲状腺激素||2.10|mIU/L|0.27-4.20|N|||F\r",
            resident = patient.resident_id,
            name = patient.name,
        );
        let (_, door) = facts.hospital('A')?.mllp.iter().find(|(system, _)| system == "lis").unwrap();
        let ack = ack_code(&Mllp::connect(door)?.send(report.as_bytes())?)?;
        ensure!(ack == "AA", "answered by {ack}");
        Ok(())
    }

    fn starts(&self, commands: &str) -> Running {
        self.ground.starts(&Ports::of(&self.facts()).put_in(commands))
    }

    fn stop(&mut self) {
        let status = self.interrupt();
        assert!(status.is_some_and(|status| status.success()), "{:?}", self.said.lock().unwrap());
    }

    /// What Ctrl-C does.
    fn interrupt(&mut self) -> Option<std::process::ExitStatus> {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().ok()?;
        self.child.wait().ok()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            self.interrupt();
        }
    }
}
