//! What identifies anybody, looked for in every byte that goes to the registry.

use std::collections::BTreeMap;

use crate::load::Resident;

/// Bytes at the front of a needle by which it is found: no Chinese name of two characters is shorter in UTF-8.
const FRONT: usize = 6;

/// Names and numbers of everybody.
pub(super) struct Names {
    by_front: BTreeMap<[u8; FRONT], Vec<Vec<u8>>>,
    /// Whether some name begins with a byte: most places are passed over by it alone.
    begins: [bool; 256],
}

impl Names {
    pub(super) fn of(residents: &[Resident]) -> Self {
        let mut names = Self { by_front: BTreeMap::new(), begins: [false; 256] };
        for resident in residents {
            let texts = [&resident.name, &resident.health_card, resident.identifier.value().expose()];
            texts.iter().for_each(|text| names.add(text.as_bytes()));
        }
        names
    }

    fn add(&mut self, name: &[u8]) {
        let (Some(front), Some(first)) = (name.first_chunk::<FRONT>(), name.first()) else { return };
        self.by_front.entry(*front).or_default().push(name.to_vec());
        if let Some(begins) = self.begins.get_mut(usize::from(*first)) {
            *begins = true;
        }
    }

    pub(super) fn are_in(&self, bytes: &[u8]) -> bool {
        let begins = |byte: &u8| self.begins.get(usize::from(*byte)).is_some_and(|begins| *begins);
        let mut places = bytes.iter().enumerate().filter(|(_, byte)| begins(byte));
        places.any(|(at, _)| {
            let rest = bytes.get(at..).unwrap_or_default();
            let known = rest.first_chunk::<FRONT>().and_then(|front| self.by_front.get(front));
            known.is_some_and(|names| names.iter().any(|name| rest.starts_with(name)))
        })
    }

    pub(super) fn first(&self) -> Vec<u8> {
        self.by_front.values().flatten().next().cloned().unwrap_or_default()
    }
}
