//! `wattle:schedule`: tells actors that it is time, by cron expressions and intervals, once per lattice.
//!
//! Every host that runs the provider knows all of its links; of each link's timers, the host that holds the link's lease lets its
//! own run (`link`). What is due, and what was missed, is decided by pure functions of the wall clock and of what was called last
//! (`plan`, over `schedule`); that stands in the lease's note (`ledger`), and is written there before the actor is called.

mod handover;
mod ledger;
mod link;
mod plan;
mod provider;
mod schedule;
mod settings;

pub use provider::Timer;
