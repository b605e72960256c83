//! What is around somebody who follows README.md: a folder that looks like the repository, and a shell in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use yiqiao_demo::facts::Facts;
use yiqiao_demo::place::Choice;

use crate::story::people::programs;

/// How often, and how many times, it is looked whether killed processes are gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS_MAX: usize = 500;

/// A file of the repository.
pub(crate) fn file(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// What stands between fences in a document, in its order.
pub(crate) fn blocks(document: &str) -> Vec<String> {
    let parts = document.split("\n```").skip(1).step_by(2);
    parts.map(|part| part.trim_start_matches('\n').to_owned()).collect()
}

/// The block of README.md that has these words.
pub(crate) fn block(words: &str) -> String {
    let mut found = blocks(&file("README.md")).into_iter().filter(|block| block.contains(words));
    let block = found.next().unwrap_or_else(|| panic!("README.md has no block with {words}"));
    assert!(found.next().is_none(), "README.md has one block with {words}");
    block
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The folder.
pub(crate) struct Ground(tempfile::TempDir);

/// Commands that go on; they end with this.
pub(crate) struct Running {
    shell: Child,
    log: PathBuf,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("deploy/demo/run")).unwrap();
        fs::create_dir(at("target")).unwrap();
        symlink(programs(), at("target/release")).unwrap();
        symlink(root().join("docs"), at("docs")).unwrap();
        fs::copy(root().join("deploy/demo/report.pdf"), at("deploy/demo/report.pdf")).unwrap();
        Self(folder)
    }

    /// Where the region is.
    pub(crate) fn region(&self) -> PathBuf {
        self.path("deploy/demo/run")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Types commands, and gives what they print once they have succeeded.
    pub(crate) fn types(&self, commands: &str) -> String {
        let output = self.shell(commands).output().unwrap();
        let printed =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(output.status.success(), "{commands}\nsaid: {}", printed.concat());
        printed.concat()
    }

    /// Types commands of which the last do not end.
    pub(crate) fn starts(&self, commands: &str) -> Running {
        let log = self.path("said.log");
        let said = fs::File::create(&log).unwrap();
        let mut shell = self.shell(commands);
        shell.stdout(said.try_clone().unwrap()).stderr(said).process_group(0);
        Running { shell: shell.spawn().unwrap(), log }
    }

    fn shell(&self, commands: &str) -> Command {
        let mut shell = Command::new("bash");
        shell.args(["-euc", commands]).current_dir(self.0.path()).stdin(Stdio::null());
        shell
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = format!("-{}", self.shell.id());
        let kill = |signal| Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
        let _gone = kill("-KILL");
        self.shell.wait().ok();
        // Whoever starts them again needs their ports and locks.
        for _time in 0..LOOKS_MAX {
            if !kill("-0").is_ok_and(|found| found.success()) {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        if std::thread::panicking() {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            writeln!(std::io::stderr(), "the commands said: {said}").ok();
        }
    }
}

/// The ports of the tour, each with the one that this region has instead; a fourth hospital gets free ones.
pub(crate) struct Ports(BTreeMap<u16, u16>);

impl Ports {
    pub(crate) fn of(facts: &Facts) -> Self {
        let end = |address: &str| -> u16 { address.rsplit(':').next().unwrap().parse().unwrap() };
        let mut ports = BTreeMap::from([(8100, end(&facts.registry.url))]);
        for (number, hospital) in (1..).zip(&facts.hospitals) {
            ports.insert(8100 + number, end(&hospital.node.url));
            let doors = hospital.mllp.iter().map(|(_, address)| end(address));
            ports.extend((0..).zip(doors).map(|(door, port)| (8200 + number + 10 * door, port)));
        }
        let mut taken = facts.ports().unwrap();
        let fourth = Choice::Free.ports(4, &mut taken).unwrap();
        ports.extend([(8104, fourth.http), (8204, fourth.mllp.unwrap()), (8404, fourth.link)]);
        Self(ports)
    }

    /// The port here for one of the tour.
    pub(crate) fn here(&self, tour: u16) -> u16 {
        *self.0.get(&tour).unwrap()
    }

    /// The same commands with these ports.
    pub(crate) fn put_in(&self, commands: &str) -> String {
        let mut text = String::new();
        for part in commands.split_inclusive(|next: char| !next.is_ascii_digit()) {
            let number = part.trim_end_matches(|next: char| !next.is_ascii_digit());
            let port = number.parse().ok().and_then(|number: u16| self.0.get(&number));
            text += &port.map_or_else(|| number.to_owned(), u16::to_string);
            text += part.strip_prefix(number).unwrap();
        }
        text
    }
}
