//! The keys with which a node opens what others seal to it: the first one, and those that followed it (M-4).
//!
//! All that are in the folder are used: which one others seal to, the member list says.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use yiqiao_host::config;
use yiqiao_host::joining::SealingRequest;
use yiqiao_host::keys::{self, KeyError, KeyKind, Seed};
use yiqiao_proto::id::Code;
use yiqiao_proto::limits::KEYS_MAX;
use yiqiao_proto::release::SealingSecret;
use zeroize::Zeroizing;

use crate::cli::say;
use crate::config::Config;
use crate::join::{WORDS, secret};

const SEALING: KeyKind = KeyKind::new("sealing");

/// All sealing keys of a folder: the first one must be there.
pub(crate) fn load(folder: &Path) -> Result<Vec<Seed>, KeyError> {
    let mut found = vec![keys::load(&file(folder, 1), SEALING)?];
    for number in 2..=KEYS_MAX {
        match keys::load(&file(folder, number), SEALING) {
            Ok(seed) => found.push(seed),
            Err(KeyError::Absent { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Makes the first sealing key of a new node.
pub(crate) fn create(folder: &Path) -> Result<SealingSecret, KeyError> {
    Ok(opens(&keys::create(&file(folder, 1), SEALING)?))
}

/// What opens under the key of a seed.
pub(crate) fn opens(seed: &Seed) -> SealingSecret {
    SealingSecret::new(&Zeroizing::new(*seed.expose()))
}

/// `sealing-key`: makes the next key of a node, and the request to list it.
pub(crate) fn follow(config_file: &Path) -> anyhow::Result<()> {
    let config: Config = config::load(config_file)?;
    let folder = config.keys.as_path();
    let region = Code::new(config.region.as_str()).context("`region` in the configuration")?;
    let words = secret(&keys::load(&folder.join("words.key"), WORDS)?);
    let (key, seed) = next(folder)?;
    let request = SealingRequest::of(&region, &config.organisation()?, opens(&seed).public(), &words);
    let request_file = config_file.with_file_name("sealing-request.toml");
    std::fs::write(&request_file, toml::to_string(&request)?)
        .with_context(|| format!("cannot write {}", request_file.display()))?;
    say(&format!(
        "made {}; back it up, and keep the earlier ones: what is on its way is sealed to them\n         1. start the node again, so that it can open what is sealed to the new key\n         2. bring {} to the registry's operator, who runs: yiqiao-registry sealing-key sealing-request.toml",
        key.display(),
        request_file.display(),
    ))
}

fn next(folder: &Path) -> anyhow::Result<(PathBuf, Seed)> {
    for number in 2..=KEYS_MAX {
        let key = file(folder, number);
        match keys::create(&key, SEALING) {
            Ok(seed) => return Ok((key, seed)),
            Err(KeyError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("there are {KEYS_MAX} sealing keys, and a member list has room for no more")
}

fn file(folder: &Path, number: usize) -> PathBuf {
    folder.join(if number == 1 { "sealing.key".to_owned() } else { format!("sealing-{number}.key") })
}
