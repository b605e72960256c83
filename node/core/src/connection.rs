//! Connections: through which door a system sends, what it calls itself there, and how all that came has ended.
//!
//! Every input that comes whole ends in one of the five ways of [`Verdict`], or had come before. These six
//! numbers of a connection add up to what came through it: each is counted in the record that keeps what it counts. What was not
//! taken because the node was busy has not ended: its sender sends it again. Not here: what becomes of a message: `intake`.

use yiqiao_proto::id::Code;
use yiqiao_proto::time::Timestamp;

use crate::apply::{Came, uncount};
use crate::intake::{Received, Verdict};
use crate::limits::{CONNECTIONS_MAX, SENDERS_MAX};
use crate::machine::{Outcome, Stop, Work};
use crate::register::shown;
use crate::state::kept::ConnectionName;
use crate::state::{self, Body, Counters, Fault, Message, Slot, View, damaged, kept};

/// How an input came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Through which door.
    pub door: Door,
    /// What the sending system calls itself: application and facility; empty if it does not say.
    pub sender: String,
    /// Why it brought no document and no event, in the words of its reader: nothing of a patient. Empty if it did.
    pub wrong: String,
}

/// A way in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// Not known.
    #[default]
    Other,
    /// HL7 v2 over MLLP.
    Mllp,
    /// `POST /api/intake`.
    Http,
    /// The FHIR door.
    Fhir,
    /// A folder that is watched.
    Folder,
    /// People of the hospital.
    Desk,
    /// An original that was kept for review, handed in again: it has come before.
    Review,
    /// Years of old records.
    Backfill,
    /// DICOM: a study.
    Dicom,
    /// Web services: XDS.b.
    Soap,
    /// A view of a database.
    View,
}

/// A connection, and what became of all that came through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The system; empty: all for which there is no room of their own.
    pub system: String,
    /// The door.
    pub door: Door,
    /// What the sender calls itself; empty if it does not say, or if too many names came.
    pub sender: String,
    /// How messages ended.
    pub counters: Counters,
    /// Inputs that had come before.
    pub repeated: u64,
    /// When something came last.
    pub last_at: Option<Timestamp>,
    /// What was last refused or kept for review: when, and why.
    pub wrong: Option<(Timestamp, String)>,
}

impl Connection {
    /// All inputs that came.
    pub const fn came(&self) -> u64 {
        let Counters { indexed, applied, answered, review, refused, .. } = &self.counters;
        *indexed + *applied + *answered + *review + *refused + self.repeated
    }
}

/// All connections, in the order in which something first came through them: at most [`CONNECTIONS_MAX`], and one for the rest.
///
/// # Errors
/// [`Fault`] if the view lacks something.
pub fn all(view: &View) -> Result<Vec<Connection>, Fault> {
    let names = view.get(&state::connections())?.names;
    let slots: Vec<_> = names.iter().map(state::connection).collect();
    view.need(&slots)?;
    names.into_iter().zip(&slots).map(|(name, slot)| Ok(read(name, view.get(slot)?))).collect()
}

fn read(name: ConnectionName, kept: kept::Connection) -> Connection {
    let at = |at: Option<i64>| at.and_then(Timestamp::from_unix_ms);
    Connection {
        system: name.system,
        door: Door::from_number(name.door),
        sender: name.sender,
        counters: kept.counters.unwrap_or_default(),
        repeated: kept.repeated,
        last_at: at(kept.last_at),
        wrong: at(kept.wrong_at).map(|at| (at, kept.wrong)),
    }
}

/// A message came that had come before.
pub(crate) fn repeated(work: &mut Work<'_>, received: &Received) -> Result<(), Fault> {
    if received.origin.door == Door::Review {
        return Ok(());
    }
    let (system, origin) = (received.system.to_string(), Some(received.origin.write()));
    work.keep(Body::Counted(kept::Counted { system, origin, repeat: true }))
}

/// What came was no whole message.
pub(crate) fn unread(work: &mut Work<'_>, system: &Code, origin: &Origin) -> Result<Outcome, Stop> {
    let (system, origin) = (system.to_string(), Some(origin.write()));
    work.keep(Body::Counted(kept::Counted { system, origin, repeat: false }))?;
    Ok(Outcome::Done)
}

/// What follows from an input that is kept nowhere.
pub(crate) fn apply_counted(counted: &kept::Counted, at: i64, view: &mut View) -> Result<(), Fault> {
    let origin = counted.origin.clone().unwrap_or_default();
    let (slot, mut connection) = of(&counted.system, &origin, view)?;
    connection.last_at = Some(at);
    if counted.repeat {
        connection.repeated += 1;
    } else {
        let system = Code::new(counted.system.as_str()).map_err(|_| damaged())?;
        let came = Came { verdict: Verdict::Refused.number(), documents: 0, reused: false };
        let counters_slot = state::counters(&system);
        let mut counters = view.get(&counters_slot)?;
        came.count(&mut counters)?;
        view.put(&counters_slot, &counters);
        came.count(connection.counters.get_or_insert_default())?;
        note_wrong(&mut connection, &origin, at);
    }
    view.put(&slot, &connection);
    Ok(())
}

/// What follows for its connection from a message; the place of the connection. One that ended otherwise before has come again,
/// unless staff handed it in.
pub(crate) fn apply_received(
    received: &kept::Received,
    came: &Came,
    before: Option<&Message>,
    at: i64,
    view: &mut View,
) -> Result<u64, Fault> {
    let origin = received.origin.clone().unwrap_or_default();
    let by_staff = origin.door == Door::Review.number();
    let earlier = before.map(|before| Ok((before, at_place(before.connection, view)?))).transpose()?;
    if let Some((before, Some((slot, mut connection)))) = earlier {
        uncount(connection.counters.get_or_insert_default(), before.verdict)?;
        if by_staff {
            came.count(connection.counters.get_or_insert_default())?;
            view.put(&slot, &connection);
            return Ok(connection.place);
        }
        connection.repeated += 1;
        view.put(&slot, &connection);
    }
    let (slot, mut connection) = of(&received.system, &origin, view)?;
    came.count(connection.counters.get_or_insert_default())?;
    connection.last_at = Some(at);
    if [Verdict::Review, Verdict::Refused].map(Verdict::number).contains(&came.verdict) {
        note_wrong(&mut connection, &origin, at);
    }
    view.put(&slot, &connection);
    Ok(connection.place)
}

fn note_wrong(connection: &mut kept::Connection, origin: &kept::Origin, at: i64) {
    connection.wrong_at = Some(at);
    connection.wrong.clone_from(&origin.wrong);
}

type Found = (Slot<kept::Connection>, kept::Connection);

/// The connection at a place of the list; none of a message from before there were any.
fn at_place(place: u64, view: &View) -> Result<Option<Found>, Fault> {
    let Some(index) = place.checked_sub(1).and_then(|index| usize::try_from(index).ok()) else {
        return Ok(None);
    };
    let names = view.get(&state::connections())?.names;
    let slot = state::connection(names.get(index).ok_or_else(damaged)?);
    let connection = view.get(&slot)?;
    Ok(Some((slot, connection)))
}

/// The connection through which an input came; a new one is listed while there is room.
fn of(system: &str, origin: &kept::Origin, view: &mut View) -> Result<Found, Fault> {
    let (system, sender) = (system.to_owned(), origin.sender.clone());
    let name = ConnectionName { system, door: origin.door, sender };
    let slot = state::connection(&name);
    if let Some(known) = view.find(&slot)? {
        return Ok((slot, known));
    }
    let mut list = view.get(&state::connections())?;
    let name = with_room(&list.names, name);
    let slot = state::connection(&name);
    if let Some(known) = view.find(&slot)? {
        return Ok((slot, known));
    }
    list.names.push(name);
    let place = list.names.len() as u64;
    view.put(&state::connections(), &list);
    Ok((slot, kept::Connection { place, ..kept::Connection::default() }))
}

/// A name, or the one under which is counted what there is no room for: of the same door, else of the whole hospital.
fn with_room(known: &[ConnectionName], name: ConnectionName) -> ConnectionName {
    let beside = known.iter().filter(|one| (&one.system, one.door) == (&name.system, name.door)).count();
    let name = if beside < SENDERS_MAX { name } else { ConnectionName { sender: String::new(), ..name } };
    if known.len() < CONNECTIONS_MAX || known.contains(&name) { name } else { ConnectionName::default() }
}

impl Origin {
    /// Through a door, from a system that does not say what it is.
    pub fn through(door: Door) -> Self {
        Self { door, ..Self::default() }
    }

    pub(crate) fn write(&self) -> kept::Origin {
        kept::Origin { door: self.door.number(), sender: shown(&self.sender), wrong: shown(&self.wrong) }
    }
}

impl Door {
    const ALL: [Self; 11] = [
        Self::Other,
        Self::Mllp,
        Self::Http,
        Self::Fhir,
        Self::Folder,
        Self::Desk,
        Self::Review,
        Self::Backfill,
        Self::Dicom,
        Self::Soap,
        Self::View,
    ];

    pub(crate) const fn number(self) -> u32 {
        self as u32
    }

    /// A number of a later version is a door that this one does not know.
    fn from_number(number: u32) -> Self {
        Self::ALL.into_iter().find(|door| door.number() == number).unwrap_or_default()
    }
}
