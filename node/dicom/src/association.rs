//! An association that a device opens with this node (PS3.8): negotiated, then instance after instance, then released.
//!
//! A machine: what came goes in, what is to be done comes out, in order. Every transfer syntax is taken and nothing is converted:
//! of those that a device proposes for a kind of instance the first is agreed on, and what comes is kept as it came. Not here: the
//! connection, its patience, and where instances are kept.

use std::collections::BTreeSet;

use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AbortRQSource, AssociationAC, AssociationRJ, AssociationRJResult,
    AssociationRJServiceUserReason, AssociationRJSource, AssociationRQ, PDataValue, PDataValueType, Pdu,
    PresentationContextProposed, PresentationContextResult, PresentationContextResultReason,
    UserVariableItem,
};

use crate::command::{Request, Status};
use crate::limits::{COMMAND_BYTES_MAX, PDU_BYTES_MAX, UID_BYTES_MAX};

/// Verification.
const VERIFICATION: &str = "1.2.840.10008.1.1";
/// UIDs that the standard gives; all others are of vendors.
const OF_STANDARD: &str = "1.2.840.10008.";
/// Where the standard has its storage classes.
const STORAGE: [&str; 2] = ["1.2.840.10008.5.1.4.1.1.", "1.2.840.10008.5.1.4.34."];
/// The only application context there is.
const CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// This program, below a UUID of its own (PS3.5 B.2).
pub const IMPLEMENTATION: &str = "2.25.116383310227842093706126712345178403121";
const IMPLEMENTATION_NAME: &str = "YIQIAO";
/// Implicit VR Little Endian, for contexts that are not agreed on.
const DEFAULT_SYNTAX: &str = "1.2.840.10008.1.2";

/// Who may open an association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The application entity title of this node.
    pub title: String,
    /// Titles of devices that may call; every one if this is empty.
    pub callers: BTreeSet<String>,
}

/// An instance that is about to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arriving {
    /// What sort it is.
    pub sop_class: String,
    /// Which.
    pub sop_instance: String,
    /// How it is encoded.
    pub transfer_syntax: String,
    /// The title of the device.
    pub caller: String,
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send these bytes.
    Send(Vec<u8>),
    /// An instance begins.
    Begin(Arriving),
    /// More of its data set.
    Bytes(Vec<u8>),
    /// It is whole: keep it and call [`Association::stored`].
    End,
    /// Close the connection, once all is sent.
    Close,
}

/// One association.
pub struct Association {
    rules: Rules,
    state: State,
}

enum State {
    /// Nobody has said anything.
    Fresh,
    Open(Open),
    Closed,
}

struct Open {
    caller: String,
    contexts: Vec<Context>,
    command: Vec<u8>,
    /// What the data that come now are for.
    storing: Option<(u8, Request)>,
}

struct Context {
    id: u8,
    abstract_syntax: String,
    transfer_syntax: String,
}

impl Association {
    /// One that nobody has opened yet.
    pub const fn new(rules: Rules) -> Self {
        Self { rules, state: State::Fresh }
    }

    /// Whether nothing is under way.
    pub const fn is_idle(&self) -> bool {
        match &self.state {
            State::Fresh | State::Closed => true,
            State::Open(open) => open.storing.is_none() && open.command.is_empty(),
        }
    }

    /// Takes what a device sent.
    pub fn take(&mut self, pdu: Pdu) -> Vec<Effect> {
        match (&mut self.state, pdu) {
            (State::Fresh, Pdu::AssociationRQ(asked)) => self.open(asked),
            (State::Open(open), Pdu::PData { data }) => {
                let mut effects = Vec::new();
                for value in data {
                    let Some(more) = open.take(value) else { return self.abort() };
                    effects.extend(more);
                }
                effects
            }
            (State::Open(open), Pdu::ReleaseRQ) if open.storing.is_none() => {
                self.state = State::Closed;
                vec![send(&Pdu::ReleaseRP), Effect::Close]
            }
            (_, Pdu::AbortRQ { .. }) => {
                self.state = State::Closed;
                vec![Effect::Close]
            }
            _ => self.abort(),
        }
    }

    /// What the device is told of the instance that ended; nothing if none did.
    pub fn stored(&mut self, status: Status) -> Vec<Effect> {
        let State::Open(open) = &mut self.state else { return Vec::new() };
        let answer = |(context, request): (u8, Request)| answer(context, &request, status);
        open.storing.take().map(answer).into_iter().collect()
    }

    /// Ends the association because of what came.
    pub fn abort(&mut self) -> Vec<Effect> {
        self.state = State::Closed;
        let reason = AbortRQServiceProviderReason::UnexpectedPdu;
        vec![send(&Pdu::AbortRQ { source: AbortRQSource::ServiceProvider(reason) }), Effect::Close]
    }

    fn open(&mut self, asked: AssociationRQ) -> Vec<Effect> {
        if let Some(reason) = self.turned_away(&asked) {
            self.state = State::Closed;
            let source = AssociationRJSource::ServiceUser(reason);
            let rejected = AssociationRJ { result: AssociationRJResult::Permanent, source };
            return vec![send(&Pdu::AssociationRJ(rejected)), Effect::Close];
        }
        let results: Vec<_> = asked.presentation_contexts.iter().map(result).collect();
        let agreed = asked.presentation_contexts.into_iter().zip(&results);
        let agreed =
            agreed.filter(|(_, result)| result.reason == PresentationContextResultReason::Acceptance);
        let contexts = agreed.map(|(proposed, result)| Context {
            id: proposed.id,
            abstract_syntax: proposed.abstract_syntax,
            transfer_syntax: result.transfer_syntax.clone(),
        });
        let open = Open {
            caller: asked.calling_ae_title.clone(),
            contexts: contexts.collect(),
            command: Vec::new(),
            storing: None,
        };
        self.state = State::Open(open);
        vec![send(&Pdu::AssociationAC(AssociationAC {
            protocol_version: 1,
            application_context_name: CONTEXT.to_owned(),
            called_ae_title: asked.called_ae_title,
            calling_ae_title: asked.calling_ae_title,
            presentation_contexts: results,
            user_variables: vec![
                UserVariableItem::MaxLength(PDU_BYTES_MAX),
                UserVariableItem::ImplementationClassUID(IMPLEMENTATION.to_owned()),
                UserVariableItem::ImplementationVersionName(IMPLEMENTATION_NAME.to_owned()),
            ],
        }))]
    }

    fn turned_away(&self, asked: &AssociationRQ) -> Option<AssociationRJServiceUserReason> {
        if asked.application_context_name != CONTEXT {
            return Some(AssociationRJServiceUserReason::ApplicationContextNameNotSupported);
        }
        if asked.called_ae_title != self.rules.title {
            return Some(AssociationRJServiceUserReason::CalledAETitleNotRecognized);
        }
        let known = self.rules.callers.is_empty() || self.rules.callers.contains(&asked.calling_ae_title);
        (!known).then_some(AssociationRJServiceUserReason::CallingAETitleNotRecognized)
    }
}

impl Open {
    /// Nothing if it does not belong here.
    fn take(&mut self, value: PDataValue) -> Option<Vec<Effect>> {
        match (value.value_type, &self.storing) {
            (PDataValueType::Command, None) => {
                self.command(value.presentation_context_id, value.data, value.is_last)
            }
            (PDataValueType::Data, Some((context, _))) if *context == value.presentation_context_id => {
                let mut effects = vec![Effect::Bytes(value.data)];
                if value.is_last {
                    effects.push(Effect::End);
                }
                Some(effects)
            }
            (PDataValueType::Command, Some(_)) | (PDataValueType::Data, _) => None,
        }
    }

    fn command(&mut self, context: u8, bytes: Vec<u8>, is_last: bool) -> Option<Vec<Effect>> {
        self.command.extend(bytes);
        if self.command.len() > COMMAND_BYTES_MAX {
            return None;
        }
        if !is_last {
            return Some(Vec::new());
        }
        let request = Request::read(&core::mem::take(&mut self.command))?;
        let agreed = self.contexts.iter().find(|agreed| agreed.id == context)?;
        match &request {
            Request::Echo { .. } => Some(vec![answer(context, &request, Status::Success)]),
            Request::Store { sop_class, sop_instance, .. } if *sop_class == agreed.abstract_syntax => {
                let arriving = Arriving {
                    sop_class: sop_class.clone(),
                    sop_instance: sop_instance.clone(),
                    transfer_syntax: agreed.transfer_syntax.clone(),
                    caller: self.caller.clone(),
                };
                self.storing = Some((context, request));
                Some(vec![Effect::Begin(arriving)])
            }
            Request::Other { has_data: false, .. } => {
                Some(vec![answer(context, &request, Status::Unsupported)])
            }
            Request::Store { .. } | Request::Other { .. } => None,
        }
    }
}

impl Arriving {
    /// What stands in front of the data set in a file of its own (PS3.10 section 7.1).
    pub fn file_head(&self) -> Vec<u8> {
        let mut meta = Vec::new();
        meta.extend([2, 0, 1, 0, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 1]);
        put(&mut meta, 0x0002, *b"UI", &self.sop_class);
        put(&mut meta, 0x0003, *b"UI", &self.sop_instance);
        put(&mut meta, 0x0010, *b"UI", &self.transfer_syntax);
        put(&mut meta, 0x0012, *b"UI", IMPLEMENTATION);
        put(&mut meta, 0x0013, *b"SH", IMPLEMENTATION_NAME);
        put(&mut meta, 0x0016, *b"AE", &self.caller);
        let mut head = vec![0; 128];
        head.extend(b"DICM");
        head.extend([2, 0, 0, 0, b'U', b'L', 4, 0]);
        head.extend(u32::try_from(meta.len()).unwrap_or(u32::MAX).to_le_bytes());
        head.extend(meta);
        head
    }
}

/// An element of the file meta information. All values are short.
fn put(into: &mut Vec<u8>, element: u16, vr: [u8; 2], value: &str) {
    let mut value = value.as_bytes().to_vec();
    if value.len() % 2 == 1 {
        value.push(if vr == *b"UI" { 0 } else { b' ' });
    }
    into.extend([2, 0]);
    into.extend(element.to_le_bytes());
    into.extend(vr);
    into.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    into.extend(value);
}

fn result(proposed: &PresentationContextProposed) -> PresentationContextResult {
    let uid = proposed.abstract_syntax.as_str();
    let is_storage = STORAGE.iter().any(|prefix| uid.starts_with(prefix)) || !uid.starts_with(OF_STANDARD);
    let syntax = proposed.transfer_syntaxes.first().filter(|syntax| syntax.len() <= UID_BYTES_MAX);
    let (reason, syntax) = match syntax {
        Some(syntax) if is_storage || uid == VERIFICATION => {
            (PresentationContextResultReason::Acceptance, syntax.as_str())
        }
        Some(_) => (PresentationContextResultReason::AbstractSyntaxNotSupported, DEFAULT_SYNTAX),
        None => (PresentationContextResultReason::TransferSyntaxesNotSupported, DEFAULT_SYNTAX),
    };
    PresentationContextResult { id: proposed.id, reason, transfer_syntax: syntax.to_owned() }
}

fn answer(context: u8, request: &Request, status: Status) -> Effect {
    send(&Pdu::PData {
        data: vec![PDataValue {
            presentation_context_id: context,
            value_type: PDataValueType::Command,
            is_last: true,
            data: request.response(status),
        }],
    })
}

/// What cannot be written repeats what no device says: then there is nothing to talk about.
fn send(pdu: &Pdu) -> Effect {
    let mut bytes = Vec::new();
    match dicom_ul::write_pdu(&mut bytes, pdu) {
        Ok(()) => Effect::Send(bytes),
        Err(_) => Effect::Close,
    }
}

#[cfg(test)]
mod tests;
