//! The administrator's desk: the commands for accounts, and the running registry that does them.

use std::path::Path;

use yiqiao_host::accounts::commands::{self, AccountCommand, AccountRequest};
use yiqiao_host::admin::{AdminSocket, SOCKET};
use yiqiao_host::config;
use yiqiao_host::sessions::Identity;

use crate::config::Config;
use crate::region::say;
use crate::web::ROLES;

/// Does a command through the socket of the running registry.
pub(crate) fn account(file: &Path, command: AccountCommand) -> anyhow::Result<()> {
    let config: Config = config::load(file)?;
    let socket = config.data.as_path().join(SOCKET);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut stdin = std::io::stdin();
    let done = commands::run::<AccountRequest>(command, &socket, &mut stdin);
    say(&runtime.block_on(done)?)
}

/// Answers such commands until it is dropped.
pub(crate) async fn serve(socket: AdminSocket, identity: Identity) {
    let answer = move |request: AccountRequest| {
        let identity = identity.clone();
        async move { commands::answer(&identity, ROLES, request).await }
    };
    socket.serve(answer).await;
}
