//! The keys of a node that follow each other, and the requests to list the next ones (M-4, M-5, M-13).
//!
//! All that are in the folder, and in the hardware module if there is one, are used: which one signs, is sealed to or is the node on the link, the member list says.

use std::path::Path;

use anyhow::Context;
use clap::ValueEnum;
use yiqiao_host::config;
use yiqiao_host::keys::{KeyError, KeyKind, Keyring, Made, Seed, Series};
use yiqiao_host::link::peer_id_of;
use yiqiao_host::renewal::{KeyRequest, WantedKey};
use yiqiao_node_core::at_rest::AtRest;
use yiqiao_node_core::machine::{Keys, WordsKeys};
use yiqiao_proto::id::Code;
use yiqiao_proto::release::SealingSecret;
use zeroize::Zeroizing;

use crate::cli::say;
use crate::config::Config;

pub(crate) const TRANSPORT: KeyKind = KeyKind::new("transport");
pub(crate) const WORDS: KeyKind = KeyKind::new("words");
pub(crate) const SEALING: KeyKind = KeyKind::new("sealing");

/// Which key is followed by another.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Renewed {
    /// Signs the node's words.
    Words,
    /// Others seal documents and referrals to it.
    Sealing,
    /// The node's identity on the link.
    Transport,
}

/// The private keys of a node, but for the one that encrypts its records: of each kind the first and those that followed it.
pub(crate) struct Held {
    pub(crate) transport: (Seed, Vec<Seed>),
    words: WordsKeys,
    sealing: Vec<SealingSecret>,
}

impl Held {
    /// All keys of a node.
    pub(crate) fn load(config: &Config) -> Result<Self, KeyError> {
        let folder = config.keys.as_path();
        let ring = Keyring::open(folder, config.module.as_ref())?;
        let mut words = ring.signing(WORDS)?;
        let words = WordsKeys { first: words.remove(0), later: words };
        Ok(Self { transport: Series::new(folder, TRANSPORT).load()?, words, sealing: ring.sealing(SEALING)? })
    }

    /// What the machine works with.
    pub(crate) fn keys(&self, at_rest: AtRest) -> Keys {
        Keys { words: self.words.clone(), sealing: self.sealing.clone(), at_rest }
    }
}

/// `renew-key`: makes the next key of a node, and the request to list it.
pub(crate) fn renew(config_file: &Path, renewed: Renewed) -> anyhow::Result<()> {
    let config: Config = config::load(config_file)?;
    let folder = config.keys.as_path();
    let region = Code::new(config.region.as_str()).context("`region` in the configuration")?;
    let ring = Keyring::open(folder, config.module.as_ref())?;
    let words = match ring.signing(WORDS) {
        // All are lost: nothing vouches for the request, and the authority must know who asks.
        Err(KeyError::Absent { .. }) => Vec::new(),
        held => held?,
    };
    let (made, wanted) = match renewed {
        Renewed::Words => {
            let (made, key) = ring.next_signing(WORDS)?;
            (made, WantedKey::Words { public: hex::encode(key.public().as_bytes()) })
        }
        Renewed::Sealing => {
            let (made, key) = ring.next_sealing(SEALING)?;
            (made, WantedKey::Sealing { public: hex::encode(key.public()) })
        }
        Renewed::Transport => {
            let (file, seed) = Series::new(folder, TRANSPORT).next()?;
            let peer_id = peer_id_of(&Zeroizing::new(*seed.expose()))?.to_string();
            (Made::File(file), WantedKey::Transport { peer_id, addresses: config.listen.clone() })
        }
    };
    let request = KeyRequest::of(&region, &config.organisation()?, wanted, &words)?;
    let request_file = config_file.with_file_name("key-request.toml");
    if let Err(error) = std::fs::write(&request_file, toml::to_string(&request)?) {
        made.discard();
        return Err(error).with_context(|| format!("cannot write {}", request_file.display()));
    }
    let bring = format!(
        "bring {} to the registry's operator, who runs: yiqiao-registry renew-key key-request.toml",
        request_file.display()
    );
    let start = match renewed {
        Renewed::Words => "start the node again, so that it can sign with the new key",
        Renewed::Sealing => "start the node again, so that it can open what is sealed to the new key",
        Renewed::Transport => {
            "start the node again once the list has it: it is the new identity from then on"
        }
    };
    let [first, second] = match renewed {
        Renewed::Transport => [bring.as_str(), start],
        Renewed::Words | Renewed::Sealing => [start, bring.as_str()],
    };
    say(&format!(
        "made {made}; back it up, and keep the earlier ones while the list has them\n1. {first}\n2. {second}"
    ))
}
