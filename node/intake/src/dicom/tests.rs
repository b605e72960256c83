//! What is read of DICOM files, written here element by element.

use super::*;
use crate::dicom::element::Encoding;
use crate::intake::{Door, read as read_input};
use crate::patient::IdKind;
use proptest::prelude::*;

/// A data set that is written as told.
struct Writer {
    encoding: Encoding,
    bytes: Vec<u8>,
}

const EXPLICIT: Encoding = Encoding { explicit: true, big: false };
const IMPLICIT: Encoding = Encoding { explicit: false, big: false };
const BIG: Encoding = Encoding { explicit: true, big: true };

impl Writer {
    fn new(encoding: Encoding) -> Self {
        Self { encoding, bytes: Vec::new() }
    }

    fn short(&mut self, number: u16) {
        self.bytes.extend(if self.encoding.big { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    fn long(&mut self, number: u32) {
        self.bytes.extend(if self.encoding.big { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    fn head(mut self, tag: u32, vr: &str, length: u32) -> Self {
        let [a, b, c, d] = tag.to_be_bytes();
        self.short(u16::from_be_bytes([a, b]));
        self.short(u16::from_be_bytes([c, d]));
        let is_item = tag >> 16 == 0xFFFE;
        if !self.encoding.explicit || is_item {
            self.long(length);
        } else {
            self.bytes.extend(vr.as_bytes());
            if ["OB", "OW", "SQ", "UN", "UT"].contains(&vr) {
                self.short(0);
                self.long(length);
            } else {
                self.short(u16::try_from(length).unwrap());
            }
        }
        self
    }

    fn put(self, tag: u32, vr: &str, value: &[u8]) -> Self {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            value.push(b' ');
        }
        let mut written = self.head(tag, vr, u32::try_from(value.len()).unwrap());
        written.bytes.extend(value);
        written
    }
}

/// A CT image with a sequence of unknown length in front of what is wanted, and pixels behind it.
fn image(encoding: Encoding) -> Vec<u8> {
    let written = Writer::new(encoding)
        .put(0x0008_0005, "CS", b"GB18030")
        .put(0x0008_0016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0")
        .put(0x0008_0018, "UI", b"1.2.3.4.5\0")
        .put(0x0008_0020, "DA", b"20260302")
        .put(0x0008_0030, "TM", b"083015.250")
        .put(0x0008_0050, "SH", b"A77")
        .put(0x0008_0060, "CS", b"CT")
        .put(0x0008_1030, "LO", b"\xD0\xD8\xB2\xBFCT")
        .head(0x0008_1111, "SQ", u32::MAX)
        .head(0xFFFE_E000, "", u32::MAX)
        .put(0x0010_0020, "LO", b"WRONG")
        .head(0x0009_0010, "UN", u32::MAX);
    let within = Writer { encoding: implicit_within(encoding), bytes: written.bytes }
        .head(0xFFFE_E000, "", 4)
        .raw(b"\x00\x01\x02\x03")
        .head(0xFFFE_E0DD, "", 0);
    Writer { encoding, bytes: within.bytes }
        .head(0xFFFE_E00D, "", 0)
        .head(0xFFFE_E0DD, "", 0)
        .put(0x0010_0010, "PN", b"ZHANG^SAN=\xD5\xC5^\xC8\xFD")
        .put(0x0010_0020, "LO", b"0088123")
        .put(0x0010_0021, "LO", b"HIS")
        .put(0x0010_0030, "DA", b"19900506")
        .put(0x0010_0040, "CS", b"M")
        .put(0x0020_000D, "UI", b"1.2.3\0")
        .put(0x0020_000E, "UI", b"1.2.3.4\0")
        .put(0x7FE0_0010, "OW", &[7; 64])
        .bytes
}

/// A value of unknown representation and length is implicit, little end first, wherever it stands.
fn implicit_within(around: Encoding) -> Encoding {
    if around.explicit { IMPLICIT } else { around }
}

impl Writer {
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }
}

fn file(syntax: &str, data_set: &[u8]) -> Vec<u8> {
    let meta = Writer::new(EXPLICIT).put(0x0002_0010, "UI", syntax.as_bytes()).bytes;
    [&[0; 128][..], b"DICM", &meta, data_set].concat()
}

fn only(input: &[u8]) -> Result<Understood, Refusal> {
    let [item] = <[_; 1]>::try_from(read_input(input, &Door::any())).unwrap();
    assert_eq!((item.span, item.format), (0..input.len(), Some(Format::Dicom)));
    item.outcome
}

fn document(input: &[u8]) -> Document {
    let Ok(Understood::Documents(mut documents)) = only(input) else { panic!("no document") };
    documents.remove(0)
}

#[test]
fn an_image_is_read_in_every_encoding_with_and_without_preamble() {
    let deflate = |bytes: &[u8]| {
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, bytes).unwrap();
        out.finish().unwrap()
    };
    let inputs = [
        file("1.2.840.10008.1.2.1", &image(EXPLICIT)),
        file("1.2.840.10008.1.2", &image(IMPLICIT)),
        file("1.2.840.10008.1.2.2", &image(BIG)),
        file("1.2.840.10008.1.2.1.99", &deflate(&image(EXPLICIT))),
        // What the file says of its encoding is wrong.
        file("1.2.840.10008.1.2.1", &image(IMPLICIT)),
        image(EXPLICIT),
        image(IMPLICIT),
        image(BIG),
        file("1.2.840.10008.1.2.1", &image(EXPLICIT)).split_off(128),
    ];
    for input in inputs {
        let document = document(&input);
        let patient = &document.patient;
        let number = patient.primary().unwrap();
        assert_eq!((number.value.expose().as_str(), number.assigner.as_str()), ("0088123", "HIS"));
        assert_eq!(patient.name.as_ref().unwrap().expose(), "张三");
        assert_eq!(patient.pinyin.as_ref().unwrap().expose(), "ZHANG SAN");
        assert_eq!(document.kind.code.to_string(), "CT");
        assert_eq!(document.title.as_ref().unwrap().expose(), "胸部CT");
        assert_eq!(document.source_id.as_ref().unwrap().value.expose(), "1.2.3.4.5");
        let shown = Zone::china().show(document.date.unwrap().at);
        assert_eq!(shown, "2026-03-02T08:30:15+08:00");
    }
}

#[test]
fn an_image_is_the_same_json_in_every_encoding_without_its_pixels() {
    let expected = serde_json::json!({
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00080018": {"vr": "UI", "Value": ["1.2.3.4.5"]},
        "00080020": {"vr": "DA", "Value": ["20260302"]},
        "00080030": {"vr": "TM", "Value": ["083015.250"]},
        "00080050": {"vr": "SH", "Value": ["A77"]},
        "00080060": {"vr": "CS", "Value": ["CT"]},
        "00081030": {"vr": "LO", "Value": ["胸部CT"]},
        "00081111": {"vr": "SQ", "Value": [{"00100020": {"vr": "LO", "Value": ["WRONG"]}}]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "ZHANG^SAN", "Ideographic": "张^三"}]},
        "00100020": {"vr": "LO", "Value": ["0088123"]},
        "00100021": {"vr": "LO", "Value": ["HIS"]},
        "00100030": {"vr": "DA", "Value": ["19900506"]},
        "00100040": {"vr": "CS", "Value": ["M"]},
        "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
        "0020000E": {"vr": "UI", "Value": ["1.2.3.4"]},
    });
    for encoding in [EXPLICIT, IMPLICIT, BIG] {
        let said = json::write(&mut file("1.2.840.10008.1.2", &image(encoding)).as_slice()).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&said).unwrap(), expected, "{encoding:?}");
    }
}

#[test]
fn numbers_tags_bytes_and_empty_values_are_said_as_the_json_model_has_them() {
    let written = Writer::new(EXPLICIT)
        .put(0x0008_0000, "UL", &[9, 0, 0, 0])
        .put(0x0008_0050, "SH", b"")
        .put(0x0008_0060, "CS", b"CT\\\\MR")
        .put(0x0009_0010, "LO", b"MAKER")
        .put(0x0009_1001, "OB", &[0, 255])
        .put(0x0009_1002, "ZZ", &[1, 2])
        .put(0x0018_0050, "DS", b"2.5\\thin")
        .put(0x0018_9073, "FD", &1.5_f64.to_le_bytes())
        .put(0x0018_9074, "DT", b"20260302 ")
        .put(0x0020_4000, "LT", b"  a\\b ")
        .put(0x0028_0009, "AT", &[0x18, 0, 0x63, 0x10])
        .put(0x0028_0103, "US", &[1, 0])
        .put(0x0028_0106, "  ", &[0xFF, 0xFF])
        .put(0x0028_0106, "SS", &[1, 0])
        .put(0x0028_0030, "OW", &vec![0; crate::limits::DICOM_VALUE_BYTES_MAX + 2])
        .head(0x0040_0275, "SQ", 0);
    let said: serde_json::Value =
        serde_json::from_str(&json::write(&mut written.bytes.as_slice()).unwrap()).unwrap();
    let expected = serde_json::json!({
        "00080050": {"vr": "SH"},
        "00080060": {"vr": "CS", "Value": ["CT", null, "MR"]},
        "00090010": {"vr": "LO", "Value": ["MAKER"]},
        "00091001": {"vr": "OB", "InlineBinary": "AP8="},
        "00091002": {"vr": "UN", "InlineBinary": "AQI="},
        "00180050": {"vr": "DS", "Value": [2.5, "thin"]},
        "00189073": {"vr": "FD", "Value": [1.5]},
        "00189074": {"vr": "DT", "Value": ["20260302"]},
        "00204000": {"vr": "LT", "Value": ["  a\\b"]},
        "00280009": {"vr": "AT", "Value": ["00181063"]},
        "00280103": {"vr": "US", "Value": [1]},
        "00280106": {"vr": "SS", "Value": [-1]},
        "00400275": {"vr": "SQ"},
    });
    assert_eq!(said, expected);
}

#[test]
fn what_would_be_too_much_json_is_refused() {
    let mut written = Writer::new(EXPLICIT);
    for tag in 0..600 {
        written = written.put(0x0009_1000 + tag, "LO", &[b'"'; crate::limits::DICOM_VALUE_BYTES_MAX]);
    }
    let said = json::write(&mut file("1.2.840.10008.1.2.1", &written.bytes).as_slice());
    assert!(matches!(said, Err(Unreadable::TooLarge { .. })));
    let deep = (0..200).fold(Writer::new(EXPLICIT), |deep, _| {
        deep.head(0x0008_1111, "SQ", u32::MAX).head(0xFFFE_E000, "", u32::MAX)
    });
    assert!(matches!(json::write(&mut deep.bytes.as_slice()), Err(Unreadable::TooLarge { .. })));
}

#[test]
fn study_and_series_are_told_apart_from_what_is_nested() {
    let instance = Instance::read(&mut image(EXPLICIT).as_slice()).unwrap();
    assert_eq!((instance.study(), instance.series()), ("1.2.3".to_owned(), "1.2.3.4".to_owned()));
    assert_eq!(instance.text(instance::ACCESSION, &mut Flags::none()).unwrap(), "A77");
}

#[test]
fn what_names_no_patient_goes_to_review_with_its_reason() {
    let reason = |data_set: Writer| {
        let Ok(Understood::Review(review)) = only(&data_set.bytes) else { panic!("no review") };
        (review.reason, review.kind)
    };
    let bare = || Writer::new(EXPLICIT).put(0x0008_0060, "CS", b"US");
    assert_eq!(reason(bare()), (ReviewReason::NoPatient, "US".to_owned()));
    assert_eq!(reason(bare().put(0x0010_0010, "PN", b"LI^SI")).0, ReviewReason::NoIdentifier);
    assert_eq!(reason(bare().put(0x0010_0020, "LO", b"000000")).0, ReviewReason::OnlyPlaceholders);
    let directory = Writer::new(EXPLICIT).put(0x0002_0002, "UI", b"1.2.840.10008.1.3.10");
    let directory = directory.put(0x0004_1130, "CS", b"DISC");
    assert_eq!(reason(directory), (ReviewReason::NoPatient, "DICOMDIR".to_owned()));
}

#[test]
fn a_file_that_was_cut_or_nests_too_deeply_is_refused_and_a_blank_representation_is_not() {
    let whole = image(EXPLICIT);
    let pixels = whole.len() - 64 - 12;
    assert_eq!(only(&whole[..pixels - 3]), Err(Refusal::Dicom(Unreadable::Cut)));
    assert!(only(&whole[..pixels + 20]).is_ok(), "pixels are not read");
    let mut deep = Writer::new(EXPLICIT);
    for _ in 0..10_000 {
        deep = deep.head(0x0008_1111, "SQ", u32::MAX).head(0xFFFE_E000, "", u32::MAX);
    }
    assert!(matches!(
        only(&file("1.2.840.10008.1.2.1", &deep.bytes)),
        Err(Refusal::Dicom(Unreadable::TooLarge { .. }))
    ));
    let blank = Writer::new(EXPLICIT).put(0x0008_0060, "CS", b"CT").put(0x0008_0070, "  ", b"maker");
    let blank = blank.put(0x0010_0020, "LO", b"55555");
    assert_eq!(document(&blank.bytes).patient.primary().unwrap().value.expose(), "55555");
    let long = Writer::new(EXPLICIT).put(0x0008_0060, "CS", b"CT").head(0x0009_0010, "OB", 0xFFFF_FFF0);
    assert!(matches!(only(&long.bytes), Err(Refusal::Dicom(Unreadable::TooLarge { .. }))));
}

#[test]
fn what_is_compressed_ends_at_the_bound_however_long_it_is() {
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    let head = Writer::new(EXPLICIT).put(0x0008_0060, "CS", b"CT").head(0x0009_0010, "UN", u32::MAX);
    std::io::Write::write_all(&mut out, &head.bytes).unwrap();
    // Empty items without end.
    for _ in 0..3 {
        let items = [0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0].repeat(1 << 20);
        std::io::Write::write_all(&mut out, &items).unwrap();
    }
    let bomb = file("1.2.840.10008.1.2.1.99", &out.finish().unwrap());
    assert!(matches!(only(&bomb), Err(Refusal::Dicom(Unreadable::TooLarge { .. }))));
}

#[test]
fn names_are_read_in_the_character_sets_of_the_standard() {
    let name = |declared: &[u8], value: &[u8]| {
        let written = Writer::new(EXPLICIT).put(0x0008_0005, "CS", declared).put(0x0010_0010, "PN", value);
        let instance = Instance::read(&mut written.bytes.as_slice()).unwrap();
        let name = instance.name(0x0010_0010, &mut Flags::none());
        (name.written.unwrap_or_default(), name.pinyin.unwrap_or_default())
    };
    let both = |chinese: &str, latin: &str| (chinese.to_owned(), latin.to_owned());
    assert_eq!(name(b"ISO_IR 192", "Wang^XiaoDong=王^小东".as_bytes()), both("王小东", "Wang XiaoDong"));
    assert_eq!(name(b"GB18030", b"Wang^XiaoDong=\xCD\xF5^\xD0\xA1\xB6\xAB"), both("王小东", "Wang XiaoDong"));
    assert_eq!(name(b"\\ISO 2022 IR 58", b"Zhang=\x1B$)A\xD5\xC5"), both("张", "Zhang"));
    assert_eq!(name(b"ISO_IR 100", b"Buc^J\xE9r\xF4me"), both("Buc Jérôme", ""));
    assert_eq!(name(b"ISO_IR 144", b"\xBB\xEE\xDA^X").0, "Люк X");
    let yamada = b"Yamada^Tarou=\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B";
    assert_eq!(name(b"\\ISO 2022 IR 87", yamada), both("山田太郎", "Yamada Tarou"));
    let hong = b"Hong^Gildong=\x1B$)C\xFB\xF3^\x1B$)C\xD1\xCE\xD4\xD7";
    assert_eq!(name(b"\\ISO 2022 IR 149", hong), both("洪吉洞", "Hong Gildong"));
    // Nothing is declared, as in much of the field.
    assert_eq!(name(b"", b"\xD5\xC5^\xC8\xFD").0, "张三");
}

#[test]
fn a_second_number_is_a_resident_identity_number_only_if_it_passes() {
    let written = Writer::new(EXPLICIT).put(0x0010_0020, "LO", b"7001").put(
        0x0010_1000,
        "LO",
        b"11010519491231002X\\B22",
    );
    let document = document(&file("1.2.840.10008.1.2.1", &written.bytes));
    let kinds: Vec<IdKind> = document.patient.identifiers.iter().map(|id| id.kind).collect();
    assert_eq!(kinds, [IdKind::Local, IdKind::ResidentId, IdKind::Other]);
}

/// A part of a ZIP that is stored as it is.
fn part_of_zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    (0..2).for_each(|_| bytes.extend(u32::try_from(content.len()).unwrap().to_le_bytes()));
    bytes.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    bytes.extend([0, 0]);
    [&bytes, name.as_bytes(), content].concat()
}

#[test]
fn a_study_is_read_by_its_first_instance_and_one_that_was_cut_is_refused() {
    let instance = file("1.2.840.10008.1.2.1", &image(EXPLICIT));
    let whole = [part_of_zip("study.json", b"{}"), part_of_zip("00001.dcm", &instance)].concat();
    let read = document(&whole);
    assert_eq!(read.source_id.unwrap().value.expose(), "1.2.3", "of the study");
    assert_eq!(read.payload, Payload::Message(0..whole.len()));
    assert!(only(&whole[..whole.len() - 1]).is_err());
    let other = part_of_zip("letter.doc", b"");
    let [item] = <[_; 1]>::try_from(read_input(&other, &Door::any())).unwrap();
    assert_eq!(item.outcome, Err(Refusal::FormatUnknown));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Instance::read(&mut bytes.as_slice());
        let _ = json::write(&mut [b"DICM".as_slice(), &bytes].concat().as_slice());
    }

    #[test]
    fn a_mutated_image_never_panics(
        encoding in prop::sample::select(vec![EXPLICIT, IMPLICIT, BIG]),
        at in 0_usize..700,
        byte: u8,
        cut in 0_usize..700,
    ) {
        let mut bytes = file("1.2.840.10008.1.2.1", &image(encoding));
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        let _ = only_or_nothing(&bytes);
        if let Ok(said) = json::write(&mut bytes.as_slice()) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&said).is_ok(), "{said}");
        }
    }
}

fn only_or_nothing(bytes: &[u8]) -> usize {
    read_input(bytes, &Door::any()).len()
}
