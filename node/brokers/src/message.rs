//! What is published.

/// What is published: JSON, under an id that is the same each time.
#[derive(Clone, Copy)]
pub struct Message<'m> {
    /// The JSON.
    pub body: &'m [u8],
    /// By which a receiver knows it again.
    pub id: &'m str,
    /// What has happened, in one word: `consent-changed`.
    pub kind: &'m str,
}
