//! Every bound of the node's process, by name. Those of the machine, the readers, the link and HTTP are their own.

use std::time::Duration;

use yiqiao_node_core::limits::{BATCH_MAX, ERRANDS_MAX, RANGES_AT_ONCE};
use yiqiao_proto::time::Millis;

/// Documents about which `yiqiao-node explain` speaks, the newest.
pub(crate) const EXPLAINED_MAX: u64 = 256;
/// Pages of the audit that are walked in one go.
pub(crate) const AUDIT_PAGES: usize = 16;
/// Pause between two of them at the start: there is other work.
pub(crate) const AUDIT_PAUSE: Duration = Duration::from_millis(20);
/// How long until the registry is asked again what it has of the audit.
pub(crate) const ANCHORS_PAUSE: Duration = Duration::from_secs(10);

/// A segment of the journal.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Records that are replayed between two commits of the index.
pub(crate) const REPLAY_BATCH: usize = 512;
/// Replayed records between two lines of progress.
pub(crate) const PROGRESS_EVERY: u64 = 100_000;

/// Room on the disk that documents leave to journal and index.
pub(crate) const RESERVE_BYTES: u64 = 16 << 20;
/// Sealed files that are compared with the journal in one step.
pub(crate) const SWEEP_STEP: usize = 64;
/// How often the whole vault is looked through.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(6 * 3_600);
/// Pause between two of these steps.
pub(crate) const SWEEP_PAUSE: Duration = Duration::from_millis(20);

/// Messages that are read and sealed at once: each may take several times its length in memory.
pub(crate) const READERS_MAX: usize = 8;
/// Documents that come in at once as their bytes alone (FHIR Binary).
pub(crate) const DEPOSITORS_MAX: usize = 8;
/// How long such bytes may stand still.
pub(crate) const DEPOSIT_STALL: Duration = Duration::from_secs(60);
/// Pieces of one, as they come from the connection, that wait for the disk.
pub(crate) const DEPOSIT_PIECES_MAX: usize = 4;
/// Messages of one batch that are handed to the machine together.
pub(crate) const SLICE_MAX: usize = 64;

/// How often a watched folder is looked into; a file that did not change meanwhile is whole.
pub(crate) const FOLDER_LOOK_EVERY: Duration = Duration::from_secs(1);
/// Files of one look: the first ones by name.
pub(crate) const FOLDER_NAMES_MAX: usize = 1_000;
/// Messages of one file about which the file beside it says why they were refused.
pub(crate) const FOLDER_REASONS_MAX: usize = 100;

/// How long old records wait for a moment in which nothing else is being taken.
pub(crate) const BACKFILL_WAIT: Duration = Duration::from_secs(5);
/// When a file is handed in again that the node could not take.
pub(crate) const BACKFILL_RETRY: Duration = Duration::from_secs(1);
/// Reasons that are named of one file, or one window of a view.
pub(crate) const BACKFILL_WRONG_MAX: usize = 100;
/// Files between two lines of progress.
pub(crate) const BACKFILL_PROGRESS_EVERY: usize = 100;
/// Live messages of which it is known how long they took.
pub(crate) const LIVE_KEPT: usize = 1_000;

/// MLLP connections of one door.
pub(crate) const MLLP_CONNECTIONS_MAX: usize = 64;
/// How long an MLLP connection may be silent between two messages.
pub(crate) const MLLP_IDLE: Duration = Duration::from_secs(3_600);
/// How long a message that has begun may stand still, and a sender may take to read its answer.
pub(crate) const MLLP_STALL: Duration = Duration::from_secs(60);
/// Bytes read from an MLLP connection at once.
pub(crate) const MLLP_READ_BYTES: usize = 64 << 10;

/// Ranges of one request that are sent to a member at once (P-6).
pub(crate) const PULLS_OUTSTANDING: usize = RANGES_AT_ONCE;
/// Documents that are fetched at once.
pub(crate) const FETCHES_MAX: usize = ERRANDS_MAX;
/// How long it is waited for tokens of a patient, and then for the registry to take what the patient says.
pub(crate) const STATEMENT_WAIT: Duration = Duration::from_secs(10);

/// Documents of one patient that a FHIR search goes through.
pub(crate) const SEARCHED_DOCUMENTS_MAX: usize = 16_384;
/// Referrals that one page of a FHIR search without a patient goes through.
pub(crate) const SEARCHED_REFERRALS_MAX: usize = 1_024;
/// The longest document that is given as a FHIR resource, in base64, and not as its bytes.
pub(crate) const WRAPPED_BYTES_MAX: u64 = 16 << 20;

/// Open reviews or problems in one list.
pub(crate) const LISTED_MAX: usize = 256;

/// Tables of one node.
pub(crate) const TABLES_MAX: usize = 64;

/// Doors of one node that its configuration names.
pub(crate) const DOORS_MAX: usize = 64;

const _: () = assert!(2 * STATEMENT_WAIT.as_secs() < yiqiao_host::limits::ANSWER_WAIT.as_secs());
const _: () = assert!(SLICE_MAX <= BATCH_MAX);

/// How often it is looked whether patients are to be told something.
pub(crate) const GATEWAY_LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long the gateway for messages to patients, or a webhook, may take to answer.
pub(crate) const POST_WAIT: Duration = Duration::from_secs(10);
/// How long to wait after the first message that it did not take.
pub(crate) const GATEWAY_PAUSE_MIN: Duration = Duration::from_secs(2);
/// How long after many.
pub(crate) const GATEWAY_PAUSE_MAX: Duration = Duration::from_secs(600);
/// How old a message may become.
pub(crate) const GATEWAY_LIFE: Millis = Millis::from_secs(7 * 24 * 3_600);

/// Destinations that are told what concerns the hospital.
pub(crate) const OUT_MAX: usize = 16;
/// How often it is looked whether there is something to tell them.
pub(crate) const OUT_LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one may take to be reached and to acknowledge a message.
pub(crate) const OUT_WAIT: Duration = Duration::from_secs(30);
/// How long to wait after the first failure.
pub(crate) const OUT_PAUSE_MIN: Duration = Duration::from_secs(1);
/// How long after many.
pub(crate) const OUT_PAUSE_MAX: Duration = Duration::from_secs(300);
/// For how long an event is told again that is answered, but not taken.
pub(crate) const OUT_LIFE: Millis = Millis::from_secs(7 * 24 * 3_600);
/// Bytes of an acknowledgement.
pub(crate) const OUT_ANSWER_BYTES_MAX: usize = 64 << 10;
/// Bytes of a document whose content is told in a message; of a longer one it is told that it is here.
pub(crate) const OUT_CONTENT_BYTES_MAX: u64 = 8 << 20;
/// Bytes of the secret of a webhook.
pub(crate) const SECRET_BYTES_MIN: usize = 16;

/// Views of databases that are read.
pub(crate) const VIEWS_MAX: usize = 32;
/// Bytes of the file with the password of a database.
pub(crate) const PASSWORD_BYTES_MAX: u64 = 1 << 10;
/// Documents of a view that are handed over at once.
pub(crate) const VIEW_BATCH: usize = 64;
/// Bytes of them, but for the last.
pub(crate) const VIEW_BATCH_BYTES: usize = 4 << 20;
/// Documents of a view that this process knows to have handed over.
pub(crate) const VIEW_KNOWN_MAX: usize = 65_536;

/// DICOM associations of one door.
pub(crate) const ASSOCIATIONS_MAX: usize = 32;
/// How long an association may be silent between two instances.
pub(crate) const ASSOCIATION_IDLE: Duration = Duration::from_secs(600);
/// How long an instance that has begun may stand still, and a device may take to read its answer.
pub(crate) const ASSOCIATION_STALL: Duration = Duration::from_secs(60);
/// Room on the disk that instances which wait for their study leave to everything else.
pub(crate) const SPOOL_RESERVE_BYTES: u64 = 4 * RESERVE_BYTES;
/// Bytes of an instance that are encrypted as one piece.
pub(crate) const SPOOL_PIECE_BYTES: usize = 256 << 10;
/// The same encrypted.
pub(crate) const SPOOL_SEALED_MAX: usize = SPOOL_PIECE_BYTES + 64;
/// Instances that wait for their studies, of all systems together.
pub(crate) const SPOOLED_MAX: usize = 100_000;
/// How long no instance of a study may have come that is sent by HTTP.
pub(crate) const STUDY_QUIET: Duration = Duration::from_secs(60);
/// How long until a study that could not be made a document is tried again.
pub(crate) const STUDY_RETRY: Duration = Duration::from_secs(5);
/// The same if another try is of no use before somebody has looked at it.
pub(crate) const STUDY_RETRY_LATER: Duration = Duration::from_secs(3_600);

/// Bytes of the table of items that regions recognise.
pub(crate) const RECOGNISED_BYTES_MAX: u64 = 2 << 20;

/// Documents of a patient out of which one answer is made that says what all of them say, the newest.
pub(crate) const EXTRACTED_DOCUMENTS_MAX: usize = 512;
/// Those about which one question asks: the machine does nothing else meanwhile.
pub(crate) const EXTRACTED_AT_ONCE: usize = 32;
/// The longest of them that is read.
pub(crate) const EXTRACTED_BYTES_MAX: u64 = 4 << 20;

/// Studies of a patient that are opened for one list of them, the newest.
pub(crate) const STUDIES_MAX: usize = 64;
