//! What the node says became of one message.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::doors::Source;

/// In which of five ways a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Indexed,
    Applied,
    Answered,
    Review,
    Refused,
}

/// One message, as `POST /api/intake` answers it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) outcome: Outcome,
    pub(crate) repeat: bool,
    pub(crate) reason: Option<String>,
    pub(crate) remarks: Vec<String>,
    pub(crate) entries: Vec<String>,
    pub(crate) control: Option<String>,
    patient: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    date: Option<Value>,
    start: Option<usize>,
    end: Option<usize>,
}

/// One line of the report's file.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) file: String,
    pub(crate) kind: String,
    pub(crate) origin: String,
    #[serde(flatten)]
    pub(crate) message: Message,
}

impl Outcome {
    pub(crate) const ALL: [Self; 5] =
        [Self::Indexed, Self::Applied, Self::Answered, Self::Review, Self::Refused];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Indexed => "indexed",
            Self::Applied => "applied",
            Self::Answered => "answered",
            Self::Review => "review",
            Self::Refused => "refused",
        }
    }

    /// The status of an answer whose worst message ended so.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Indexed | Self::Applied | Self::Answered => 200,
            Self::Review => 202,
            Self::Refused => 422,
        }
    }
}

impl Message {
    /// Its bytes in its file; nothing if the node read it and did not take it.
    pub(crate) fn span(&self) -> Option<std::ops::Range<usize>> {
        Some(self.start?..self.end?)
    }
}

impl Row {
    pub(crate) fn new(source: &Source, message: Message) -> Self {
        Self { file: source.file.clone(), kind: source.kind.clone(), origin: source.origin.clone(), message }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
