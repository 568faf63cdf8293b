//! `wattle app`: declared applications.

mod deploy;
mod fetch;
mod manifest;
mod plan;
mod record;
mod remove;
mod resolve;
mod schema;
mod status;
mod validate;
mod versions;
mod wait;

use clap::Subcommand;

use super::Context;
use crate::exit::Exit;

/// Work with applications that a manifest declares
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle app deploy wadm.yaml")]
pub(crate) enum AppCommand {
    Deploy(deploy::DeployArgs),
    Plan(plan::PlanArgs),
    List(status::ListArgs),
    Get(versions::GetArgs),
    Status(status::StatusArgs),
    History(versions::HistoryArgs),
    Rollback(versions::RollbackArgs),
    Undeploy(remove::UndeployArgs),
    Delete(remove::DeleteArgs),
    Validate(validate::ValidateArgs),
    Schema(schema::SchemaArgs),
}

pub(crate) async fn run(context: &Context, command: AppCommand) -> anyhow::Result<Exit> {
    match command {
        AppCommand::Deploy(args) => Box::pin(deploy::run(context, args)).await,
        AppCommand::Plan(args) => Box::pin(plan::run(context, &args)).await,
        AppCommand::List(_) => status::list(context).await,
        AppCommand::Get(args) => versions::get(context, &args).await,
        AppCommand::History(args) => versions::history(context, &args).await,
        AppCommand::Rollback(args) => Box::pin(versions::rollback(context, args)).await,
        AppCommand::Status(args) => status::status(context, &args).await,
        AppCommand::Undeploy(args) => Box::pin(remove::undeploy(context, args)).await,
        AppCommand::Delete(args) => Box::pin(remove::delete(context, args)).await,
        AppCommand::Validate(args) => validate::run(context, &args).await,
        AppCommand::Schema(_) => schema::run(context),
    }
}
