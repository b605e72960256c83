//! The sealed files of a node, in memory. A file is durable before the journal speaks of it; one that is coming in from
//! another holder grows chunk by chunk, and a crash may take chunks or the beginning of it. What a crash left without a word
//! in the journal is swept away at the next start.

use std::collections::BTreeMap;

use yiqiao_node_core::at_rest::AtRest;
use yiqiao_node_core::fetch::{Chunks, Stretch, missing};
use yiqiao_node_core::intake::Sealed;
use yiqiao_proto::id::DocumentId;
use yiqiao_proto::sealed::{DocumentKey, Header, Map, Sealer};
use yiqiao_simnet::chance::Chance;

use crate::randomness::Fountain;

pub(super) struct Vault {
    at_rest: AtRest,
    whole: BTreeMap<DocumentId, File>,
    coming: BTreeMap<DocumentId, File>,
}

/// A sealed file, or what is here of it.
struct File {
    map: Map,
    chunks: BTreeMap<u64, Vec<u8>>,
    /// So many of them were here when the process was last gone.
    survived: usize,
}

/// What came is not the document's.
#[derive(Debug)]
pub(super) struct OtherBytes;

impl Vault {
    pub(super) const fn new(at_rest: AtRest) -> Self {
        Self { at_rest, whole: BTreeMap::new(), coming: BTreeMap::new() }
    }

    /// Seals a document under a new key; a planted fault then writes another one down.
    pub(super) fn seal(&mut self, plain: &[u8], fountain: &mut Fountain, is_planted: bool) -> Sealed {
        let key: DocumentKey = fountain.bytes().into();
        let header = Header::new(&key, plain.len() as u64, &mut fountain.entropy());
        let header = header.expect("documents of the feeds are short");
        let mut sealer = Sealer::new(header.clone(), &key);
        let (mut chunks, mut rest) = (BTreeMap::new(), plain);
        for number in 0..header.chunks() {
            let (chunk, more) = rest.split_at(header.plain_bytes(number).min(rest.len()));
            let mut chunk = chunk.to_vec();
            sealer.seal(&mut chunk);
            chunks.insert(number, chunk);
            rest = more;
        }
        let (header, hashes, document) = sealer.finish();
        let map = Map::new(document, &header.to_bytes(), hashes).expect("the file was sealed just now");
        self.whole.insert(document, File { map, chunks, survived: 0 });
        let key = if is_planted { fountain.bytes().into() } else { key };
        let wrapped_key = self.at_rest.seal(document.as_bytes(), key.as_slice(), &mut fountain.entropy());
        Sealed { document, size: plain.len() as u64, wrapped_key }
    }

    pub(super) fn remove(&mut self, document: &DocumentId) {
        self.whole.remove(document);
        self.coming.remove(document);
    }

    /// Keeps what is in use, whole or coming.
    pub(super) fn sweep(&mut self, is_used: impl Fn(&DocumentId) -> bool) {
        self.whole.retain(|file, _| is_used(file));
        self.coming.retain(|file, _| is_used(file));
    }

    pub(super) fn has(&self, document: &DocumentId) -> bool {
        self.whole.contains_key(document)
    }

    /// Header and chunk hashes of a file that is whole.
    pub(super) fn map(&self, document: &DocumentId) -> Option<&Map> {
        self.whole.get(document).map(|file| &file.map)
    }

    /// Sealed chunks as they lie.
    pub(super) fn sealed(&self, document: &DocumentId, first_chunk: u64, chunks: u32) -> Option<Vec<u8>> {
        let file = self.whole.get(document)?;
        let numbers = first_chunk..first_chunk.saturating_add(chunks.into());
        Some(file.chunks.range(numbers).flat_map(|(_, chunk)| chunk).copied().collect())
    }

    /// Keeps the map of a document that is let go: with it the copy begins.
    pub(super) fn begin_copy(&mut self, document: DocumentId, map: Map) {
        self.coming.entry(document).or_insert_with(|| File { map, chunks: BTreeMap::new(), survived: 0 });
    }

    /// What of a document that is coming is not here; none if it is not coming.
    pub(super) fn missing(&self, document: &DocumentId) -> Option<Vec<Stretch>> {
        let file = self.coming.get(document)?;
        let is_here = |number| Ok::<_, OtherBytes>(file.chunks.contains_key(&number));
        missing(file.map.header(), is_here).ok()
    }

    /// How many chunks of a document that is coming are here from before the process was last gone.
    pub(super) fn survived(&self, document: &DocumentId) -> usize {
        self.coming.get(document).map_or(0, |file| file.survived)
    }

    /// Takes a stretch, each chunk verified (Z-5).
    pub(super) fn take(
        &mut self,
        document: &DocumentId,
        stretch: Stretch,
        bytes: &[u8],
    ) -> Result<(), OtherBytes> {
        let file = self.coming.get_mut(document).ok_or(OtherBytes)?;
        let chunks = Chunks::new(stretch, file.map.header(), bytes.len() as u64);
        let mut chunks = chunks.ok_or(OtherBytes)?;
        chunks.push(bytes);
        while let Some((number, chunk)) = chunks.cut() {
            file.map.verify(number, &chunk).map_err(|_| OtherBytes)?;
            file.chunks.insert(number, chunk);
        }
        Ok(())
    }

    /// A document is whole.
    pub(super) fn finish(&mut self, document: &DocumentId) {
        if let Some(file) = self.coming.remove(document) {
            self.whole.insert(*document, file);
        }
    }

    /// The power goes: of what is coming a part is lost.
    pub(super) fn crash(&mut self, chance: &mut Chance) {
        self.coming.retain(|_, file| {
            file.chunks.retain(|_, _| chance.percent(70));
            file.survived = file.chunks.len();
            chance.percent(80)
        });
    }
}
