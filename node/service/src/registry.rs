//! What this node asks the registry beside the machine's own calls: searches, patients' questions, member lists.
//!
//! Not here: what the answers must prove: [`yiqiao_node_core::answers`]; the machine's calls: [`crate::effects`].

use bytes::Bytes;
use tokio::task::block_in_place;
use yiqiao_host::link::Trouble;
use yiqiao_node_core::answers::{self, Account, Consents, Events, Found, LeftOut, Logged};
use yiqiao_node_core::call::To;
use yiqiao_proto::access::{AuditAnchor, Person};
use yiqiao_proto::calls::{EvidenceAnswer, Method};
use yiqiao_proto::codes::Agreement;
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest, Subject};

use crate::members::{self, CallFailed, Members, peers_of};

/// A way to the registry; clones are the same.
#[derive(Clone)]
pub(crate) struct Registry {
    members: Members,
    /// This node's code.
    own: Code,
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
        is_member && members::registry(&directory).is_some_and(|registry| self.members.is_connected(registry))
    }

    /// What last went wrong on the way to it.
    pub(crate) fn last_trouble(&self) -> Option<Trouble> {
        let status = self.members.link().status();
        let directory = self.directory();
        let peers = members::registry(&directory).into_iter().flat_map(peers_of);
        let troubles = peers.filter_map(|peer| status.peers.get(&peer)?.last_trouble.clone());
        troubles.max_by_key(|trouble| trouble.at)
    }

    /// The member lists after a version, oldest first (M-2); who takes them checks them.
    pub(crate) async fn lists_after(&self, version: u64) -> Result<Vec<Envelope>, CallFailed> {
        let answer = self.ask(Method::Members, answers::lists_after(version)).await?;
        Ok(answers::lists(&answer)?)
    }

    /// Searches; who asked has signed the query.
    pub(crate) async fn search(&self, query: &Envelope) -> Result<Found, CallFailed> {
        let answer = self.ask(Method::Search, answers::search(query)).await?;
        let directory = self.directory();
        let (found, left_out) = block_in_place(|| answers::found(&directory, &self.own, query, &answer))?;
        note(&left_out);
        Ok(found)
    }

    /// What is in force of a patient under one token; the patient's question is signed.
    pub(crate) async fn consent(&self, question: &Envelope) -> Result<Consents, CallFailed> {
        let answer = self.ask(Method::Consent, answers::consent(question)).await?;
        let directory = self.directory();
        let (consents, left_out) = block_in_place(|| answers::consents(&directory, question, &answer))?;
        note(&left_out);
        Ok(consents)
    }

    /// Who saw what of a patient under one token; the patient's question is signed.
    pub(crate) async fn history(&self, question: &Envelope) -> Result<Events, CallFailed> {
        let answer = self.ask(Method::History, answers::history(question)).await?;
        let directory = self.directory();
        let (events, left_out) = block_in_place(|| answers::events(&directory, question, &answer))?;
        note(&left_out);
        Ok(events)
    }

    /// This node's own anchors of its audit, but for so many that it has.
    pub(crate) async fn anchors_after(
        &self,
        count: u64,
    ) -> Result<Vec<Option<Logged<AuditAnchor>>>, CallFailed> {
        let answer = self.ask(Method::Anchors, answers::anchors_after(count)).await?;
        Ok(answers::anchors(&self.directory(), &self.own, &answer)?)
    }

    /// What the log has of a release of this node, or to it (V-1); whoever gets the file checks it.
    pub(crate) async fn evidence(
        &self,
        release: &Digest,
        emergency: &[Digest],
    ) -> Result<EvidenceAnswer, CallFailed> {
        let answer = self.ask(Method::Evidence, answers::evidence(release, emergency)).await?;
        Ok(answers::logged(&answer)?)
    }

    /// What is held of a patient under one token, by publisher; the patient's question is signed (L-15).
    pub(crate) async fn holdings(&self, question: &Envelope) -> Result<Vec<Account>, CallFailed> {
        let answer = self.ask(Method::Holdings, answers::holdings(question)).await?;
        let directory = self.directory();
        Ok(block_in_place(|| answers::accounts(&directory, &self.own, &answer))?)
    }

    /// What is held of subjects of this node, ascending (L-15).
    pub(crate) async fn inventory(&self, subjects: &[Subject]) -> Result<Account, CallFailed> {
        let answer = self.ask(Method::Inventory, answers::inventory(subjects)).await?;
        Ok(answers::own_account(&self.directory(), &self.own, subjects, &answer)?)
    }

    /// How an account stands to the receipts of its publisher, which is shown it (L-16).
    pub(crate) async fn check(&self, account: &Account) -> Result<Agreement, CallFailed> {
        let publisher = To::Member(account.inventory.word().publisher.clone());
        let answer = self.members.ask(&publisher, Method::Check, answers::check(account)).await?;
        Ok(answers::checked(&answer)?)
    }

    /// Who of a member's people did what events of a patient say; the patient's question is signed.
    pub(crate) async fn persons(
        &self,
        member: &Code,
        question: &Envelope,
        lines: &[Digest],
    ) -> Result<Vec<Person>, CallFailed> {
        let to = To::Member(member.clone());
        let answer = self.members.ask(&to, Method::Persons, answers::persons(question, lines)).await?;
        Ok(answers::told_persons(lines, &answer)?)
    }

    async fn ask(&self, method: Method, request: Vec<u8>) -> Result<Bytes, CallFailed> {
        self.members.ask(&To::Registry, method, request).await
    }
}

fn note(left_out: &[LeftOut]) {
    for LeftOut { seq, why } in left_out {
        tracing::warn!(seq, %why, "a word in an answer of the registry does not count");
    }
}
