//! What hosts and their users say to each other.

use wattle_core::{
    HostKey,
    app::AppRequest,
    beat::Beat,
    control::{Answer, Command},
};

use crate::{About, Body, TokenError, TokenKind, UnderAccount, body::subject_error};

/// Subject: the key of the host that is to act. The host compares it with its own, so that no other host takes the command.
impl Body for Command {
    const KIND: TokenKind = TokenKind::Command;

    fn check(&self, about: &About<'_>) -> Result<(), TokenError> {
        match about.subject.parse::<HostKey>() {
            Ok(_) => Ok(()),
            Err(_) => Err(subject_error::<Self>(about, "it is the key of the host that is to act")),
        }
    }
}

/// Subject: its verb.
impl Body for AppRequest {
    const KIND: TokenKind = TokenKind::Request;

    fn check(&self, about: &About<'_>) -> Result<(), TokenError> {
        if about.subject == self.verb().as_str() {
            Ok(())
        } else {
            Err(subject_error::<Self>(about, "it is the verb that is asked"))
        }
    }
}

/// Subject: the id (`jti`) of the command or request that it answers.
impl Body for Answer {
    const KIND: TokenKind = TokenKind::Answer;

    fn check(&self, about: &About<'_>) -> Result<(), TokenError> {
        if about.subject == self.command {
            Ok(())
        } else {
            Err(subject_error::<Self>(about, "it is the id of the command that is answered"))
        }
    }
}

/// Subject: the host's own key.
impl Body for Beat {
    const KIND: TokenKind = TokenKind::Beat;

    fn check(&self, about: &About<'_>) -> Result<(), TokenError> {
        if about.subject == about.issuer {
            Ok(())
        } else {
            Err(subject_error::<Self>(about, "a host's beat is about itself"))
        }
    }
}

impl UnderAccount for Command {}
impl UnderAccount for AppRequest {}
impl UnderAccount for Answer {}
impl UnderAccount for Beat {}
