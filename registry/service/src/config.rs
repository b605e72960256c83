//! The registry's configuration file.

use serde::{Deserialize, Serialize};
use yiqiao_host::config::ConfigPath;
use yiqiao_host::http::HttpConfig;
use yiqiao_host::keys::ModuleConfig;
use yiqiao_host::telemetry::LogConfig;

use crate::witness::WitnessConfig;

/// What `registry.toml` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The region's code.
    pub(crate) region: String,
    /// The authority's public key in hexadecimal digits.
    pub(crate) authority: String,
    /// The registry's own member code.
    pub(crate) code: String,
    /// The folder of member lists, `000001.list` and on.
    pub(crate) lists: ConfigPath,
    /// The folder of the registry's keys.
    pub(crate) keys: ConfigPath,
    /// Where further keys are that sign.
    #[serde(default)]
    pub(crate) module: Option<ModuleConfig>,
    /// The socket of the process that has the token keys; without it they are read from the folder of keys.
    pub(crate) tokens: Option<ConfigPath>,
    /// The folder of log and index.
    pub(crate) data: ConfigPath,
    /// Where other members reach the registry: multiaddresses to listen on.
    pub(crate) listen: Vec<String>,
    /// Where HTTP is served, and by which names it is reached.
    pub(crate) http: HttpConfig,
    /// The region's time zone, by its IANA name: days of the figures are days there.
    #[serde(default = "default_zone")]
    pub(crate) zone: String,
    /// Who cosigns checkpoints.
    #[serde(default)]
    pub(crate) witness: Vec<WitnessConfig>,
    /// Logging.
    #[serde(default)]
    pub(crate) log: LogConfig,
}

fn default_zone() -> String {
    "Asia/Shanghai".to_owned()
}

/// The same file as `init` writes it.
#[derive(Debug, Serialize)]
pub(crate) struct ConfigFile<'a> {
    pub(crate) region: &'a str,
    pub(crate) authority: &'a str,
    pub(crate) code: &'a str,
    pub(crate) lists: &'a str,
    pub(crate) keys: &'a str,
    pub(crate) data: &'a str,
    pub(crate) listen: &'a [String],
    pub(crate) http: HttpConfig,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness;

    #[test]
    fn the_example_of_the_documentation_is_taken() {
        let text = include_str!("../../../docs/configuration.md");
        let example = text.split("```toml\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
        let config: Config = toml::from_str(example).unwrap();
        assert_eq!((config.http.hosts.len(), witness::read(&config.witness).unwrap().len()), (1, 1));
    }
}
