//! Leases of providers: of all hosts that run a provider and know its link, one lets it do what only one may do.
//!
//! A lease is a record in the lattice's store, as wadm's is: taken and renewed by compare-and-set, signed by the host that holds it.
//! With it stands a note of the provider's, for whoever holds it next.

mod board;
mod keeper;
mod known;

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinSet, time::timeout};

pub(crate) use self::board::Board;
use self::keeper::Keeper;
use crate::{control::Control, providers::Want};

/// Leases that wait to be kept; all providers of a host may want theirs at once.
pub(crate) const WANTS_MAX: usize = 4_096;

/// How long a host that stops waits until its leases are laid down. One that is not expires by itself.
const LAY_DOWN_MAX: Duration = Duration::from_secs(2);

/// Keeps every lease that this host's providers want, each in a task of its own.
pub(crate) async fn keep_all(control: Arc<Control>, mut wants: mpsc::Receiver<Want>) {
    let mut keepers = JoinSet::new();
    loop {
        tokio::select! {
            want = wants.recv() => {
                let Some(want) = want else { return };
                let seen = control.provider_leases.watch(&want.scope.key());
                keepers.spawn(Keeper::new(control.clone(), want, seen).run());
            }
            Some(_ended) = keepers.join_next() => {}
        }
    }
}

/// Waits until what this host held is laid down: its providers are gone.
pub(crate) async fn laid_down(control: &Control) {
    if timeout(LAY_DOWN_MAX, control.provider_leases.nobody_watches()).await.is_err() {
        tracing::warn!("not every provider's lease could be laid down: they expire by themselves");
    }
}
