//! What runs where: what other hosts say of themselves, and what this one says.

use std::sync::Arc;

use tracing::{debug, warn};
use wattle_claims::{
    ActorClaims, Body, Placement, PlacementRecord, ProviderClaims, Record, RecordKey, Signed,
    Timestamp, TokenError, TokenKind, Trust, Verified, peek_kind,
};
use wattle_core::EntityId;

use crate::{
    control::Control,
    records::{Entry, Kept, Source},
    registry::View,
};

/// Something that runs on another host, by claims that were verified here.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) id: EntityId,
    pub(crate) claims: PlacedClaims,
}

#[derive(Clone, Debug)]
pub(crate) enum PlacedClaims {
    Actor(Box<Verified<ActorClaims>>),
    Provider(Box<Verified<ProviderClaims>>),
}

impl Placed {
    /// What holds of a placement. A host that runs what is not trusted here says nothing to us about it.
    pub(crate) fn all(placement: &Placement, trust: &Trust, now: Timestamp) -> Vec<Self> {
        let verified = placement.claims().filter_map(|(id, text)| {
            let claims = PlacedClaims::verify(&text, trust, now);
            let claims = claims.inspect_err(|error| debug!(%id, %error, "placed elsewhere"));
            Some(Self { id: id.clone(), claims: claims.ok()? })
        });
        verified.collect()
    }

    /// Whether its claims still hold.
    pub(crate) fn standing(&self, trust: &Trust, now: Timestamp) -> Result<(), TokenError> {
        match &self.claims {
            PlacedClaims::Actor(claims) => claims.standing(trust, now),
            PlacedClaims::Provider(claims) => claims.standing(trust, now),
        }
    }
}

impl PlacedClaims {
    fn verify(text: &str, trust: &Trust, now: Timestamp) -> Result<Self, TokenError> {
        fn verified<B: Body>(
            text: &str,
            trust: &Trust,
            now: Timestamp,
        ) -> Result<Box<Verified<B>>, TokenError> {
            Signed::<B>::parse(text)?.verify(trust, now).map(Box::new)
        }
        match peek_kind(text)? {
            TokenKind::Provider => verified(text, trust, now).map(Self::Provider),
            // Anything else is refused as not an actor's.
            _ => verified(text, trust, now).map(Self::Actor),
        }
    }
}

/// Tells the lattice what runs here, whenever that changes.
pub(crate) async fn keep_telling(control: Arc<Control>) {
    loop {
        tell(&control).await;
        control.registry.moved().await;
    }
}

/// Tells the lattice what runs here, if it does not know.
pub(crate) async fn tell(control: &Control) {
    let key = RecordKey::Placement { host: control.host.clone() };
    let (wanted, known) = control.registry.look(|view| {
        let known = view.records.get(&key).map(|entry| (entry.generation, said(entry)));
        (here(control, view), known)
    });
    if known.as_ref().is_some_and(|(_, said)| said.as_ref() == Some(&wanted)) {
        return;
    }
    let generation = known.map_or(1, |(generation, _)| generation + 1);
    let body: PlacementRecord = Record { generation, key: key.clone(), value: Some(wanted) };
    let signed = match control.sign_as_host(key.to_string(), body) {
        Ok(signed) => signed,
        Err(error) => return warn!(%error, "other hosts are not told what runs here"),
    };
    match control.registry.put_record(signed.text(), Source::Host) {
        Ok(_) => control.share_record(&key, signed.text()).await,
        Err(error) => warn!(%error, "other hosts are not told what runs here"),
    }
}

/// Tells the lattice that this host has left. Whoever told so a moment ago may have done so here alone, and ends with the host.
pub(crate) async fn tell_that_it_left(control: &Control) {
    tell(control).await;
    let key = RecordKey::Placement { host: control.host.clone() };
    if let Some(text) = control.registry.record_text(&key.to_string()) {
        control.share_record(&key, &text).await;
    }
}

fn said(entry: &Entry) -> Option<Placement> {
    match &entry.record {
        Kept::Placement(record, _) => record.body.value.clone(),
        _ => None,
    }
}

fn here(control: &Control, view: &View<'_>) -> Placement {
    let mut placement = Placement::empty(control.host.clone());
    if control.router.elsewhere().has_left() {
        return placement;
    }
    placement.leaving = control.is_leaving();
    for (id, running) in view.actors {
        placement.add(id.clone(), running.claims.text());
    }
    for (id, running) in view.providers {
        placement.add(id.clone(), running.claims.text());
    }
    placement
}
