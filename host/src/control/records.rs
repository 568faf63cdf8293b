//! Links, configs, shares and revocations: signed records, taken when they hold and told to whom they concern.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::timeout;
use tracing::{debug, warn};
use wattle_claims::{LinkRecord, RecordKey, Signed, TokenKind, peek_kind};
use wattle_core::{
    AccountKey, Link, Locality, Name,
    control::{Failure, FailureKind, Outcome, Question},
    entity::Party,
    event::Event,
    inventory::{Explanation, LinkState, Step},
    link::ConfigValue,
};

use super::{Control, actors::done};
use crate::{
    builtin,
    records::{Admitted, RecordError, Source},
    registry,
    router::{Denial, Standing},
    settings,
};

/// The store is told of a record within this time, or later by the task that keeps it in step.
const STORE_WAIT: Duration = Duration::from_secs(2);

impl Control {
    pub(super) async fn put_record(self: &Arc<Self>, token: &str) -> Result<Outcome, Failure> {
        if peek_kind(token).ok() == Some(TokenKind::Link) {
            self.check_link(token)?;
        }
        let admitted =
            self.registry.put_record(token, Source::User).map_err(|error| refusal(&error))?;
        self.links.settle().await;
        let (key, unchanged) = match admitted {
            Admitted::New(key) => (key, false),
            Admitted::Known(key) => (key, true),
        };
        if !unchanged {
            self.tell(&key);
            self.share_record(&key, token).await;
        }
        let detail = match &key {
            RecordKey::Link { .. } => self.link_outcome(&key)?,
            _ => format!("{key} is known"),
        };
        Ok(done(unchanged, detail))
    }

    fn tell(&self, key: &RecordKey) {
        let RecordKey::Link { key: link, .. } = key else { return };
        let is_there =
            self.registry.look(|view| registry::links(view).any(|(known, ..)| known == *key));
        let link = link.clone();
        self.reports.event(if is_there {
            Event::LinkPut { link }
        } else {
            Event::LinkDeleted { link }
        });
    }

    /// The lattice's store learns it now if it can: other hosts read it there.
    pub(crate) async fn share_record(&self, key: &RecordKey, token: &str) {
        let put = async {
            let records = self.lattice.records().await?;
            let name = key.to_string();
            let Some((text, revision)) = records.get(&name).await? else {
                return records.put(&name, token, Some(0)).await.map(drop);
            };
            if text == token {
                return Ok(());
            }
            // It may be newer, or say what ours does not, and nobody else may have it.
            match self.registry.take_record(&text, Source::Store(&name)) {
                Err(error) if error.early().is_some() => return Ok(()),
                taken => debug!(%key, ?taken, "what the store has of it"),
            }
            self.registry.settle_records();
            match self.registry.record_text(&name) {
                Some(own) if own != text => {
                    records.put(&name, &own, Some(revision)).await.map(drop)
                }
                _ => Ok(()),
            }
        };
        match timeout(STORE_WAIT, put).await {
            Ok(Ok(_)) => debug!(%key, "record stored"),
            Ok(Err(error)) => {
                warn!(%key, %error, "record not stored: this host keeps it and tries again");
                self.owed.lock().insert(key.clone());
            }
            Err(_) => {
                warn!(%key, "record not stored in time: this host keeps it and tries again");
                self.owed.lock().insert(key.clone());
            }
        }
    }

    /// Tells the lattice's store what it could not be told before; true if it took everything.
    pub(crate) async fn share_owed(&self) -> bool {
        let owed = std::mem::take(&mut *self.owed.lock());
        for key in owed {
            if let Some(text) = self.registry.record_text(&key.to_string()) {
                self.share_record(&key, &text).await;
            }
        }
        self.owed.lock().is_empty()
    }

    /// Refuses a link that could never hold, or that says something else than one that is there, before it is kept.
    fn check_link(&self, token: &str) -> Result<(), Failure> {
        let claims =
            |error: wattle_claims::TokenError| Failure::new(FailureKind::Claims, error.to_string());
        let signed = Signed::<LinkRecord>::parse(token).map_err(claims)?;
        let record = signed.verify(&self.registry.trust(), self.registry.now()).map_err(claims)?;
        let Some(link) = &record.body.value else { return Ok(()) };
        check_shape(link)?;
        let other = self.registry.look(|view| {
            registry::links(view)
                .filter(|(key, ..)| *key != record.body.key)
                .find(|(.., other)| ambiguous(link, other))
                .map(|(key, ..)| key.to_string())
        });
        match other {
            None => Ok(()),
            Some(other) => {
                let text = format!(
                    "{} has another link named {:?} for these interfaces: {other}",
                    link.source.id,
                    link.name.as_str()
                );
                Err(Failure::new(FailureKind::Conflict, text)
                    .with_next("delete that one, or give this one another --name"))
            }
        }
    }

    /// What became of a link that was just put.
    fn link_outcome(&self, key: &RecordKey) -> Result<String, Failure> {
        let Some(status) = self.link_status(key) else { return Ok(format!("{key} is deleted")) };
        match status.state {
            LinkState::Active { url: Some(url), .. } => Ok(format!("the link holds: {url}")),
            LinkState::Active { url: None, .. } => Ok("the link holds".to_owned()),
            LinkState::Waiting { missing } => {
                Ok(format!("the link holds as soon as {missing} runs here"))
            }
            LinkState::Denied { reason } => Err(Failure::new(FailureKind::Denied, reason)),
            LinkState::Failed { reason } => {
                let next =
                    "the link is kept and tried again; put it with other settings, or delete it";
                Err(Failure::new(FailureKind::Conflict, reason).with_next(next))
            }
        }
    }

    pub(super) fn get_config(&self, name: &Name, account: &AccountKey) -> Result<Outcome, Failure> {
        let values: BTreeMap<String, String> = self.registry.look(|view| {
            let values = settings::config(name, account, view.configs);
            let values =
                values.map_err(|error| Failure::new(FailureKind::NotFound, error.to_string()))?;
            Ok::<_, Failure>(
                values.iter().map(|(key, value)| (key.clone(), shown(value))).collect(),
            )
        })?;
        Ok(Outcome::Config(values))
    }

    /// The state of one link, and what it serves.
    pub(super) fn link_state(&self, key: &RecordKey, link: &Link) -> LinkState {
        let routes = self.router.routes();
        let number = self.registry.number(key);
        let Some(edge) = routes.edges().iter().find(|edge| Some(edge.number) == number) else {
            return LinkState::Denied {
                reason: "the link's token does not hold any more".to_owned(),
            };
        };
        match &edge.standing {
            Standing::Denied(denial) => return LinkState::Denied { reason: denial.to_string() },
            Standing::Granted { .. } if !edge.holds(self.registry.now()) => {
                return LinkState::Denied {
                    reason: "outside the time for which it is granted".to_owned(),
                };
            }
            Standing::Granted { .. } => {}
        }
        let mut url = None;
        let is_elsewhere = |end: &Party| match *end == link.target {
            true => routes.hosts_of(end).next().is_some(),
            // Who leaves still calls.
            false => routes.there(end).next().is_some(),
        };
        for end in [&link.source, &link.target] {
            match self.end_state(end, edge.number) {
                End::Missing if is_elsewhere(end) => {}
                End::Missing => return LinkState::Waiting { missing: end.id.clone() },
                End::Failed(reason) => return LinkState::Failed { reason },
                End::There(at) => url = url.or(at),
            }
        }
        // Both ends are there, and the link lets none that calls from here reach the other.
        let is_source_here =
            self.registry.identity(&link.source.id).as_ref() == Some(&link.source.identity);
        if is_source_here && link.locality != Locality::Any && !edge.leads_somewhere() {
            return LinkState::Failed { reason: edge.nowhere().message };
        }
        let is_everywhere = link.target.identity.key.is_built_in();
        let hosts = if is_everywhere { Vec::new() } else { edge.staying().cloned().collect() };
        LinkState::Active { url, local: edge.is_local(), hosts }
    }

    /// Whether a call would be allowed, and answered by who is at the link's ends, as far as this host knows.
    pub(super) fn explain(&self, question: &Question) -> Explanation {
        let mut explanation = self.router.explain(question);
        let edge = self.router.routes().edge_in_question(question).cloned();
        if let Some(edge) = edge.filter(|_| explanation.allowed)
            && let Ok(key) = edge.record.parse()
            && let LinkState::Failed { reason } = self.link_state(&key, &edge.link)
        {
            explanation.allowed = false;
            explanation.steps.push(Step { holds: false, finding: format!("the link: {reason}") });
        }
        explanation
    }

    fn end_state(&self, end: &Party, number: u32) -> End {
        if end.identity.key.is_built_in() {
            return End::There(None);
        }
        if self.registry.identity(&end.id).as_ref() != Some(&end.identity) {
            return End::Missing;
        }
        if let Some((provider, _)) = self.registry.provider(&end.id) {
            return match self.links.outcome(&end.id, &provider, number) {
                None => End::Missing,
                Some(Ok(detail)) => End::There(detail.url),
                Some(Err(reason)) => End::Failed(reason),
            };
        }
        End::There(None)
    }
}

enum End {
    There(Option<String>),
    Missing,
    Failed(String),
}

fn check_shape(link: &Link) -> Result<(), Failure> {
    let invalid = |text: &str| Err(Failure::new(FailureKind::Invalid, text));
    let Some(first) = link.interfaces.first() else {
        return invalid("the link names no interface");
    };
    if link.interfaces.iter().any(|interface| interface.package() != first.package()) {
        return invalid("a link's interfaces are of one package: put one link per package");
    }
    if link.source.id == link.target.id {
        return invalid("a link from something to itself");
    }
    builtin::check(link).map_err(|Denial { reason, next }| {
        let failure = Failure::new(FailureKind::Denied, reason);
        next.into_iter().fold(failure, Failure::with_next)
    })
}

/// An actor's call names interface and link name alone, so two links must not answer to both.
fn ambiguous(link: &Link, other: &Link) -> bool {
    let by_actor = matches!(link.source.identity.key, wattle_core::entity::CodeKey::Actor(_));
    by_actor
        && link.source.id == other.source.id
        && link.name == other.name
        && link.interfaces.iter().any(|interface| other.interfaces.contains(interface))
}

fn shown(value: &ConfigValue) -> String {
    match value {
        ConfigValue::Plain(text) => text.clone(),
        ConfigValue::Secret { secret } => format!("{{secret: {secret}}}"),
    }
}

pub(super) fn refusal(error: &RecordError) -> Failure {
    let kind = match error {
        RecordError::Claims(_) | RecordError::NotARecord(_) | RecordError::OtherKey(_) => {
            FailureKind::Claims
        }
        RecordError::Stale { .. } | RecordError::LeavesOut(_) => FailureKind::Stale,
        RecordError::Full => FailureKind::Capacity,
        RecordError::Disk(_) => FailureKind::Host,
    };
    Failure::new(kind, error.to_string())
}
