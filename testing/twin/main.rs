//! What the benchmark compares Wattle with: the same answers from one process, with and without Wasm.
//!
//! They are as fast as one process is without giving anything up that Wattle's users get from the component: a fresh instance
//! per request, the host's engine settings, time limits on guests.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};

mod engine;
mod guest;
mod keyvalue;
mod native;
mod nats;
mod postgres;
mod serve;

use serve::Runtime;

#[derive(Parser)]
#[command(about = "One process that does what Wattle does in several, to compare with")]
struct Arguments {
    /// What to do.
    what: What,
    /// Where to listen; the echo listens to NATS alone.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How threads and connections meet.
    #[arg(long, default_value = "lanes")]
    runtime: Runtime,
    /// The component, for those that run one.
    #[arg(long)]
    component: Option<PathBuf>,
    /// Redis, for those that count.
    #[arg(long)]
    redis: Option<String>,
    /// PostgreSQL, for those that ask it.
    #[arg(long)]
    postgres: Option<String>,
    /// Connections to PostgreSQL, of all threads together.
    #[arg(long, default_value_t = 8)]
    pool: usize,
    /// NATS, for those that meet there.
    #[arg(long)]
    nats: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// hyper, nothing else.
    Hyper,
    /// hyper and a component, a fresh instance per request.
    Component,
    /// hyper and a Redis client.
    Redis,
    /// hyper and a PostgreSQL client.
    Postgres,
    /// hyper, and NATS to the echo.
    Nats,
    /// Answers what comes over NATS.
    Echo,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let Arguments { listen, runtime, .. } = arguments;
    match arguments.what {
        What::Hyper => serve::run(listen, runtime, native::Hello),
        What::Redis => {
            let url = arguments.redis.context("--redis is missing")?;
            serve::run(listen, runtime, native::Counter::new(&url)?)
        }
        What::Postgres => {
            let url = arguments.postgres.context("--postgres is missing")?;
            let lanes = match runtime {
                Runtime::Multi => 1,
                Runtime::Lanes => std::thread::available_parallelism()?.get(),
            };
            let connections = (arguments.pool / lanes).max(1);
            serve::run(listen, runtime, postgres::Ledger { url, connections })
        }
        What::Nats => {
            let url = arguments.nats.context("--nats is missing")?;
            serve::run(listen, runtime, nats::Asker::new(url))
        }
        What::Echo => nats::echo(&arguments.nats.context("--nats is missing")?),
        What::Component => {
            let component = arguments.component.context("--component is missing")?;
            serve::run(listen, runtime, guest::Guests::new(&component, arguments.redis.as_deref())?)
        }
    }
}
