//! Starting and stopping providers.

use std::{
    fs,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use wattle_claims::{
    ProviderClaims, Verified,
    provider::{self, VerifiedProvider},
};
use wattle_core::{
    AccountKey, EntityId,
    control::{Failure, FailureKind, Outcome, StartProvider},
    inventory::ProviderState,
    link::Settings,
};

use super::{
    Control,
    actors::{check_signer, done, other_kind},
    disk,
};
use crate::{
    builtin,
    providers::{Image, Provider, ProviderLimits, ProviderSpec, StartFailure, Timings},
    registry::{RunningProvider, identity_of_provider},
};

/// How long a command waits for a provider to say that it is ready.
const READY_MAX: Duration = Duration::from_secs(20);

/// The setting that tells a provider which folder is its own.
const DATA_DIR: &str = "data-dir";

impl Control {
    /// Runs a provider: fetched, verified, executed, and ready when this returns. `again` is a restart of the host.
    pub(crate) async fn start_provider(
        self: &Arc<Self>,
        start: &StartProvider,
        again: bool,
    ) -> Result<Outcome, Failure> {
        if let Some((provider, running)) = self.registry.provider(&start.id).filter(|_| !again)
            && running == *start
            && !is_over(&provider.state().borrow())
        {
            let pid = self.ready(&provider, &start.id).await?;
            self.registry.save().map_err(|error| disk(&error))?;
            return Ok(done(true, format!("{} runs already (pid {pid})", start.id)));
        }
        let bytes = self.fetch(&start.artifact).await?;
        let verified = self.verified_provider(start, &bytes)?;
        let identity = identity_of_provider(&verified.claims);
        let _reserved = self.registry.reserve(&start.id, &identity, start.program.is_some())?;
        let image = Image::seal(verified.binary).map_err(|error| disk(&error))?;
        let spec = self.provider_spec(start, &verified.claims, image)?;
        self.replace_provider(start, verified.claims, spec).await
    }

    /// The same, of an artifact of this account's and no other.
    pub(crate) async fn start_provider_of(
        self: &Arc<Self>,
        account: &AccountKey,
        start: &StartProvider,
    ) -> Result<Outcome, Failure> {
        let bytes = self.fetch(&start.artifact).await?;
        let verified = self.verified_provider(start, &bytes)?;
        check_signer(&start.artifact, verified.claims.account(), account)?;
        self.start_provider(start, false).await
    }

    fn verified_provider<'a>(
        &self,
        start: &StartProvider,
        bytes: &'a [u8],
    ) -> Result<VerifiedProvider<'a>, Failure> {
        let trust = self.registry.trust();
        let verified = provider::verify(bytes, &provider::platform(), &trust, self.registry.now());
        verified.map_err(|error| {
            Failure::new(FailureKind::Claims, format!("{}: {error}", start.artifact))
        })
    }

    fn provider_spec(
        &self,
        start: &StartProvider,
        claims: &Verified<ProviderClaims>,
        image: Image,
    ) -> Result<ProviderSpec, Failure> {
        let mut config: Settings = self.settings(&start.config, &start.values, claims.account())?;
        let own = self.data_dir.join("providers").join(start.id.as_str());
        fs::create_dir_all(&own).map_err(|error| disk(&error))?;
        config.entry(DATA_DIR.to_owned()).or_insert_with(|| own.display().to_string());
        Ok(ProviderSpec {
            id: start.id.clone(),
            account: claims.account().clone(),
            lattice: self.lattice_name.clone(),
            config,
            image: Arc::new(image),
            log: self.log_filter.clone(),
            limits: ProviderLimits::default(),
            timings: Timings::default(),
        })
    }

    /// Starts the new one only when the old one is gone: they would fight over ports and files.
    async fn replace_provider(
        self: &Arc<Self>,
        start: &StartProvider,
        claims: Verified<ProviderClaims>,
        spec: ProviderSpec,
    ) -> Result<Outcome, Failure> {
        if let Some((old, _)) = self.registry.provider(&start.id) {
            old.stop(self.grace).await;
        }
        let provider = Provider::start(
            spec,
            self.lanes.clone(),
            self.router.clone(),
            self.lease_wants.clone(),
            self.logbook.clone(),
        );
        let ready = self.ready(&provider, &start.id).await;
        // One that does not get ready stays, under supervision: a crash loop is a state that the inventory shows, with stderr.
        let serial = self.serials.fetch_add(1, Ordering::Relaxed);
        self.tell_changes(&start.id, &provider);
        let running = RunningProvider { provider, claims, start: start.clone(), serial };
        self.registry.put_provider(start.id.clone(), running).map_err(|error| disk(&error))?;
        self.hold_artifacts();
        let pid = ready?;
        self.links.settle().await;
        Ok(done(false, format!("{} is ready (pid {pid})", start.id)))
    }

    async fn ready(&self, provider: &Provider, id: &EntityId) -> Result<u32, Failure> {
        provider.ready(READY_MAX).await.map_err(|failure| {
            let stderr = match &failure {
                StartFailure::Exited { stderr, .. } => stderr.join("\n  "),
                StartFailure::Failed { .. } | StartFailure::TimedOut => String::new(),
            };
            let kind = match failure {
                StartFailure::TimedOut => FailureKind::TimedOut,
                StartFailure::Failed { .. } | StartFailure::Exited { .. } => FailureKind::Crashed,
            };
            let stderr = if stderr.is_empty() { stderr } else { format!("\n  {stderr}") };
            Failure::new(kind, format!("provider {id}: {failure}{stderr}"))
                .with_next(format!("mend it and start it again, or: wattle stop provider {id}"))
        })
    }

    /// An event for each change of the provider's state, until it is gone.
    fn tell_changes(self: &Arc<Self>, id: &EntityId, provider: &Provider) {
        let (mut states, reports, id) = (provider.state(), self.reports.clone(), id.clone());
        tokio::spawn(async move {
            while states.changed().await.is_ok() {
                let state = states.borrow_and_update().clone();
                reports.event(wattle_core::event::Event::ProviderChanged { id: id.clone(), state });
            }
        });
    }

    pub(crate) async fn stop_provider(&self, id: &EntityId) -> Result<Outcome, Failure> {
        builtin::check_free(id)?;
        let Some((provider, _)) = self.registry.provider(id) else {
            if self.registry.forget_provider(id).map_err(|error| disk(&error))? {
                let text = format!("{id} did not run, and will not be started with this host");
                return Ok(done(false, text));
            }
            if self.registry.actor(id).is_some() {
                return Err(other_kind(id, "an actor", "actor"));
            }
            self.registry.save().map_err(|error| disk(&error))?;
            return Ok(done(true, format!("no provider runs as {id}")));
        };
        provider.stop(self.grace).await;
        self.registry.remove_provider(id).map_err(|error| disk(&error))?;
        self.links.settle().await;
        self.hold_artifacts();
        Ok(done(false, format!("{id} is stopped")))
    }
}

/// Whether nothing more comes of it: it was stopped, or its claims do not hold any more.
fn is_over(state: &ProviderState) -> bool {
    matches!(state, ProviderState::Stopping | ProviderState::Denied { .. })
}
