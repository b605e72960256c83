//! What holds for every input.
#![expect(clippy::indexing_slicing, reason = "a test fails where an index does not fit")]

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::Index;
use yiqiao_intake::charset::{Charset, decode};
use yiqiao_intake::dates::{When, Zone};
use yiqiao_intake::flag::Flags;
use yiqiao_intake::hl7::ack::{Stamp, Verdict, acknowledge};
use yiqiao_intake::hl7::escape;
use yiqiao_intake::hl7::message::Delimiters;
use yiqiao_intake::hl7::mllp::{Decoder, FrameError};
use yiqiao_intake::intake::{Door, read};
use yiqiao_intake::refusal::Refusal;
use yiqiao_intake::{cda, hl7};
use yiqiao_proto::time::Timestamp;

use crate::samples::{ADMISSION, BLOOD_COUNT, DISCHARGE, REPORT_BUNDLE, SUBMISSION, SUMMARY_CDA};

/// Reads an input in every way there is; checks that spans are in order and answers carry no text of the message.
fn read_every_way(input: &[u8]) {
    let items = read(input, &Door::any());
    assert!(!items.is_empty());
    let mut at = 0;
    for item in &items {
        assert!(at <= item.span.start && item.span.end <= input.len());
        at = item.span.end;
        if let Err(refusal) = &item.outcome {
            assert!(!refusal.to_string().is_empty());
        }
    }
    let zone = Zone::china();
    let stamp = Stamp { now: Timestamp::MAX, control_id: "1", zone: &zone };
    _ = acknowledge(input, Verdict::Refused(&Refusal::Empty), stamp);
    _ = cda::render::sections(input);
    _ = hl7::read(input, 0..input.len(), &zone);
}

fn good() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        Just(ADMISSION),
        Just(BLOOD_COUNT),
        Just(DISCHARGE),
        Just(SUMMARY_CDA),
        Just(REPORT_BUNDLE),
        Just(SUBMISSION)
    ];
    let charset = prop_oneof![Just(Charset::Utf8), Just(Charset::Gb18030), Just(Charset::Utf16Le)];
    (text, charset).prop_map(|(text, charset)| charset.encode(text))
}

/// Bytes that mean something to some reader.
const TELLING: [u8; 10] = [b'|', b'^', b'\\', b'\r', b'<', b'"', b'{', 0, 0x1C, 0xFF];

/// A change to a message: a byte set, a stretch cut out, a stretch doubled.
fn mutated(mut message: Vec<u8>, changes: &[(Index, Index, u8)]) -> Vec<u8> {
    for (from, to, byte) in changes {
        if message.is_empty() {
            break;
        }
        let (from, to) = (from.index(message.len()), to.index(message.len()));
        let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 64));
        match byte % 4 {
            0 => drop(message.drain(from..to)),
            1 => message.splice(from..from, message[from..to].to_vec()).for_each(drop),
            2 => message[from] = TELLING[usize::from(byte / 4) % TELLING.len()],
            _ => message[from] = *byte,
        }
    }
    message
}

/// Frames and errors, the stray bytes, and how the stream ended.
type Decoded = (Vec<Result<Vec<u8>, FrameError>>, u64, Result<(), FrameError>);

fn frames(stream: &[u8], cuts: &[usize]) -> Decoded {
    let mut decoder = Decoder::new(40);
    let (mut found, mut at) = (Vec::new(), 0);
    for cut in cuts.iter().copied().chain([stream.len()]) {
        found.extend(decoder.push(&stream[at..cut.max(at)]));
        at = cut.max(at);
    }
    let stray = decoder.stray();
    (found, stray, decoder.finish())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        read_every_way(&bytes);
    }

    #[test]
    fn arbitrary_bytes_behind_a_good_beginning_never_panic(
        start in prop_oneof![Just("MSH|^~\\&|"), Just("<ClinicalDocument xmlns='urn:hl7-org:v3'>"), Just("{\"resourceType\":")],
        rest in "[\\PC\r\n]{0,300}",
    ) {
        read_every_way(format!("{start}{rest}").as_bytes());
    }

    #[test]
    fn mutated_messages_never_panic(message in good(), changes in vec(any::<(Index, Index, u8)>(), 1..12)) {
        read_every_way(&mutated(message, &changes));
    }

    #[test]
    fn frames_do_not_depend_on_how_the_stream_is_cut(
        stream in vec(prop_oneof![Just(0x0B_u8), Just(0x1C), Just(0x0D), Just(0xFF), Just(0xFE), any::<u8>()], 0..200),
        cuts in vec(any::<Index>(), 0..8),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        assert_eq!(frames(&stream, &cuts), frames(&stream, &[]));
    }

    #[test]
    fn escaping_is_undone_by_unescaping(text in "[\\PC\r\n|^~\\\\&#杭州市€]{0,60}") {
        let truncating = Delimiters { truncation: Some('#'), ..Delimiters::USUAL };
        for delimiters in [Delimiters::USUAL, truncating] {
            let raw = escape::encode(&text, delimiters);
            assert!(!raw.contains(['|', '^', '~', '&', '\r', '\n']));
            assert_eq!(escape::decode(&raw, delimiters), text);
        }
    }

    #[test]
    fn text_in_a_declared_set_comes_back(text in "[\\PC]{0,40}[一-龥]{3,20}") {
        for (charset, name) in [(Charset::Utf8, "UTF-8"), (Charset::Gb18030, "GB 18030-2000")] {
            let bytes = charset.encode(&text);
            let read = decode(&bytes, Some(name), &mut Flags::none());
            assert_eq!((read.text, read.charset), (text.clone(), charset));
        }
    }

    #[test]
    fn any_text_is_a_date_or_an_error(text in "[0-9TZ:./+ -]{0,30}|\\PC{0,20}") {
        let mut flags = Flags::none();
        if let Ok(when) = When::parse(&text, &Zone::china(), &mut flags) {
            let shown = Zone::china().show(when.at);
            let again = When::parse(&shown, &Zone::china(), &mut flags).unwrap();
            assert_eq!(again.at.unix_ms().div_euclid(1000), when.at.unix_ms().div_euclid(1000));
        }
    }
}
