//! Logs: lines for a person at a terminal, JSON lines for a collector, always on standard error.
//!
//! What is logged is decided where it is logged; patient data stays out because [`yiqiao_proto::phi::Phi`] does not
//! print it. A panic is logged by its place and never by its message, which may quote the value that it stumbled over.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use serde::Deserialize;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// The environment variable that overrides the configured level.
pub const LEVEL_VARIABLE: &str = "YIQIAO_LOG";

/// The `[log]` table of a configuration file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// A level, or directives of tracing's `EnvFilter`: `"info"`, `"info,yiqiao_host=debug"`.
    pub level: String,
    /// How lines are written.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text if standard error is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One line of text for each event.
    Text,
    /// One JSON object for each event.
    Json,
}

/// Why logging was not set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is none.
    #[error("log level `{level}` ({origin}): {problem}; use error, warn, info, debug or trace")]
    Level {
        /// What was written.
        level: String,
        /// Where it was written.
        origin: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// This process logs already.
    #[error("logging was set up before")]
    SetUpBefore,
}

/// Sets up logging and the panic hook for the whole process; called once, by `main`.
///
/// # Errors
/// [`TelemetryError`] if the level is none, or logging is set up already.
pub fn start(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = match std::env::var(LEVEL_VARIABLE) {
        Ok(level) if !level.is_empty() => filter(&level, LEVEL_VARIABLE)?,
        Ok(_) | Err(_) => filter(&config.level, "log.level")?,
    };
    let text = match config.format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let set = if text {
        text_lines(filter, io::stderr).try_init()
    } else {
        json_lines(filter, io::stderr).try_init()
    };
    set.map_err(|_| TelemetryError::SetUpBefore)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// The client of message brokers, whose lines quote logins and what hospitals tell their systems: it says nothing at any level.
const SILENT: &str = "lapin";

fn filter(level: &str, origin: &'static str) -> Result<EnvFilter, TelemetryError> {
    let wrong = |problem: String| TelemetryError::Level { level: level.to_owned(), origin, problem };
    if level.contains(SILENT) {
        return Err(wrong(format!("the lines of {SILENT} quote patient data")));
    }
    EnvFilter::try_new(format!("{level},{SILENT}=off")).map_err(|error| wrong(error.to_string()))
}

fn text_lines<W>(filter: EnvFilter, to: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(to).finish()
}

fn json_lines<W>(filter: EnvFilter, to: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(to).finish()
}

/// Place and thread, and the call stack if `RUST_BACKTRACE` asks for it: function names only.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let stack = Backtrace::capture();
    let stack = (stack.status() == BacktraceStatus::Captured).then(|| stack.to_string());
    tracing::error!(place, thread = thread.name(), stack, "panicked; the message is withheld");
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines_of(work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let to = lines.clone();
        let subscriber = json_lines(filter("info", "log.level").unwrap(), move || to.clone());
        tracing::subscriber::with_default(subscriber, work);
        lines.text()
    }

    #[test]
    fn json_lines_are_flat_objects() {
        let text = lines_of(|| tracing::info!(port = 8100, "listening"));
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(
            (&line["message"], &line["port"], &line["level"]),
            (&"listening".into(), &8100.into(), &"INFO".into())
        );
    }

    #[test]
    fn a_panic_is_logged_by_place_and_not_by_message() {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(log_panic));
        let text = lines_of(|| {
            let patient = "张三丰";
            std::panic::catch_unwind(|| panic!("no bed for {patient}")).unwrap_err();
        });
        std::panic::set_hook(before);
        assert!(text.contains("telemetry.rs:"), "{text}");
        assert!(!text.contains("张三丰") && !text.contains("no bed"), "{text}");
    }

    #[test]
    fn what_a_broker_is_told_is_in_no_line_at_any_level() {
        let lines = Lines::default();
        let to = lines.clone();
        let subscriber = json_lines(filter("trace", "test").unwrap(), move || to.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "lapin::returned_messages", message = "00218001");
            tracing::warn!(target: "lapin", "returned");
            tracing::trace!("but the rest is there");
        });
        let text = lines.text();
        assert!(text.contains("the rest") && !text.contains("lapin"), "{text}");
        assert!(filter("info,lapin::returned_messages=warn", "log.level").is_err());
    }

    #[test]
    fn a_level_that_is_none_is_named_with_its_origin() {
        let said = filter("info,yiqiao=loud", LEVEL_VARIABLE).unwrap_err().to_string();
        assert!(said.contains("`info,yiqiao=loud` (YIQIAO_LOG)"), "{said}");
    }
}
