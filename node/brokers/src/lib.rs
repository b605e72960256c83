//! Messages to a hospital's broker: each is taken once the broker has said so.
//!
//! | module | what it is |
//! |---|---|
//! | [`amqp`] | RabbitMQ and others of AMQP 0-9-1, with publisher confirms |
//! | [`nats`] | NATS with JetStream |
//! | [`place`] | where a broker is, and who this node is there |
//! | [`message`] | what is published |
//! | [`fault`], [`limits`] | why it is not taken; the bounds |
//! | `kit` | the ground on which the client of AMQP stands |
//!
//! Not here: what a message says, in which order messages come, and when one is sent again.

pub mod amqp;
pub mod fault;
mod kit;
pub mod limits;
pub mod message;
pub mod nats;
pub mod place;
