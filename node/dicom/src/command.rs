//! Command sets (PS3.7 section 9.3, annex E): implicit, little end first, whatever was negotiated.

/// Affected SOP Class UID
const SOP_CLASS: u16 = 0x0002;
const COMMAND: u16 = 0x0100;
const MESSAGE: u16 = 0x0110;
const RESPONDED: u16 = 0x0120;
const DATA_SET: u16 = 0x0800;
const STATUS: u16 = 0x0900;
/// Affected SOP Instance UID
const SOP_INSTANCE: u16 = 0x1000;

const C_STORE: u16 = 0x0001;
const C_ECHO: u16 = 0x0030;
/// What turns a request's number into its response's.
const RESPONSE: u16 = 0x8000;
/// No data set follows.
const NO_DATA_SET: u16 = 0x0101;

/// What a device asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Whether somebody is there.
    Echo {
        /// Its number.
        message: u16,
    },
    /// To keep the instance that follows.
    Store {
        /// Its number.
        message: u16,
        /// What sort of instance.
        sop_class: String,
        /// Which.
        sop_instance: String,
    },
    /// Something else, by its number of a command.
    Other {
        /// Its number.
        message: u16,
        /// Which command.
        command: u16,
        /// Whether a data set follows.
        has_data: bool,
    },
}

/// How a request ended (PS3.4 annex B.2.3, PS3.7 annex C).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Durable.
    Success,
    /// Nothing was kept; it may be sent again.
    OutOfResources,
    /// Nothing was kept: it is no instance of this class, or none at all.
    CannotUnderstand,
    /// Nobody serves this here.
    Unsupported,
}

impl Status {
    /// Its code.
    pub const fn code(self) -> u16 {
        match self {
            Self::Success => 0x0000,
            Self::OutOfResources => 0xA700,
            Self::CannotUnderstand => 0xC000,
            Self::Unsupported => 0x0211,
        }
    }
}

impl Request {
    /// Reads a command set; none if it is no request.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let message = number(bytes, MESSAGE)?;
        let command = number(bytes, COMMAND)?;
        Some(match command {
            C_ECHO => Self::Echo { message },
            C_STORE => Self::Store {
                message,
                sop_class: text(bytes, SOP_CLASS)?,
                sop_instance: text(bytes, SOP_INSTANCE)?,
            },
            _ => Self::Other { message, command, has_data: number(bytes, DATA_SET)? != NO_DATA_SET },
        })
    }

    /// The command set that answers it.
    pub fn response(&self, status: Status) -> Vec<u8> {
        let (message, command) = match self {
            Self::Echo { message } => (*message, C_ECHO),
            Self::Store { message, .. } => (*message, C_STORE),
            Self::Other { message, command, .. } => (*message, *command),
        };
        let mut body = Vec::new();
        if let Self::Store { sop_class, .. } = self {
            put(&mut body, SOP_CLASS, &padded(sop_class));
        }
        put(&mut body, COMMAND, &(command | RESPONSE).to_le_bytes());
        put(&mut body, RESPONDED, &message.to_le_bytes());
        put(&mut body, DATA_SET, &NO_DATA_SET.to_le_bytes());
        put(&mut body, STATUS, &status.code().to_le_bytes());
        if let Self::Store { sop_instance, .. } = self {
            put(&mut body, SOP_INSTANCE, &padded(sop_instance));
        }
        let mut whole = Vec::new();
        put(&mut whole, 0, &u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        whole.extend(body);
        whole
    }
}

fn padded(uid: &str) -> Vec<u8> {
    let mut bytes = uid.as_bytes().to_vec();
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    bytes
}

fn put(into: &mut Vec<u8>, element: u16, value: &[u8]) {
    into.extend([0, 0]);
    into.extend(element.to_le_bytes());
    into.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
    into.extend(value);
}

/// The value of an element; none if there is none, or something in front of it is cut.
fn find(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let [_, _, low, high, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
        let (value, behind) = rest.split_at_checked(length)?;
        if u16::from_le_bytes([low, high]) == wanted {
            return Some(value);
        }
        bytes = behind;
    }
}

fn number(bytes: &[u8], element: u16) -> Option<u16> {
    find(bytes, element)?.first_chunk().map(|pair| u16::from_le_bytes(*pair))
}

fn text(bytes: &[u8], element: u16) -> Option<String> {
    let value = str::from_utf8(find(bytes, element)?).ok()?.trim_matches(['\0', ' ']);
    let is_uid = value.len() <= crate::limits::UID_BYTES_MAX
        && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (is_uid && !value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, SOP_CLASS, b"1.2.840\0");
        put(&mut bytes, COMMAND, &C_STORE.to_le_bytes());
        put(&mut bytes, MESSAGE, &7_u16.to_le_bytes());
        put(&mut bytes, DATA_SET, &0_u16.to_le_bytes());
        put(&mut bytes, SOP_INSTANCE, b"1.2.3.4.5\0");
        bytes
    }

    #[test]
    fn a_request_is_answered_under_its_number_and_about_its_instance() {
        let request = Request::read(&store()).unwrap();
        let answer = request.response(Status::OutOfResources);
        assert_eq!(number(&answer, COMMAND), Some(0x8001));
        assert_eq!((number(&answer, RESPONDED), number(&answer, STATUS)), (Some(7), Some(0xA700)));
        assert_eq!(text(&answer, SOP_INSTANCE).as_deref(), Some("1.2.3.4.5"));
        let length = find(&answer, 0).unwrap().first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        assert_eq!(length, u32::try_from(answer.len() - 12).ok());
    }

    #[test]
    fn what_is_cut_or_names_no_instance_is_no_request() {
        let whole = store();
        (0..whole.len()).for_each(|length| assert_eq!(Request::read(&whole[..length]), None, "{length}"));
        let named = String::from_utf8_lossy(&whole).replace("1.2.3.4.5", "../../etc");
        assert_eq!(Request::read(named.as_bytes()), None);
    }
}
