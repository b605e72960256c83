//! What a device says, and what it is answered.

use super::*;
use dicom_ul::read_pdu;
use proptest::prelude::*;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const JPEG: &str = "1.2.840.10008.1.2.4.50";

fn asked(title: &str, caller: &str, classes: &[(&str, &[&str])]) -> AssociationRQ {
    let contexts = classes.iter().enumerate().map(|(place, (class, syntaxes))| PresentationContextProposed {
        id: 2 * u8::try_from(place).unwrap() + 1,
        abstract_syntax: (*class).to_owned(),
        transfer_syntaxes: syntaxes.iter().map(|syntax| (*syntax).to_owned()).collect(),
    });
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: caller.to_owned(),
        called_ae_title: title.to_owned(),
        application_context_name: CONTEXT.to_owned(),
        presentation_contexts: contexts.collect(),
        user_variables: vec![UserVariableItem::MaxLength(16_384)],
    }
}

fn rules() -> Rules {
    Rules { title: "YIQIAO".to_owned(), callers: BTreeSet::from(["CT1".to_owned()]) }
}

fn opened(classes: &[(&str, &[&str])]) -> (Association, AssociationAC) {
    let mut association = Association::new(rules());
    let effects = association.take(Pdu::AssociationRQ(asked("YIQIAO", "CT1", classes)));
    let [Pdu::AssociationAC(agreed)] = <[_; 1]>::try_from(said(&effects)).unwrap() else { panic!() };
    (association, agreed)
}

fn said(effects: &[Effect]) -> Vec<Pdu> {
    let bytes = effects
        .iter()
        .filter_map(|effect| if let Effect::Send(bytes) = effect { Some(bytes.as_slice()) } else { None });
    bytes.map(|bytes| read_pdu(bytes, PDU_BYTES_MAX, true).unwrap().unwrap()).collect()
}

fn part(value_type: PDataValueType, data: &[u8], is_last: bool) -> Pdu {
    Pdu::PData {
        data: vec![PDataValue { presentation_context_id: 1, value_type, is_last, data: data.to_vec() }],
    }
}

fn element(element: u16, value: &[u8]) -> Vec<u8> {
    [&[0, 0], &element.to_le_bytes()[..], &u32::try_from(value.len()).unwrap().to_le_bytes(), value].concat()
}

fn store() -> Vec<u8> {
    let ct = element(0x0002, format!("{CT}\0").as_bytes());
    let rest = [element(0x0100, &[1, 0]), element(0x0110, &[9, 0]), element(0x1000, b"1.2.3\0")];
    [ct, rest.concat()].concat()
}

fn echo() -> Vec<u8> {
    [element(0x0100, &[0x30, 0]), element(0x0110, &[9, 0])].concat()
}

#[test]
fn the_first_transfer_syntax_of_each_storage_class_is_agreed_on_and_nothing_else() {
    let find = "1.2.840.10008.5.1.4.1.2.2.1";
    let (_, agreed) = opened(&[
        (CT, &[JPEG, DEFAULT_SYNTAX]),
        (VERIFICATION, &[DEFAULT_SYNTAX]),
        (find, &[DEFAULT_SYNTAX]),
    ]);
    let results: Vec<_> = agreed
        .presentation_contexts
        .iter()
        .map(|one| (one.reason.clone() as u8, one.transfer_syntax.as_str()))
        .collect();
    assert_eq!(results, [(0, JPEG), (0, DEFAULT_SYNTAX), (3, DEFAULT_SYNTAX)]);
}

#[test]
fn who_calls_another_title_or_is_not_configured_is_turned_away() {
    for (title, caller) in [("OTHER", "CT1"), ("YIQIAO", "CT2")] {
        let mut association = Association::new(rules());
        let effects = association.take(Pdu::AssociationRQ(asked(title, caller, &[(CT, &[JPEG])])));
        assert!(matches!(said(&effects).as_slice(), [Pdu::AssociationRJ(_)]));
        assert_eq!(effects.last(), Some(&Effect::Close));
    }
}

#[test]
fn an_instance_is_answered_once_it_is_kept_and_not_before() {
    let (mut association, _) = opened(&[(CT, &[JPEG])]);
    let (front, behind) = (&store()[..20], &store()[20..]);
    assert_eq!(association.take(part(PDataValueType::Command, front, false)), []);
    let begun = association.take(part(PDataValueType::Command, behind, true));
    let [Effect::Begin(arriving)] = begun.as_slice() else { panic!("{begun:?}") };
    assert_eq!((arriving.transfer_syntax.as_str(), arriving.sop_instance.as_str()), (JPEG, "1.2.3"));
    assert_eq!(association.take(part(PDataValueType::Data, b"ab", false)), [Effect::Bytes(b"ab".to_vec())]);
    assert!(!association.is_idle());
    let ended = association.take(part(PDataValueType::Data, b"c", true));
    assert_eq!(ended, [Effect::Bytes(b"c".to_vec()), Effect::End]);
    let answered = said(&association.stored(Status::Success));
    let [Pdu::PData { data }] = answered.as_slice() else { panic!() };
    let request = Request::Store { message: 9, sop_class: CT.to_owned(), sop_instance: "1.2.3".to_owned() };
    assert_eq!(data[0].data, request.response(Status::Success));
    assert!(association.is_idle());
    let released = association.take(Pdu::ReleaseRQ);
    assert!(matches!(said(&released).as_slice(), [Pdu::ReleaseRP]));
}

#[test]
fn an_echo_is_answered_and_what_nobody_serves_is_said_to_be() {
    let (mut association, _) = opened(&[(VERIFICATION, &[DEFAULT_SYNTAX])]);
    assert_eq!(said(&association.take(part(PDataValueType::Command, &echo(), true))).len(), 1);
    let get = [element(0x0100, &[0x10, 0]), element(0x0110, &[9, 0]), element(0x0800, &[1, 1])].concat();
    let answered = said(&association.take(part(PDataValueType::Command, &get, true)));
    let [Pdu::PData { data }] = answered.as_slice() else { panic!() };
    assert!(data[0].data.windows(2).any(|pair| pair == [0x11, 0x02]));
}

#[test]
fn what_does_not_belong_there_ends_the_association() {
    let wrong = [
        part(PDataValueType::Data, b"x", true),
        part(PDataValueType::Command, b"not a command", true),
        part(PDataValueType::Command, &store(), true),
        part(PDataValueType::Command, &[0; COMMAND_BYTES_MAX + 1], false),
        Pdu::ReleaseRP,
    ];
    for pdu in wrong {
        let (mut association, _) = opened(&[(VERIFICATION, &[DEFAULT_SYNTAX])]);
        let effects = association.take(pdu);
        assert!(matches!(said(&effects).as_slice(), [Pdu::AbortRQ { .. }]), "{effects:?}");
        assert_eq!(effects.last(), Some(&Effect::Close));
    }
    let mut fresh = Association::new(rules());
    assert_eq!(fresh.take(part(PDataValueType::Data, b"x", true)).last(), Some(&Effect::Close));
}

proptest! {
    #[test]
    fn whatever_comes_is_taken_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        kind in 1_u8..8,
    ) {
        let framed = [&[kind, 0], &u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat();
        if let Ok(Some(pdu)) = read_pdu(framed.as_slice(), PDU_BYTES_MAX, true) {
            let mut association = Association::new(Rules { callers: BTreeSet::new(), ..rules() });
            association.take(pdu);
        }
    }

    #[test]
    fn a_mutated_request_is_taken_without_panic(at in 0_usize..260, byte: u8) {
        let mut bytes = Vec::new();
        dicom_ul::write_pdu(&mut bytes, &Pdu::AssociationRQ(asked("YIQIAO", "CT1", &[(CT, &[JPEG])]))).unwrap();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        if let Ok(Some(pdu)) = read_pdu(bytes.as_slice(), PDU_BYTES_MAX, true) {
            Association::new(rules()).take(pdu);
        }
    }
}
