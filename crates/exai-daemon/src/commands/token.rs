//! `token`: shows the token, or replaces it: through the daemon while one runs, so that it and
//! the file never disagree, else in the file.

mod keys;

use super::next_step;
use crate::{
    cli::TokenAction,
    compose,
    context::Context,
    dial::{Connection, Places},
    exit::{self, Code},
    lifecycle::identity::lock_is_held,
    output,
};
use anyhow::{Context as _, Result};
use exai_config::TokenStore;
use exai_protocol::Secret;

pub(super) async fn run(context: &Context, action: TokenAction) -> Result<Code> {
    match action {
        TokenAction::Show => show(context),
        TokenAction::Rotate => rotate(context).await,
        TokenAction::Add { name } => keys::add(context, &name),
        TokenAction::List => keys::list(context),
        TokenAction::Revoke { name } => keys::revoke(context, &name).await,
    }
}

fn show(context: &Context) -> Result<Code> {
    let token = Places::of(context).configured()?.token;
    if token.is_empty() {
        return Err(exit::FAILURE.because(
            "there is no token yet; the daemon makes one at its first start: run `exai-daemon start`",
        ));
    }
    output::warning(
        "who has this token can use every tool and key of this daemon; share it with nobody",
    );
    output::line(token.expose())?;
    Ok(exit::OK)
}

async fn rotate(context: &Context) -> Result<Code> {
    if context.loaded.settings.auth.token.is_some() {
        let origin = context
            .loaded
            .origin("auth.token")
            .map(|origin| origin.origin.to_string());
        return Err(exit::FAILURE.because(format!(
            "the token is given by {}; change it there and restart the daemon",
            origin.unwrap_or_else(|| "a setting".to_owned())
        )));
    }
    context.home.prepare()?;
    match Connection::open(context).await {
        Ok(connection) => {
            let asked = ask(context, &connection).await;
            connection.close().await;
            asked?;
        }
        Err(error) if lock_is_held(&context.home) => {
            return Err(error).context("the token was not replaced: a daemon holds this home");
        }
        Err(_) => {
            let overlap = context.loaded.settings.auth.token_overlap;
            TokenStore::new(&context.home).rotate(None, overlap, (compose::system_clock())())?;
        }
    }
    output::line("token replaced")?;
    let overlap = context.loaded.settings.auth.token_overlap.as_secs();
    next_step(&format!(
        "the old one opens for another {overlap} s; shims of this home learn the new one by themselves"
    ));
    Ok(exit::OK)
}

async fn ask(context: &Context, connection: &Connection) -> Result<()> {
    let old = Places::of(context).configured()?.token;
    let reply = connection.client.rotate_token(&old, &random()?).await?;
    if reply.ok {
        return Ok(());
    }
    let why = reply.error.unwrap_or_else(|| "no reason given".to_owned());
    Err(exit::REFUSED.because(format!("the daemon did not replace the token: {why}")))
}

fn random() -> Result<Secret> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("no randomness from the system: {error}"))?;
    Ok(Secret::new(
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_long_and_new() {
        let (one, two) = (random().unwrap(), random().unwrap());
        assert_eq!(one.expose().len(), 64);
        assert_ne!(one.expose(), two.expose());
    }
}
