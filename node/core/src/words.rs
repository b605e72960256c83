//! The words that a node publishes, made from what it keeps: the same records give the same payload, byte for byte.

use yiqiao_proto::codes::WithdrawalReason;
use yiqiao_proto::entry::{Entry, IdentityStatement, Link, Withdrawal};
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::id::{Code, Subject};
use yiqiao_proto::suite::SecretKey;
use yiqiao_proto::token::Token;

use crate::state::{
    Chain, Document, Fault, Item, damaged, read_digest, read_entry_id, read_subject, read_token,
};

/// The payload of an item that has its link.
pub(crate) fn payload(item: &Item, document: &Document) -> Result<Vec<u8>, Fault> {
    Ok(match ItemWord::of(item, document)? {
        ItemWord::Entry(entry, _) => entry.encode(),
        ItemWord::Withdrawal(withdrawal, _) => withdrawal.encode(),
    })
}

/// An item of a chain as the word that it is published as.
pub(crate) enum ItemWord {
    Entry(Box<Entry>, Link),
    Withdrawal(Withdrawal, Link),
}

impl ItemWord {
    pub(crate) fn of(item: &Item, document: &Document) -> Result<Self, Fault> {
        let link = item.link.as_ref().and_then(|link| Link::read(link).ok()).ok_or_else(damaged)?;
        let mut wire = document.entry.clone().ok_or_else(damaged)?;
        if item.reason == 0 {
            wire.link = link.commitment().as_bytes().to_vec();
            let entry = Entry::read(wire).map_err(|_| damaged())?;
            return Ok(Self::Entry(Box::new(entry), link));
        }
        let withdrawal = Withdrawal {
            publisher: Code::new(wire.publisher).map_err(|_| damaged())?,
            subject: read_subject(&wire.subject)?,
            link: link.commitment(),
            entry_id: read_entry_id(&item.entry_id)?,
            reason: WithdrawalReason::try_from(item.reason).map_err(|_| damaged())?,
        };
        Ok(Self::Withdrawal(withdrawal, link))
    }

    pub(crate) fn sign(&self, region: &Code, key: &SecretKey) -> (Envelope, Option<Link>) {
        match self {
            Self::Entry(entry, link) => (Envelope::sign(region, &**entry, key), Some(*link)),
            Self::Withdrawal(withdrawal, link) => (Envelope::sign(region, withdrawal, key), Some(*link)),
        }
    }
}

/// The newest statement of a subject.
pub(crate) fn statement(
    publisher: &Code,
    subject: &Subject,
    chain: &Chain,
) -> Result<IdentityStatement, Fault> {
    let tokens = chain.tokens.iter().map(read_token).collect::<Result<_, _>>()?;
    let before = &chain.statement_previous;
    let previous = if before.is_empty() { None } else { Some(read_digest(before)?) };
    let (publisher, subject, number) = (publisher.clone(), *subject, chain.statement);
    Ok(IdentityStatement { publisher, subject, number, previous, tokens })
}

/// The statement that follows the newest one.
pub(crate) fn next_statement(
    publisher: &Code,
    subject: &Subject,
    chain: &Chain,
    tokens: Vec<Token>,
) -> Result<IdentityStatement, Fault> {
    let last = &chain.statement_last;
    let previous = if last.is_empty() { None } else { Some(read_digest(last)?) };
    let (publisher, subject, number) = (publisher.clone(), *subject, chain.statement + 1);
    Ok(IdentityStatement { publisher, subject, number, previous, tokens })
}
