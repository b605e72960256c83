//! What identifies anybody, looked for in every byte that travels: names and numbers as they are written, and as an encoding would
//! write them.
//!
//! Not here: what is shorter than [`FRONT`] bytes in an encoding, as two Chinese characters are in GB18030; and what is counted in,
//! as a digit for a letter would be.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use encoding_rs::GB18030;

use crate::limits::WATCHED_MAX;
use crate::load::Resident;

/// Bytes at the front of a needle by which it is found: no Chinese name of two characters is shorter in UTF-8.
const FRONT: usize = 6;
/// Bytes by which most of the other places are passed over.
const BEGIN: usize = 3;

/// Names and numbers of everybody.
pub(super) struct Names {
    by_front: BTreeMap<[u8; FRONT], Vec<Vec<u8>>>,
    /// One bit for each two bytes with which some needle begins: little enough to stay near the processor, and enough to pass over most
    /// places.
    pairs: Vec<u64>,
    /// One bit for each beginning that some needle has.
    begins: Vec<u64>,
}

impl Names {
    /// Of everybody as it is written; of the first in every writing.
    pub(super) fn of(residents: &[Resident]) -> Self {
        let bits = |bytes: usize| vec![0; 1 << (8 * bytes - 6)];
        let mut names = Self { by_front: BTreeMap::new(), pairs: bits(2), begins: bits(BEGIN) };
        for (at, resident) in residents.iter().enumerate() {
            let number = resident.identifier.value().expose();
            let own = [&resident.name, &resident.phone, &resident.health_card, number];
            for text in own.into_iter().chain(&resident.numbers) {
                names.add(text.as_bytes());
                if at < WATCHED_MAX {
                    writings(text).iter().for_each(|bytes| names.add(bytes));
                }
            }
        }
        names
    }

    fn add(&mut self, name: &[u8]) {
        let Some(front) = name.first_chunk::<FRONT>() else { return };
        let same = self.by_front.entry(*front).or_default();
        if !same.iter().any(|known| known == name) {
            same.push(name.to_vec());
        }
        let [one, two, three, ..] = *front;
        for (bits, number) in
            [(&mut self.pairs, number(&[one, two])), (&mut self.begins, number(&[one, two, three]))]
        {
            if let Some(word) = bits.get_mut(number / 64) {
                *word |= 1 << (number % 64);
            }
        }
    }

    pub(super) fn are_in(&self, bytes: &[u8]) -> bool {
        let mut pairs = bytes.windows(2).enumerate().filter(|(_, pair)| is_set(&self.pairs, number(pair)));
        pairs.any(|(at, _)| bytes.get(at..).is_some_and(|rest| self.begins_with_one(rest)))
    }

    fn begins_with_one(&self, rest: &[u8]) -> bool {
        let begins = rest.first_chunk::<BEGIN>().is_some_and(|begin| is_set(&self.begins, number(begin)));
        let known = rest.first_chunk::<FRONT>().filter(|_| begins).and_then(|front| self.by_front.get(front));
        known.is_some_and(|names| names.iter().any(|name| rest.starts_with(name)))
    }

    pub(super) fn first(&self) -> Vec<u8> {
        self.by_front.values().flatten().next().cloned().unwrap_or_default()
    }
}

/// Some bytes as the number of a bit.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn is_set(bits: &[u64], number: usize) -> bool {
    bits.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
}

/// How a text would stand in GB18030 and UTF-16, and each of them in hexadecimal and base64.
fn writings(text: &str) -> BTreeSet<Vec<u8>> {
    let utf_16 = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let (gb, _, _) = GB18030.encode(text);
    let plain =
        [text.as_bytes().to_vec(), gb.into_owned(), utf_16(u16::to_be_bytes), utf_16(u16::to_le_bytes)];
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut all: BTreeSet<Vec<u8>> = plain.iter().cloned().collect();
    for bytes in &plain {
        all.insert(hex(bytes).into_bytes());
        all.insert(hex(bytes).to_ascii_uppercase().into_bytes());
        for before in 0..3 {
            all.extend(
                [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD]
                    .map(|engine| inner(&engine.encode(shifted(bytes, before)), bytes, before)),
            );
        }
    }
    all.retain(|bytes| bytes.len() >= FRONT);
    all
}

/// The bytes where so many others stand before them.
fn shifted(bytes: &[u8], before: usize) -> Vec<u8> {
    [vec![0; before], bytes.to_vec()].concat()
}

/// The letters of a base64 text that depend on nothing but these bytes.
fn inner(text: &str, bytes: &[u8], before: usize) -> Vec<u8> {
    let (from, to) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
    text.as_bytes().get(from..to).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use yiqiao_proto::person::Identifier;

    use super::*;

    fn names() -> Names {
        let identifier = Identifier::resident_id("99999919850101123X");
        Names::of(&[Resident {
            identifier: identifier.expect("its check digit fits"),
            name: "王小明".to_owned(),
            health_card: "9990001112223334".to_owned(),
            phone: "11100002222".to_owned(),
            numbers: vec!["B20000017".to_owned()],
            is_female: false,
            is_child: false,
            is_mistaken: false,
            place: (0, 0),
            birth: (1985, 1, 1),
            known_at: Vec::new(),
            near: Vec::new(),
        }])
    }

    #[test]
    fn a_name_or_number_is_seen_in_every_writing_wherever_it_stands() {
        let names = names();
        for text in ["王小明", "9990001112223334", "11100002222", "B20000017", "99999919850101123X"] {
            let (gb, _, _) = GB18030.encode(text);
            for bytes in [text.as_bytes(), &gb] {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
                assert!(names.are_in(&[b"before", bytes, b"after"].concat()), "{text}");
                assert!(names.are_in(format!("{{\"{hex}\"}}").as_bytes()), "{text}");
                for before in ["", "-", "--", "---"] {
                    let text = STANDARD_NO_PAD.encode([before.as_bytes(), bytes, b"after"].concat());
                    assert!(names.are_in(text.as_bytes()), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_names_nobody_is_not_seen() {
        let names = names();
        let noise: Vec<u8> =
            (0..1_000_u32).flat_map(|n| yiqiao_proto::hash::blake3(&[&n.to_be_bytes()])).collect();
        assert!(!names.are_in(&noise));
        assert!(!names.are_in("李小明 999000111222333 1110000222".as_bytes()));
    }
}
