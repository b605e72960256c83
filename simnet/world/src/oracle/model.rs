//! What follows from the words of the log, as the oracle reads them: who said what of whom, and what is in force when.
//!
//! What is in force comes from [`yiqiao_consent`], which has a reference model of its own; the rest is written anew here, more
//! slowly and more plainly than in the registry.

use std::collections::{BTreeMap, BTreeSet};

use yiqiao_consent::scope::is_same_scope;
use yiqiao_consent::{Document, InForce, Patient, Record, Request, Witness, decide};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{CredentialState, Stance};
use yiqiao_proto::directive::{Act, Directive, Revocation};
use yiqiao_proto::entry::{Entry, IdentityStatement, Link, Withdrawal};
use yiqiao_proto::envelope::{Envelope, Kind, Word as _};
use yiqiao_proto::id::{Code, DirectiveId, EntryId, KeyId, Subject};
use yiqiao_proto::log::Opening;
use yiqiao_proto::member::Policy;
use yiqiao_proto::proof::{CredentialStatement, Proof};
use yiqiao_proto::release::Asker;
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;
use yiqiao_registry_core::state::Kept;

/// A word of the log.
pub(super) struct Word {
    pub(super) opening: Opening,
    pub(super) envelope: Envelope,
    pub(super) signer: Code,
    link: Option<Link>,
}

/// What follows from all words so far.
#[derive(Default)]
pub(super) struct Model {
    /// What was in force from which true time on.
    consents: BTreeMap<Token, Vec<(Timestamp, Record)>>,
    /// Every permit that a member ever said.
    permits: BTreeMap<Token, Vec<InForce>>,
    spent: BTreeSet<(Token, DirectiveId)>,
    /// Who said which act under which token.
    said: BTreeSet<(DirectiveId, Code, Token)>,
    /// What was taken back along with a permit under another token (C-10).
    along: BTreeSet<(Token, DirectiveId)>,
    /// Who took which directive back, under which token, and when.
    taken_back: BTreeMap<(Code, Token, DirectiveId), Timestamp>,
    statements: BTreeMap<(Code, Subject), Vec<Token>>,
    /// Who was ever stated to have a token.
    stated: BTreeMap<Token, BTreeSet<(Code, Subject)>>,
    /// Every token that was ever stated of a subject.
    ever_stated: BTreeMap<(Code, Subject), BTreeSet<Token>>,
    entries: BTreeMap<(Code, EntryId), Standing>,
    of_subject: BTreeMap<(Code, Subject), BTreeSet<EntryId>>,
    /// Places of access events, by patient and by who said them.
    events: BTreeMap<Token, Vec<u64>>,
    by_sayer: BTreeMap<Code, Vec<u64>>,
    /// By which key the directive at a place was signed.
    signed: BTreeMap<u64, KeyId>,
    /// What vouchers stated of passkeys, by credential id in the order of the log.
    credentials: BTreeMap<Vec<u8>, Vec<Stated>>,
    /// By which passkey the directive at a place was signed, and when it was accepted.
    by_passkey: BTreeMap<u64, (Vec<u8>, Timestamp)>,
    /// Places of what members say of their audits.
    anchors: BTreeMap<Code, Vec<u64>>,
    /// Keys that were in other hands: since which place of the log, and since when the registry knows it.
    compromised: BTreeMap<KeyId, (u64, Timestamp)>,
}

/// What a voucher states of a passkey.
struct Stated {
    seq: u64,
    key: KeyId,
    statement: CredentialStatement,
}

/// An entry as it stands.
pub(super) struct Standing {
    pub(super) entry: Entry,
    document: Document,
    replaced: bool,
    /// Since when it is withdrawn.
    pub(super) withdrawn: Option<Timestamp>,
    ever_withdrawn: bool,
    times: u64,
    /// Where it stands, and by which key it was signed.
    seq: u64,
    key: KeyId,
}

impl Word {
    pub(super) fn of(kept: &Kept) -> Option<Self> {
        let opening = Opening::read(kept.opening.clone()?).ok()?;
        let envelope = Envelope::decode(&opening.envelope).ok()?;
        let link = kept.link.as_ref().map(Link::read).transpose().ok()?;
        Some(Self { opening, envelope, signer: Code::new(kept.signer.as_str()).ok()?, link })
    }
}

impl Model {
    /// One more word.
    pub(super) fn accept(&mut self, now: Timestamp, word: &Word) -> Option<()> {
        let payload = word.envelope.payload();
        let kind = word.envelope.kind();
        if kind == Kind::Entry {
            self.publish(Entry::decode(payload).ok()?, word);
        } else if kind == Kind::Withdrawal {
            let withdrawal = Withdrawal::decode(payload).ok()?;
            let standing = self.entries.get_mut(&(withdrawal.publisher, withdrawal.entry_id))?;
            (standing.withdrawn, standing.ever_withdrawn) = (Some(now), true);
        } else if kind == Kind::IdentityStatement {
            let statement = IdentityStatement::decode(payload).ok()?;
            let name = (statement.publisher, statement.subject);
            for token in &statement.tokens {
                self.stated.entry(*token).or_default().insert(name.clone());
            }
            self.ever_stated.entry(name.clone()).or_default().extend(&statement.tokens);
            self.statements.insert(name, statement.tokens);
        } else if kind == Kind::Directive {
            let act = Act::<Directive>::decode(payload).ok()?;
            self.said.insert((act.said.id, word.signer.clone(), act.said.patient));
            self.signed.insert(word.opening.seq, word.envelope.key_id());
            if let Proof::Passkey(assertion) = &act.proof {
                let signed = (assertion.credential_id.clone(), word.opening.accepted_at);
                self.by_passkey.insert(word.opening.seq, signed);
            }
            self.direct(now, act, &word.opening);
        } else if kind == Kind::Revocation {
            let act = Act::<Revocation>::decode(payload).ok()?;
            let name = (word.signer.clone(), act.said.patient, act.said.directive);
            self.taken_back.entry(name).or_insert(now);
            self.revoke(now, &act, &word.opening);
        } else if kind == Kind::CredentialStatement {
            let statement = CredentialStatement::decode(payload).ok()?;
            let (seq, key) = (word.opening.seq, word.envelope.key_id());
            let of = self.credentials.entry(statement.credential_id.clone()).or_default();
            of.push(Stated { seq, key, statement });
        } else if kind == Kind::AuditAnchor {
            self.anchors.entry(word.signer.clone()).or_default().push(word.opening.seq);
        } else if kind == Kind::AccessEvent {
            let (event, seq) = (AccessEvent::decode(payload).ok()?, word.opening.seq);
            self.events.entry(event.patient).or_default().push(seq);
            self.by_sayer.entry(event.organisation).or_default().push(seq);
        }
        Some(())
    }

    fn publish(&mut self, entry: Entry, word: &Word) {
        let mut replaced = BTreeSet::new();
        if let Some(id) = word.link.as_ref().and_then(|link| link.replaces)
            && let Some(earlier) = self.entries.get_mut(&(entry.publisher.clone(), id))
        {
            earlier.replaced = true;
            replaced.extend(earlier.document.replaced.iter().copied().chain([id]));
        }
        let document = Document {
            entry_id: entry.entry_id,
            replaced,
            class: entry.class,
            sensitivity: entry.sensitivity,
            service_start: entry.service_start,
            service_end: entry.service_end,
        };
        let of_subject = self.of_subject.entry((entry.publisher.clone(), entry.subject)).or_default();
        of_subject.insert(entry.entry_id);
        let name = (entry.publisher.clone(), entry.entry_id);
        let (times, ever) =
            self.entries.get(&name).map_or((0, false), |known| (known.times, known.ever_withdrawn));
        let standing = Standing {
            entry,
            document,
            replaced: false,
            withdrawn: None,
            ever_withdrawn: ever,
            times: times + 1,
            seq: word.opening.seq,
            key: word.envelope.key_id(),
        };
        self.entries.insert(name, standing);
    }

    fn direct(&mut self, now: Timestamp, act: Act<Directive>, opening: &Opening) {
        let token = act.said.patient;
        self.spent.insert((token, act.said.id));
        let mut record = self.current(&token);
        let in_force = InForce {
            witness: Witness::of(&act.proof),
            directive: act.said,
            version: record.version() + 1,
            seq: opening.seq,
            commitment: opening.commitment(),
            accepted_at: opening.accepted_at,
        };
        if in_force.directive.stance == Stance::Permit {
            self.permits.entry(token).or_default().push(in_force.clone());
        }
        record.accept_directive(in_force, opening.accepted_at);
        self.consents.entry(token).or_default().push((now, record));
    }

    fn revoke(&mut self, now: Timestamp, act: &Act<Revocation>, opening: &Opening) {
        let (token, id) = (act.said.patient, act.said.directive);
        if self.along.remove(&(token, id)) {
            return;
        }
        self.revoke_along(now, &act.said, opening.accepted_at);
        let mut record = self.current(&token);
        if self.spent.insert((token, id)) {
            record.accept_ahead(id, &Witness::of(&act.proof), opening.accepted_at);
        } else {
            record.accept_revocation(id, opening.accepted_at);
        }
        self.consents.entry(token).or_default().push((now, record));
    }

    /// Under the other tokens of the patient, the permits that let the same happen.
    fn revoke_along(&mut self, now: Timestamp, said: &Revocation, at: Timestamp) {
        let permits = |record: &Record| -> Vec<Directive> {
            let directives = record.in_force().iter().map(|act| act.directive.clone());
            directives.filter(|directive| directive.stance == Stance::Permit).collect()
        };
        let known = permits(&self.current(&said.patient));
        let Some(permit) = known.iter().find(|permit| permit.id == said.directive) else { return };
        for token in self.others(said) {
            let mut record = self.current(&token);
            let gone: Vec<_> =
                permits(&record).into_iter().filter(|other| is_same_scope(other, permit)).collect();
            for other in &gone {
                record.accept_revocation(other.id, at);
                self.along.insert((token, other.id));
            }
            if !gone.is_empty() {
                self.consents.entry(token).or_default().push((now, record));
            }
        }
    }

    /// Tokens of subjects that have this one, and those under which one member said the same act.
    fn others(&self, said: &Revocation) -> BTreeSet<Token> {
        let mut tokens = BTreeSet::new();
        for stated in self.statements.values().filter(|tokens| tokens.contains(&said.patient)) {
            tokens.extend(stated.iter().copied());
        }
        for (id, signer, token) in &self.said {
            let is_twin = *id == said.directive && self.said.contains(&(*id, signer.clone(), said.patient));
            tokens.extend(is_twin.then_some(*token));
        }
        tokens.remove(&said.patient);
        tokens
    }

    fn current(&self, token: &Token) -> Record {
        let last = self.consents.get(token).and_then(|history| history.last());
        last.map(|(_, record)| record.clone()).unwrap_or_default()
    }

    /// The version of a patient's head (C-10).
    pub(super) fn version(&self, token: &Token) -> u64 {
        let last = self.consents.get(token).and_then(|history| history.last());
        last.map_or(0, |(_, record)| record.version())
    }

    /// An entry as it stands now.
    pub(super) fn entry(&self, publisher: &Code, id: &EntryId) -> Option<&Standing> {
        self.entries.get(&(publisher.clone(), *id))
    }

    /// How often an entry was published.
    pub(super) fn times(&self, publisher: &Code, id: &EntryId) -> u64 {
        self.entry(publisher, id).map_or(0, |standing| standing.times)
    }

    pub(super) fn was_withdrawn(&self, publisher: &Code, id: &EntryId) -> bool {
        self.entry(publisher, id).is_some_and(|standing| standing.ever_withdrawn)
    }

    /// Where the access events of a patient stand, ascending.
    pub(super) fn events_of(&self, patient: &Token) -> &[u64] {
        self.events.get(patient).map(Vec::as_slice).unwrap_or_default()
    }

    /// Where a member says what its audit is.
    pub(super) fn anchors_of(&self, member: &Code) -> &[u64] {
        self.anchors.get(member).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a passkey spoke for a patient at a place of the log, as it is known at a time: by what each voucher had stated of it last.
    pub(super) fn speaks(&self, credential: &[u8], patient: &Token, (seq, at): (u64, Timestamp)) -> bool {
        let accepted_at = self.by_passkey.get(&seq).map_or(at, |(_, accepted_at)| *accepted_at);
        let mut newest: BTreeMap<&Code, &CredentialStatement> = BTreeMap::new();
        let stated = self.credentials.get(credential).into_iter().flatten();
        let counts = |stated: &&Stated| stated.seq < seq && !self.is_void(&stated.key, stated.seq, at);
        for Stated { statement, .. } in stated.filter(counts) {
            newest.insert(&statement.voucher, statement);
        }
        newest.values().any(|statement| {
            statement.state == CredentialState::Valid
                && statement.tokens.contains(patient)
                && statement.until.is_none_or(|until| accepted_at < until)
        })
    }

    /// Where those stand that a member said.
    pub(super) fn said_by(&self, member: &Code) -> &[u64] {
        self.by_sayer.get(member).map(Vec::as_slice).unwrap_or_default()
    }

    /// The registry takes a list by which a key has been in other hands since a place.
    pub(super) fn compromises(&mut self, now: Timestamp, key: KeyId, since: u64) {
        self.compromised.entry(key).or_insert((since, now));
    }

    /// Which keys are compromised, for another account of the same log.
    pub(super) fn forget(&mut self) {
        let compromised = core::mem::take(&mut self.compromised);
        *self = Self { compromised, ..Self::default() };
    }

    /// Whether a word does not count because its key was in other hands, as the registry knows it at a time (M-6).
    fn is_void(&self, key: &KeyId, seq: u64, at: Timestamp) -> bool {
        self.compromised.get(key).is_some_and(|(since, known)| *since <= seq && *known <= at)
    }

    /// What of a record counts at a time: no permits under compromised keys, or by passkeys for which only such vouch; forbids always do
    /// (M-6, C-14).
    fn counting(&self, record: Record, at: Timestamp) -> Record {
        let counts = |act: &&InForce| {
            let key = self.signed.get(&act.seq);
            let is_void = key.is_some_and(|key| self.is_void(key, act.seq, at));
            let by = self.by_passkey.get(&act.seq).map(|(credential, _)| credential);
            let patient = &act.directive.patient;
            let is_proved = by.is_none_or(|credential| self.speaks(credential, patient, (act.seq, at)));
            act.directive.stance == Stance::Forbid || (!is_void && is_proved)
        };
        let in_force: Vec<InForce> = record.in_force().iter().filter(counts).cloned().collect();
        if in_force.len() == record.in_force().len() {
            record
        } else {
            Record::told(record.version(), in_force)
        }
    }

    /// Whether anybody has stated a token.
    pub(super) fn is_known(&self, token: &Token) -> bool {
        self.stated.contains_key(token)
    }

    /// The tokens of a subject, by its newest statement.
    pub(super) fn tokens(&self, publisher: &Code, subject: &Subject) -> Vec<Token> {
        self.statements.get(&(publisher.clone(), *subject)).cloned().unwrap_or_default()
    }

    /// Every token that was ever stated of a subject.
    pub(super) fn tokens_ever(&self, publisher: &Code, subject: &Subject) -> Vec<Token> {
        let ever = self.ever_stated.get(&(publisher.clone(), *subject));
        ever.into_iter().flatten().copied().collect()
    }

    /// Whether a document of these tokens was permitted to somebody at some time not longer ago than the bound.
    pub(super) fn was_permitted(
        &self,
        standing: &Standing,
        tokens: &[Token],
        asker: &Asker,
        policy: &Policy,
        (now, within): (Timestamp, Millis),
    ) -> bool {
        let from = now - within;
        if standing.withdrawn.is_some_and(|at| at < from) {
            return false;
        }
        let histories = tokens.iter().filter_map(|token| self.consents.get(token)).flatten();
        let changes: BTreeSet<Timestamp> =
            histories.map(|(at, _)| *at).filter(|at| *at > from && *at <= now).collect();
        changes.into_iter().chain([from]).any(|at| {
            let records: Vec<_> = tokens.iter().map(|token| (*token, self.record_at(token, at))).collect();
            self.permits(standing, &records, asker, policy, now)
        })
    }

    /// Whether some permit, or the region's default rule, ever let a document of these tokens go to somebody; of those that were
    /// taken back at the member that lets it go, only within the bound (F-9).
    pub(super) fn was_ever_permitted(
        &self,
        standing: &Standing,
        tokens: &[Token],
        asker: &Asker,
        policy: &Policy,
        (now, of): (Timestamp, Option<(&Code, Millis)>),
    ) -> bool {
        let is_over = |id: DirectiveId| {
            let taken_back = |(by, within): (&Code, Millis)| {
                let at = |token: &Token| self.taken_back.get(&(by.clone(), *token, id));
                tokens.iter().filter_map(at).any(|at| *at + within < now)
            };
            of.is_some_and(taken_back)
        };
        let none = |token: &Token| (*token, Record::default());
        let permits = |with: Option<(Token, Record)>| {
            let mut records: BTreeMap<Token, Record> = tokens.iter().map(none).collect();
            records.extend(with);
            self.permits(standing, &records.into_iter().collect::<Vec<_>>(), asker, policy, now)
        };
        let said = tokens.iter().filter_map(|token| Some((token, self.permits.get(token)?)));
        let alone = said.flat_map(|(token, all)| all.iter().map(move |one| (*token, one.clone())));
        let mut alone = alone.filter(|(_, one)| !is_over(one.directive.id));
        permits(None)
            || alone.any(|(token, one)| permits(Some((token, Record::told(one.version, vec![one])))))
    }

    /// How long a document of these tokens, which was permitted at some time not longer ago than the bound, has not been since.
    pub(super) fn denied_for(
        &self,
        standing: &Standing,
        tokens: &[Token],
        asker: &Asker,
        policy: &Policy,
        (now, within): (Timestamp, Millis),
    ) -> Option<Millis> {
        let from = now - within;
        let histories = tokens.iter().filter_map(|token| self.consents.get(token)).flatten();
        let changes: BTreeSet<Timestamp> =
            histories.map(|(at, _)| *at).filter(|at| *at > from && *at <= now).collect();
        let denies = |at: &Timestamp| {
            let records: Vec<_> = tokens.iter().map(|token| (*token, self.record_at(token, *at))).collect();
            !self.permits(standing, &records, asker, policy, now)
        };
        let since = changes.iter().rev().take_while(|at| denies(at)).last();
        since.or(standing.withdrawn.as_ref()).map(|at| now.since(*at))
    }

    fn record_at(&self, token: &Token, at: Timestamp) -> Record {
        let history = self.consents.get(token).map(Vec::as_slice).unwrap_or_default();
        let before = history.iter().rev().find(|(changed, _)| *changed <= at);
        self.counting(before.map(|(_, record)| record.clone()).unwrap_or_default(), at)
    }

    fn permits(
        &self,
        standing: &Standing,
        records: &[(Token, Record)],
        asker: &Asker,
        policy: &Policy,
        now: Timestamp,
    ) -> bool {
        let own: Vec<_> = records.iter().map(|(token, record)| (*token, Some(record))).collect();
        let patient = Patient { own: &own, linked: &[] };
        let request = Request { asker, custodian: &standing.entry.publisher, document: &standing.document };
        decide(&patient, &request, policy, now).is_permit()
    }

    /// The entries that a query must find now.
    pub(super) fn permitted(
        &self,
        query: &SearchQuery,
        policy: &Policy,
        now: Timestamp,
    ) -> BTreeSet<EntryId> {
        let named: BTreeSet<_> =
            query.patients.iter().filter_map(|token| self.stated.get(token)).flatten().collect();
        let mut found = BTreeSet::new();
        for (publisher, subject) in named {
            let tokens = self.tokens(publisher, subject);
            if !tokens.iter().any(|token| query.patients.contains(token)) {
                continue;
            }
            let records: Vec<_> =
                tokens.iter().map(|token| (*token, self.counting(self.current(token), now))).collect();
            let entries = self.of_subject.get(&(publisher.clone(), *subject)).into_iter().flatten();
            let standing = entries.filter_map(|id| self.entry(publisher, id));
            let open = standing.filter(|standing| {
                // An entry may have been published anew under another subject.
                let stands = standing.withdrawn.is_none() && !standing.replaced;
                standing.entry.subject == *subject
                    && stands
                    && !self.is_void(&standing.key, standing.seq, now)
            });
            let permitted =
                open.filter(|standing| self.permits(standing, &records, &query.asker, policy, now));
            found.extend(permitted.map(|standing| standing.entry.entry_id));
        }
        found
    }
}
