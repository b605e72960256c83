//! Documents whose bytes come before the message that describes them (FHIR Binary): kept for a day for the system that
//! brought them, for good once a message has named them.
//!
//! The same bytes of the same system are the same deposit, so that a system that sends all again changes nothing.

use yiqiao_proto::id::{Code, Digest, DocumentId};
use yiqiao_proto::time::Timestamp;

use crate::at_rest::Tag;
use crate::intake::Sealed;
use crate::limits::{DEPOSIT_GRACE, DEPOSIT_LIFE};
use crate::machine::{Machine, Outcome, Refused, Stop, Work};
use crate::state::kept::{self, Deposited};
use crate::state::{self, Body, Fault, VaultUse, View, damaged, read_digest, read_document_id};

/// Bytes that the driver has sealed.
#[derive(Clone, Debug)]
pub struct Deposit {
    /// The system that brought them.
    pub system: Code,
    /// BLAKE3 of the bytes.
    pub digest: [u8; 32],
    /// The sealed file.
    pub sealed: Sealed,
}

/// Takes a deposit; one that is waiting already waits anew.
pub(crate) fn take(work: &mut Work<'_>, deposit: &Deposit) -> Result<Outcome, Stop> {
    let system = deposit.system.as_str();
    let id = work.machine.keys.at_rest.tag(Tag::Deposit, &[system.as_bytes(), &deposit.digest]);
    let waiting = match work.view.find(&state::deposit(&id))? {
        Some(kept) if waits(&kept, work.now, work.view)? => Some(sealed(&kept)?),
        Some(_) | None => None,
    };
    let unused = waiting.as_ref().map(|_| deposit.sealed.document);
    let counts = waiting.as_ref().unwrap_or(&deposit.sealed);
    work.keep(Body::Deposited(Deposited {
        id: id.as_bytes().to_vec(),
        system: system.to_owned(),
        document: counts.document.as_bytes().to_vec(),
        wrapped_key: counts.wrapped_key.clone(),
        size: counts.size,
    }))?;
    Ok(Outcome::Deposited { id, unused })
}

impl Machine {
    /// The sealed file of a system's deposit; none if there is none, or nobody named it within a day.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something.
    pub fn deposit(
        &self,
        id: &Digest,
        system: &Code,
        now: Timestamp,
        view: &View,
    ) -> Result<Option<Sealed>, Fault> {
        let Some(kept) = view.find(&state::deposit(id))?.filter(|kept| kept.system == system.as_str()) else {
            return Ok(None);
        };
        let stands = !use_of(&kept, view)?.entry_id.is_empty() || waits(&kept, now, view)?;
        stands.then(|| sealed(&kept)).transpose()
    }
}

/// Whether a sealed file is kept because of a deposit. A little longer than it is found, for who has just found it.
pub(crate) fn is_kept(used: &VaultUse, now: Timestamp) -> bool {
    let since = Timestamp::from_unix_ms(used.deposited_at).filter(|_| used.deposited_at != 0);
    since.is_some_and(|since| since + DEPOSIT_LIFE + DEPOSIT_GRACE > now)
}

/// A file can be the content of one entry, or one paper.
pub(crate) fn require_unfiled(document: &DocumentId, view: &View) -> Result<(), Stop> {
    let used = view.get(&state::vault(document))?;
    if used.entry_id.is_empty() && used.paper_of.is_empty() {
        return Ok(());
    }
    Err(Refused::DepositFiled.into())
}

/// Does what follows from a deposit.
pub(crate) fn apply(deposited: &Deposited, at: i64, view: &mut View) -> Result<(), Fault> {
    let document = read_document_id(&deposited.document)?;
    let kept = kept::Deposit {
        system: deposited.system.clone(),
        document: deposited.document.clone(),
        wrapped_key: deposited.wrapped_key.clone(),
        size: deposited.size,
        at,
    };
    view.put(&state::deposit(&read_digest(&deposited.id)?), &kept);
    view.put(&state::vault(&document), &VaultUse { deposited_at: at, ..VaultUse::default() });
    Ok(())
}

/// Whether nobody has named it, and its day is not over.
fn waits(kept: &kept::Deposit, now: Timestamp, view: &View) -> Result<bool, Fault> {
    let at = Timestamp::from_unix_ms(kept.at).ok_or_else(damaged)?;
    let used = use_of(kept, view)?;
    Ok(used.entry_id.is_empty() && used.paper_of.is_empty() && at + DEPOSIT_LIFE > now)
}

fn use_of(kept: &kept::Deposit, view: &View) -> Result<VaultUse, Fault> {
    view.get(&state::vault(&read_document_id(&kept.document)?))
}

fn sealed(kept: &kept::Deposit) -> Result<Sealed, Fault> {
    let document = read_document_id(&kept.document)?;
    Ok(Sealed { document, size: kept.size, wrapped_key: kept.wrapped_key.clone() })
}
