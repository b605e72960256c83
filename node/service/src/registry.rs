//! The calls of this node to the registry: every answer is checked before it is believed.
//!
//! Not here: what searches and questions of patients answer: [`crate::answers`]; calls to other members: [`crate::members`].

use prost::Message;
use yiqiao_host::keys;
use yiqiao_host::link::{PeerId, Trouble};
use yiqiao_node_core::machine::{Checkpoint, Receipt};
use yiqiao_proto::calls::{
    Call, ConsentAnswer, ConsentRequest, EvaluateAnswer, EvaluateRequest, FeedAnswer, FeedRequest,
    HistoryAnswer, HistoryRequest, LeaseAnswer, LeaseRequest, LinksAnswer, LinksRequest, MembersAnswer,
    MembersRequest, Method, SearchReply, SearchRequest, SubmitAnswer, SubmitRequest,
};
use yiqiao_proto::codes::MemberRole;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::{Entry, Link as ChainLink, Withdrawal};
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified};
use yiqiao_proto::id::{Code, Digest, Nonce, Subject};
use yiqiao_proto::lease::Lease;
use yiqiao_proto::limits::FEED_COUNT_MAX;
use yiqiao_proto::log::Opening;
use yiqiao_proto::member::Member;
use yiqiao_proto::person::Identifier;
use yiqiao_proto::token::{Blinding, Evaluation, Token};
use yiqiao_proto::wire::calls::{PublishedLink, Submitted};

use crate::answers::{self, Consents, Events, Found};
pub(crate) use crate::members::{CallFailed, Unbelieved};
use crate::members::{Members, peer_of};
use crate::receipts;

/// A way to the registry; clones are the same.
#[derive(Clone)]
pub(crate) struct Registry {
    members: Members,
    /// This node's code.
    own: Code,
}

/// A place in the feed, and the newest term that was seen.
pub(crate) struct Place {
    pub(crate) term: u64,
    pub(crate) feed_number: u64,
    pub(crate) feed_chain: Digest,
}

impl Registry {
    pub(crate) const fn new(members: Members, own: Code) -> Self {
        Self { members, own }
    }

    /// The members in force.
    pub(crate) fn directory(&self) -> Directory {
        self.members.directory()
    }

    /// Whether it is connected, and this node a member of whom it takes something.
    pub(crate) fn is_connected(&self) -> bool {
        let directory = self.directory();
        let is_member = directory.member(&self.own).is_some_and(|own| !own.suspended);
        is_member && peer(&directory).is_some_and(|peer| self.members.link().status().is_connected(&peer))
    }

    /// What last went wrong on the way to it.
    pub(crate) fn last_trouble(&self) -> Option<Trouble> {
        let peer = peer(&self.directory())?;
        self.members.link().status().peers.get(&peer)?.last_trouble.clone()
    }

    /// Tokens of identifiers, proved to be made with the region's key (T-3).
    pub(crate) async fn evaluate(
        &self,
        epoch: u32,
        identifiers: Vec<Identifier>,
    ) -> Result<Vec<Token>, CallFailed> {
        let directory = self.directory();
        let key = directory.list().token_keys.iter().find(|key| key.epoch == epoch).copied();
        let key = key.ok_or(Unbelieved::Epoch { epoch })?;
        let blind =
            move || Blinding::new(directory.region(), &identifiers, &mut Entropy::new(keys::random()));
        let blinding = tokio::task::block_in_place(blind).map_err(Unbelieved::Token)?;
        let request = EvaluateRequest { epoch, blinded: blinding.blinded().to_vec() };
        let answer: EvaluateAnswer = self.ask(Method::Evaluate, &request).await?;
        let evaluation = Evaluation { elements: answer.evaluated, proof: answer.proof };
        let tokens = tokio::task::block_in_place(|| blinding.finish(&key, &evaluation));
        Ok(tokens.map_err(Unbelieved::Token)?)
    }

    /// Hands words in; every receipt is checked (L-7).
    pub(crate) async fn submit(
        &self,
        words: Vec<(Envelope, Option<ChainLink>)>,
    ) -> Result<(Vec<Receipt>, Checkpoint), CallFailed> {
        let submitted = |(envelope, link): &(Envelope, Option<ChainLink>)| Submitted {
            envelope: envelope.as_bytes().to_vec(),
            link: link.as_ref().map(ChainLink::write),
        };
        let request = SubmitRequest { words: words.iter().map(submitted).collect() };
        let answer: SubmitAnswer = self.ask(Method::Submit, &request).await?;
        let words: Vec<Envelope> = words.into_iter().map(|(envelope, _)| envelope).collect();
        let directory = self.directory();
        let checked = tokio::task::block_in_place(|| receipts::check(&directory, &words, &answer.receipts));
        Ok(checked.map_err(Unbelieved::Receipt)?)
    }

    /// This node's words about a subject, as the registry has them, from a number on (N-9).
    pub(crate) async fn own_words(
        &self,
        subject: Subject,
        from_number: u64,
    ) -> Result<Vec<(u64, Digest)>, CallFailed> {
        let request = LinksRequest { subject: subject.as_bytes().to_vec(), from_number };
        let answer: LinksAnswer = self.ask(Method::Links, &request).await?;
        let directory = self.directory();
        let word = |published: PublishedLink| {
            let missing = || DecodeError::Missing { field: "links_answer.links" };
            let opening = Opening::read(published.opening.ok_or_else(missing)?)?;
            let link = ChainLink::read(&published.link.ok_or_else(missing)?)?;
            let envelope = Envelope::decode(&opening.envelope)?;
            let payload = envelope.payload_hash();
            let signer = signer_of_link(&directory, envelope, Said::AtSeq(opening.seq));
            if signer.as_ref() != Some(&self.own) {
                return Err(Unbelieved::OtherWord.into());
            }
            Ok((link.number, payload))
        };
        answer.links.into_iter().map(word).collect()
    }

    /// Items of this node's feed after a number, as bytes; the machine checks that they follow (F-3).
    pub(crate) async fn feed(&self, after: u64) -> Result<Vec<Vec<u8>>, CallFailed> {
        let answer: FeedAnswer =
            self.ask(Method::Feed, &FeedRequest { after, count: FEED_COUNT_MAX }).await?;
        Ok(answer.items)
    }

    /// A lease, signed by the registry; the machine checks what it says (F-6).
    pub(crate) async fn lease(&self, nonce: &Nonce, place: &Place) -> Result<Verified<Lease>, CallFailed> {
        let request = LeaseRequest {
            nonce: nonce.as_bytes().to_vec(),
            term: place.term,
            feed_number: place.feed_number,
            feed_chain: place.feed_chain.as_bytes().to_vec(),
        };
        let answer: LeaseAnswer = self.ask(Method::Lease, &request).await?;
        let directory = self.directory();
        let lease = Verified::check(Envelope::decode(&answer.envelope)?, &directory, Said::Now);
        Ok(lease.map_err(Unbelieved::Envelope)?)
    }

    /// The member lists after a version, oldest first (M-2); who takes them checks them.
    pub(crate) async fn lists_after(&self, version: u64) -> Result<Vec<Envelope>, CallFailed> {
        let request = MembersRequest { after_version: version };
        let answer: MembersAnswer = self.ask(Method::Members, &request).await?;
        Ok(answer.envelopes.iter().map(|bytes| Envelope::decode(bytes)).collect::<Result<_, _>>()?)
    }

    /// Searches; who asked has signed the query.
    pub(crate) async fn search(&self, query: &Envelope) -> Result<Found, CallFailed> {
        let request = SearchRequest { envelope: query.as_bytes().to_vec() };
        let reply: SearchReply = self.ask(Method::Search, &request).await?;
        let directory = self.directory();
        tokio::task::block_in_place(|| answers::found(&directory, &self.own, query, &reply))
    }

    /// What is in force of a patient under one token; the patient's question is signed.
    pub(crate) async fn consent(&self, question: &Envelope) -> Result<Consents, CallFailed> {
        let request = ConsentRequest { envelope: question.as_bytes().to_vec() };
        let answer: ConsentAnswer = self.ask(Method::Consent, &request).await?;
        let directory = self.directory();
        tokio::task::block_in_place(|| answers::consents(&directory, question, answer))
    }

    /// Who saw what of a patient under one token; the patient's question is signed.
    pub(crate) async fn history(&self, question: &Envelope) -> Result<Events, CallFailed> {
        let request = HistoryRequest { envelope: question.as_bytes().to_vec() };
        let answer: HistoryAnswer = self.ask(Method::History, &request).await?;
        let directory = self.directory();
        tokio::task::block_in_place(|| answers::events(&directory, question, answer))
    }

    /// Asks the registry; the caller checks what it answers.
    pub(crate) async fn ask<A: Call>(&self, method: Method, request: &impl Message) -> Result<A, CallFailed> {
        let peer = peer(&self.directory()).ok_or(CallFailed::NoRegistry)?;
        self.members.call_peer(peer, method, request).await
    }
}

/// The registry's libp2p identity.
pub(crate) fn peer(directory: &Directory) -> Option<PeerId> {
    let is_registry = |member: &&Member| member.roles.contains(&MemberRole::Registry) && !member.suspended;
    directory.list().members.iter().find(is_registry).and_then(peer_of)
}

/// Who signed an entry or a withdrawal; nobody if it is neither, or the signature does not count.
fn signer_of_link(directory: &Directory, envelope: Envelope, said: Said) -> Option<Code> {
    if envelope.kind() == Kind::Entry {
        Verified::<Entry>::check(envelope, directory, said).ok().map(|word| word.signer().clone())
    } else {
        Verified::<Withdrawal>::check(envelope, directory, said).ok().map(|word| word.signer().clone())
    }
}
