//! One child process: started, waited for, stopped. It is killed when its owner is dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;

/// How long a process may take to be ready, or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// How long the log was before: what stands there is of an earlier run.
    began_at: u64,
}

impl Process {
    /// Starts a program; what it says goes to the end of `log`.
    ///
    /// # Errors
    /// The program or the log cannot be opened.
    pub fn start(name: &str, program: &Path, arguments: &[&str], log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let began_at = file.metadata()?.len();
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}: run `cargo build` first", program.display()))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned(), began_at })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number in the system.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until its HTTP port says that it is up.
    ///
    /// # Errors
    /// It ended, or did not come up in a minute: with what it said last.
    pub fn wait_until_up(&mut self, http: u16) -> anyhow::Result<()> {
        let began = Instant::now();
        let client = Client::new(http);
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}); it said: {}", self.name, self.last_words());
            }
            if client.is_up() {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        bail!("{} is not up after {} s; it said: {}", self.name, PATIENCE.as_secs(), self.last_words())
    }

    /// Whether it has ended by itself.
    ///
    /// # Errors
    /// The system does not say.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Stops it as a service manager does, and waits for its end.
    ///
    /// # Errors
    /// It did not stop in a minute and was killed.
    pub fn stop(mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        bail!(
            "{} did not stop in {} s and was killed; see {}",
            self.name,
            PATIENCE.as_secs(),
            self.log.display()
        )
    }

    /// Kills it at once, as a power cut does.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_none() {
            let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            kill_process(pid.context("a process has a number")?, signal)?;
        }
        Ok(())
    }

    /// The error with which it ended, if it told one, and where the rest stands.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let own = usize::try_from(self.began_at).ok().and_then(|at| text.get(at..)).unwrap_or_default();
        let own = String::from_utf8_lossy(own);
        let error = own.lines().rev().find_map(|line| line.strip_prefix("error: "));
        let said = error.unwrap_or("it told no error");
        format!("{said} (its log: {})", self.log.display())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Stopped already, or to be stopped whatever it is doing.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a command to its end and gives what it printed.
///
/// # Errors
/// It failed: with what it said on standard error.
pub fn run(program: &Path, arguments: &[&str], input: Option<&str>) -> anyhow::Result<String> {
    use std::io::Write;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}: run `cargo build` first", program.display()))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    ensure!(
        output.status.success(),
        "`{name} {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_an_error_and_no_line_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("qzrm.log");
        let said = |script: &str| {
            let mut process = Process::start("A", Path::new("/bin/sh"), &["-c", script], &log).unwrap();
            process.child.wait().unwrap();
            process.last_words()
        };
        let info = r#"echo '{"level":"INFO","message":"connected"}'; "#;
        let at = format!(" (its log: {})", log.display());
        assert_eq!(
            said(&format!("{info} echo 'error: the disk is full'; {info}")),
            format!("the disk is full{at}")
        );
        assert_eq!(said(&format!("{info} kill -9 $$")), format!("it told no error{at}"));
    }
}
