//! Papers of a patient that a desk has scanned, such as a signed consent: sealed at this hospital and told to nobody. What a desk
//! records can name one: then the hash that the region keeps (C-8) is of the paper, too.
//!
//! Not here: the bytes, which came as a [`crate::deposit`]; what is recorded by them: [`crate::desk`].

use prost::Message;
use yiqiao_proto::id::{Code, Digest, DocumentId, Subject};
use yiqiao_proto::time::Timestamp;

use crate::actor::Actor;
use crate::audit::{self, Line};
use crate::deposit;
use crate::desk;
use crate::intake::Sealed;
use crate::limits::PAPERS_MAX;
use crate::machine::{Machine, Outcome, Refused, Stop, Work};
use crate::passkey;
use crate::person;
use crate::register::DESK;
use crate::state::kept;
use crate::state::{self, Body, Fault, VaultUse, View, damaged, read_document_id, read_subject};

/// A desk has scanned a paper of a patient.
#[derive(Clone, Debug)]
pub struct NewPaper {
    /// Who.
    pub actor: Actor,
    /// The patient.
    pub subject: Subject,
    /// The deposit with the bytes, which came from the system [`Machine::desk_system`].
    pub deposit: Digest,
    /// BLAKE3 of the bytes.
    pub hash: [u8; 32],
}

/// A paper that is kept.
#[derive(Clone, Debug)]
pub struct Paper {
    /// The sealed file.
    pub sealed: Sealed,
    /// Since when.
    pub at: Timestamp,
    /// Who scanned it.
    pub login: String,
    /// BLAKE3 of the bytes.
    pub hash: [u8; 32],
}

impl Machine {
    /// In whose name desks deposit.
    pub fn desk_system() -> Code {
        Code::new(DESK).expect("letters are a code")
    }

    /// The papers of a patient, through all merges, the newest first.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn papers(&self, subject: &Subject, view: &View) -> Result<Vec<Paper>, Fault> {
        let root = person::root(view, *subject)?;
        let mut slots = vec![state::papers(&root)];
        for retired in view.get(&state::patient(&root))?.retired {
            slots.push(state::papers(&read_subject(&retired)?));
        }
        view.need(&slots)?;
        let mut papers = Vec::new();
        for slot in &slots {
            for kept in view.get(slot)?.papers {
                papers.push(self.read_paper(kept)?);
            }
        }
        papers.sort_by_key(|paper| std::cmp::Reverse(paper.at));
        Ok(papers)
    }

    fn read_paper(&self, kept: kept::Paper) -> Result<Paper, Fault> {
        let document = read_document_id(&kept.document)?;
        let data = self.keys.at_rest.open(&context(&document), &kept.data).map_err(|_| damaged())?;
        let data = kept::PaperData::decode(data.as_slice()).map_err(|_| damaged())?;
        Ok(Paper {
            sealed: Sealed { document, size: kept.size, wrapped_key: kept.wrapped_key },
            at: Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?,
            login: data.login,
            hash: data.hash.try_into().map_err(|_| damaged())?,
        })
    }
}

/// Keeps a paper for good.
pub(crate) fn take(work: &mut Work<'_>, new: &NewPaper) -> Result<Outcome, Stop> {
    desk::ground(work, &new.actor, &new.subject, |_| true)?;
    if !passkey::is_desk(&new.actor) {
        return Err(Refused::NotSeen.into());
    }
    let root = person::root(work.view, new.subject)?;
    if work.view.get(&state::papers(&root))?.papers.len() >= PAPERS_MAX {
        return Err(Refused::TooManyPapers.into());
    }
    let system = Machine::desk_system();
    let sealed = work.machine.deposit(&new.deposit, &system, work.now, work.view)?;
    let sealed = sealed.ok_or(Refused::UnknownEntry)?;
    deposit::require_unfiled(&sealed.document, work.view)?;
    audit::audit(work, &Line { subject: Some(root), ..Line::done(new.actor.clone(), audit::Act::Paper) })?;
    let data = kept::PaperData { login: new.actor.login().to_owned(), hash: new.hash.to_vec() };
    let context = context(&sealed.document);
    let data = work.machine.keys.at_rest.seal(&context, &data.encode_to_vec(), work.entropy);
    work.keep(Body::Papered(kept::Papered {
        subject: root.as_bytes().to_vec(),
        document: sealed.document.as_bytes().to_vec(),
        wrapped_key: sealed.wrapped_key,
        size: sealed.size,
        data,
    }))?;
    Ok(Outcome::Done)
}

/// What follows from a paper: it is the patient's, and its file stays.
pub(crate) fn apply(papered: &kept::Papered, at: i64, view: &mut View) -> Result<(), Fault> {
    let subject = read_subject(&papered.subject)?;
    let document: DocumentId = read_document_id(&papered.document)?;
    let slot = state::papers(&subject);
    let mut papers = view.get(&slot)?;
    let kept::Papered { document: file, wrapped_key, size, data, .. } = papered.clone();
    papers.papers.push(kept::Paper { document: file, wrapped_key, size, data, at });
    view.put(&slot, &papers);
    view.put(
        &state::vault(&document),
        &VaultUse { paper_of: papered.subject.clone(), ..VaultUse::default() },
    );
    Ok(())
}

/// What is known of a paper is sealed for it.
fn context(document: &DocumentId) -> Vec<u8> {
    [b"paper".as_slice(), document.as_bytes()].concat()
}
