//! How far views of the hospital's databases are read: kept after what they brought, and in the same journal, so neither a crash nor an
//! older copy of the node's data makes it miss a row. Not here: what a watermark is, and how rows are read.

use yiqiao_proto::time::Timestamp;

use crate::limits::WATERMARK_BYTES_MAX;
use crate::machine::{Outcome, Stop, Work};
use crate::state::{self, Body, Fault, View, damaged, kept};

/// A view was read up to a watermark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadUp {
    /// The hash of what the view is: one that is declared otherwise is another.
    pub view: [u8; 32],
    /// A number or a time, as the database writes it; at most [`WATERMARK_BYTES_MAX`].
    pub watermark: String,
}

/// Up to where a view is read, and since when; none if nothing of it was.
///
/// # Errors
/// [`Fault`] if the store lacks something.
pub fn place(of: &[u8; 32], view: &View) -> Result<Option<(String, Timestamp)>, Fault> {
    let Some(known) = view.find(&state::watermark(of))? else { return Ok(None) };
    let at = Timestamp::from_unix_ms(known.at).ok_or_else(damaged)?;
    Ok(Some((known.value, at)))
}

/// What is known already is not written down again: a view in which nothing happens costs nothing.
pub(crate) fn read_up(work: &mut Work<'_>, read: &ReadUp) -> Result<Outcome, Stop> {
    let known = work.view.find(&state::watermark(&read.view))?;
    let is_new = known.is_none_or(|known| known.value != read.watermark);
    if is_new && read.watermark.len() <= WATERMARK_BYTES_MAX {
        let (view, watermark) = (read.view.to_vec(), read.watermark.clone());
        work.keep(Body::ReadUp(kept::ReadUp { view, watermark }))?;
    }
    Ok(Outcome::Done)
}

/// What follows from that.
pub(crate) fn apply_read_up(read: &kept::ReadUp, at: i64, view: &mut View) -> Result<(), Fault> {
    let of = <[u8; 32]>::try_from(read.view.as_slice()).map_err(|_| damaged())?;
    view.put(&state::watermark(&of), &kept::Watermark { value: read.watermark.clone(), at });
    Ok(())
}
