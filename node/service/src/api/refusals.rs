//! Sign-ins that were refused, as lines of the audit: under accounts that there are. What else was typed is nobody's name, and may
//! be somebody's password.

use tokio::sync::mpsc;
use yiqiao_host::accounts::{Account, Login};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::machine::Input;

use crate::api::front::{own, staff};
use crate::app::App;

/// Writes each of them down until nobody can sign in any more.
pub(crate) async fn write_down(app: App, mut refused: mpsc::Receiver<Login>) {
    while let Some(login) = refused.recv().await {
        let Ok(Some(account)) = app.identity.accounts.find(&login) else { continue };
        if let Err(error) = app.inbox.hand(Input::SignInRefused(actor(&app, &account))).await {
            tracing::error!(%error, "a sign-in that was refused is not written down");
        }
    }
}

/// As whom somebody tried to come in: hospital IT has no patients, and stands there by its account alone.
fn actor(app: &App, account: &Account) -> Actor {
    let system = || yiqiao_proto::id::Code::new(account.login.as_str()).map_or(Actor::Node, Actor::System);
    staff(account).map(Actor::Staff).or_else(|| own(&app.identity, &account.login)).unwrap_or_else(system)
}
