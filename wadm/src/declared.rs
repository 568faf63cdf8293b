//! Deployments as users signed them, and how far each has come, as what the planner is asked for and what it is shown.

use std::collections::BTreeMap;

use wattle_claims::{Rollout, content_of};
use wattle_core::{
    Digest, EntityId, Name,
    deployment::{Deployment, Phase, Version, VersionName},
    entity::CodeKey,
    link::LinkKey,
};

use crate::plan::{Application, Artifact, Canary, Component, Desired, Link, PutLink};

/// One deployment.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its record's generation.
    pub generation: u64,
    /// Its record's token.
    pub text: String,
    /// What it says; none where it has ended.
    pub deployment: Option<Deployment>,
    /// Why the version that is asked for is not begun: as long as it has no place, the one before goes on.
    pub held: Vec<String>,
    /// What is asked for if a version is the one that is run, in the order of the versions.
    versions: Vec<(VersionName, Application)>,
}

impl Declared {
    /// A deployment with what the planner makes of it.
    pub fn new(generation: u64, text: String, deployment: Option<Deployment>) -> Self {
        let versions = deployment.as_ref().map_or_else(Vec::new, |deployment| {
            let of = |version: &Version| (version.name.clone(), asked(deployment.phase, version));
            deployment.versions.iter().map(of).collect()
        });
        Self { generation, text, deployment, held: Vec::new(), versions }
    }

    /// The version that is to be run now: the one that was asked for, unless it was given up or has no place yet.
    pub fn target(&self, rollout: Option<&Rollout>) -> Option<&Version> {
        let deployment = self.deployment.as_ref()?;
        let own = rollout.filter(|rollout| rollout.generation == self.generation);
        let is_given_up = own.is_some_and(|rollout| rollout.given_up.is_some());
        match is_given_up || !self.held.is_empty() {
            true => deployment.before().or(deployment.version()),
            false => deployment.version(),
        }
    }

    /// Whether the version that is asked for is on trial, and there is one to go back to.
    pub fn is_on_trial(&self, rollout: Option<&Rollout>) -> bool {
        let own = rollout.filter(|rollout| rollout.generation == self.generation);
        let is_judged = own.is_some_and(|rollout| rollout.healthy || rollout.given_up.is_some());
        let deployment = self.deployment.as_ref().filter(|it| it.phase == Phase::Deployed);
        deployment.and_then(Deployment::before).is_some() && !is_judged
    }

    /// The percentage that the version that is asked for may have for now; none where it may have all.
    pub fn canary(&self, rollout: Option<&Rollout>) -> Option<u8> {
        let own = rollout.filter(|rollout| rollout.generation == self.generation);
        let is_promoted = own.is_some_and(|rollout| rollout.promoted);
        let canary = self.deployment.as_ref()?.canary?;
        let is_one = self.is_on_trial(rollout) && self.held.is_empty() && !is_promoted;
        is_one.then_some(canary.weight)
    }

    /// What is asked for while the version before does a part: what only that one has, it needs meanwhile.
    fn beside_the_one_before(&self, mut asked: Application, weight: u8) -> Application {
        let Some(before) = self.before() else { return asked };
        for (id, component) in &before.components {
            asked.components.entry(id.clone()).or_insert_with(|| component.clone());
        }
        for (key, link) in &before.links {
            asked.links.entry(key.clone()).or_insert_with(|| link.clone());
        }
        asked.uses.extend(before.uses.iter().cloned());
        asked.canary = Some(Canary { weight, before: before.components.clone() });
        asked
    }

    fn before(&self) -> Option<&Application> {
        let name = &self.deployment.as_ref()?.before()?.name;
        self.versions.iter().find(|(version, _)| version == name).map(|(_, asked)| asked)
    }

    /// Whether the version that is asked for has been begun.
    pub fn is_begun(&self, rollout: Option<&Rollout>) -> bool {
        let asked = self.deployment.as_ref().and_then(Deployment::version);
        let own = rollout.filter(|rollout| rollout.generation == self.generation);
        own.zip(asked).is_some_and(|(rollout, asked)| rollout.version == asked.name)
    }

    /// A link of any of its versions, by content.
    pub(crate) fn link(&self, content: &Digest) -> Option<(&LinkKey, &Link)> {
        let links = self.versions.iter().flat_map(|(_, application)| &application.links);
        links.into_iter().find(|(_, link)| link.content == *content)
    }

    /// The content of a link of the version that is to be run.
    pub fn content(&self, rollout: Option<&Rollout>, key: &LinkKey) -> Option<Digest> {
        let before = self.canary(rollout).and_then(|_| self.before()?.links.get(key));
        Some(self.asked(rollout)?.links.get(key).or(before)?.content)
    }

    /// What runs under an id in the version that is to be run.
    pub fn program(&self, rollout: Option<&Rollout>, id: &EntityId) -> Option<&Artifact> {
        Some(&self.asked(rollout)?.components.get(id)?.artifact)
    }

    /// The program that a version has under an id, by content.
    pub(crate) fn runs_in(&self, version: &VersionName, id: &EntityId) -> Option<Digest> {
        let (_, asked) = self.versions.iter().find(|(name, _)| name == version)?;
        match asked.components.get(id)?.artifact {
            Artifact::Digest(program) => Some(program),
            _ => None,
        }
    }

    fn asked(&self, rollout: Option<&Rollout>) -> Option<&Application> {
        let target = self.target(rollout)?;
        let versions = self.versions.iter();
        versions.into_iter().find(|(name, _)| *name == target.name).map(|(_, asked)| asked)
    }
}

/// What the planner is asked for. Of a deployment that has ended nothing is to run.
pub fn desired<'a>(
    all: impl Iterator<Item = (&'a Name, &'a Declared, Option<&'a Rollout>)>,
) -> Desired {
    let applications = all.map(|(name, declared, rollout)| {
        let asked = declared.asked(rollout).cloned();
        let asked = asked.map(|asked| match declared.canary(rollout) {
            Some(weight) => declared.beside_the_one_before(asked, weight),
            None => asked,
        });
        (name.clone(), asked.unwrap_or_else(Application::ended))
    });
    Desired { applications: applications.collect() }
}

/// The links that rollouts say are put. One that no version has any more counts as gone: hosts do not follow it either.
pub fn put_links<'a>(
    all: impl Iterator<Item = (&'a Name, &'a Declared, Option<&'a Rollout>)>,
) -> BTreeMap<LinkKey, PutLink> {
    let mut put = BTreeMap::new();
    for (name, declared, rollout) in all {
        for content in rollout.into_iter().flat_map(|rollout| &rollout.links) {
            if let Some((key, link)) = declared.link(content) {
                put.insert(key.clone(), link.put_by(name));
            }
        }
    }
    put
}

/// What is asked for if a version is the one that is run.
pub(crate) fn asked(phase: Phase, version: &Version) -> Application {
    let components = version.components.iter().map(|component| {
        let asked = Component {
            kind: component.program.kind(),
            artifact: Artifact::Digest(content_of(&component.program)),
            scaler: component.scaler.clone(),
        };
        (component.id.clone(), asked)
    });
    let links = version.links.iter().map(|link| {
        let asked = Link {
            source: link.source.id.clone(),
            target: link.target.id.clone(),
            is_traffic: !matches!(link.source.identity.key, CodeKey::Actor(_)),
            content: content_of(link),
        };
        (link.key(), asked)
    });
    Application {
        phase,
        components: components.collect(),
        links: links.collect(),
        uses: version.uses.clone(),
        canary: None,
    }
}
