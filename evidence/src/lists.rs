//! The members that counted, from the authority's key given: which list was in force when the release was accepted (M-2, M-8).
//!
//! A list is the authority's if the key given signed it, or one that such a list names for the next. Where the list after the one that
//! counted stands in the log is proved, too: so nobody leaves out the list that suspended somebody.

use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::Kind;
use yiqiao_proto::note::{Checkpoint, NoteError, origin};
use yiqiao_proto::suite::PublicKey;

use crate::file::{File, Logged};
use crate::verify::Fault;

/// The member lists of a file.
#[derive(Clone, Debug)]
pub struct Lists {
    /// In force when the release was accepted: by it members and policy are judged (M-7, M-10).
    pub counted: Directory,
    /// The newest of the file: by it keys are judged that were found compromised since (M-6), and the checkpoint.
    pub newest: Directory,
}

impl Lists {
    /// Follows the lists of a file from a key of the authority to the newest.
    ///
    /// # Errors
    /// [`Fault`] if they do not lead there, or if one may be missing.
    pub(crate) fn of(file: &File, authority: &PublicKey, released: u64) -> Result<Self, Fault> {
        let (mut known, mut counted): (Option<Directory>, Option<Directory>) = (None, None);
        let mut next_is_proved = false;
        for list in file.of_kind(Kind::MemberList) {
            let seq = list.opening.seq;
            let Some(next) = follow(file, known.as_ref(), authority, list, released)? else { continue };
            if seq < released {
                counted = Some(next.clone());
            } else if !next_is_proved {
                let before = counted.as_ref().ok_or(Fault::OtherAuthority)?.list().version;
                if next.list().version != before + 1 {
                    return Err(Fault::ListMissing { counted: before });
                }
                next_is_proved = true;
            }
            known = Some(next);
        }
        let (counted, newest) = counted.zip(known).ok_or(Fault::OtherAuthority)?;
        Ok(Self { counted, newest })
    }

    /// The checkpoint of the file, which the registry must have signed for the log that counts, and nobody else (L-5).
    pub(crate) fn tree(&self, file: &File) -> Result<Checkpoint, Fault> {
        let origin = origin(&file.region, &self.newest.list().log_id);
        let tree = Checkpoint::open(&file.checkpoint, &origin, &self.newest.checkpoint_keys())?;
        let lines = file.checkpoint.iter().filter(|byte| **byte == b'\n').count();
        // Three lines, a blank one and one signature: what is not checked does not stand in the file.
        if lines == 5 { Ok(tree) } else { Err(Fault::Note(NoteError::NotSigned)) }
    }
}

/// The next list, signed by the authority; none if it is of before the key given.
fn follow(
    file: &File,
    known: Option<&Directory>,
    authority: &PublicKey,
    list: &Logged,
    released: u64,
) -> Result<Option<Directory>, Fault> {
    let fault = |cause| Fault::List { seq: list.opening.seq, cause };
    let Some(known) = known else {
        let first = Directory::signed_by(&file.region, authority, &list.envelope);
        return if list.opening.seq < released { Ok(first.ok()) } else { first.map(Some).map_err(fault) };
    };
    let next = Directory::signed_by(&file.region, &known.list().authority, &list.envelope).map_err(fault)?;
    let (before, after) = (known.list().version, next.list().version);
    if after == before + 1 {
        return known.next(&list.envelope).map(Some).map_err(fault);
    }
    if after > before { Ok(Some(next)) } else { Err(Fault::ListMissing { counted: before }) }
}
