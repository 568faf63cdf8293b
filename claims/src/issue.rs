//! Who may issue what: the one table of authority, and whom each kind of token is about.

use std::collections::BTreeSet;

use wattle_core::Name;

use crate::{KeyKind, RecordKey, Right, TokenKind, compact::is_id};

/// Whether a key of this kind may sign a token of that kind; the error says who may. `rights` are the user's or
/// the host's, where one signs.
pub fn may_issue(
    kind: TokenKind,
    issuer: KeyKind,
    rights: &BTreeSet<Right>,
) -> Result<(), &'static str> {
    let needs = |right| if rights.contains(&right) { Ok(()) } else { Err(missing(right)) };
    match (kind, issuer) {
        (TokenKind::Operator | TokenKind::Account, KeyKind::Operator) => Ok(()),
        (TokenKind::Operator, _) => Err("an operator signs itself"),
        (TokenKind::Account, _) => Err("an operator does"),

        (
            TokenKind::User
            | TokenKind::Host
            | TokenKind::Actor
            | TokenKind::Provider
            | TokenKind::Share,
            KeyKind::Account,
        ) => Ok(()),
        (
            TokenKind::User
            | TokenKind::Host
            | TokenKind::Actor
            | TokenKind::Provider
            | TokenKind::Share,
            _,
        ) => Err("an account does"),

        (TokenKind::Revocations, KeyKind::Account | KeyKind::Operator) => Ok(()),
        (TokenKind::Revocations, _) => Err("an account or an operator does"),

        (
            TokenKind::Link | TokenKind::Config | TokenKind::Command | TokenKind::Request,
            KeyKind::Account,
        ) => Ok(()),
        (TokenKind::Link, KeyKind::User) => needs(Right::Link),
        (TokenKind::Config, KeyKind::User) => needs(Right::Config),
        // Which right a command needs depends on the command, and is the host's to check.
        (TokenKind::Command | TokenKind::Request, KeyKind::User) => Ok(()),
        (TokenKind::Command, KeyKind::Host) => needs(Right::Wadm),
        (TokenKind::Link | TokenKind::Config | TokenKind::Command | TokenKind::Request, _) => {
            Err("an account or one of its users does")
        }

        (TokenKind::Deployment, KeyKind::Account) => Ok(()),
        (TokenKind::Deployment, KeyKind::User) => {
            needs(Right::Control).and_then(|()| needs(Right::Link))
        }
        (TokenKind::Deployment, _) => Err("an account or one of its users does"),

        (TokenKind::Rollout | TokenKind::Lease, KeyKind::Host) => needs(Right::Wadm),
        (TokenKind::Rollout | TokenKind::Lease, _) => Err("a host that may be wadm does"),

        (
            TokenKind::Answer
            | TokenKind::Beat
            | TokenKind::Placement
            | TokenKind::ProviderLease
            | TokenKind::Hello
            | TokenKind::Welcome,
            KeyKind::Host,
        ) => Ok(()),
        (
            TokenKind::Answer
            | TokenKind::Beat
            | TokenKind::Placement
            | TokenKind::ProviderLease
            | TokenKind::Hello
            | TokenKind::Welcome,
            _,
        ) => Err("a host does"),
    }
}

const fn missing(right: Right) -> &'static str {
    match right {
        Right::Link => "the user lacks the right link",
        Right::Config => "the user lacks the right config",
        Right::Control => "the user lacks the right control",
        Right::Wadm => "the host lacks the right wadm",
        Right::Invoke | Right::Inspect => "the user lacks the right",
    }
}

/// The kind of token that says who a key is; none for keys that sign nothing.
pub(crate) fn kind_about(key: KeyKind) -> Option<TokenKind> {
    match key {
        KeyKind::Operator => Some(TokenKind::Operator),
        KeyKind::Account => Some(TokenKind::Account),
        KeyKind::User => Some(TokenKind::User),
        KeyKind::Host => Some(TokenKind::Host),
        KeyKind::Actor | KeyKind::Provider => None,
    }
}

/// Whether a token of this kind can be about this subject; the error says what would fit.
pub(crate) fn subject_fits(kind: TokenKind, subject: &str) -> Result<(), &'static str> {
    let key = |wanted, why| if KeyKind::of(subject) == Some(wanted) { Ok(()) } else { Err(why) };
    match kind {
        TokenKind::Operator => key(KeyKind::Operator, "it is an operator's key"),
        TokenKind::Account => key(KeyKind::Account, "it is an account's key"),
        TokenKind::User => key(KeyKind::User, "it is a user's key"),
        TokenKind::Host => key(KeyKind::Host, "it is a host's key"),
        TokenKind::Actor => key(KeyKind::Actor, "it is an actor's key"),
        TokenKind::Provider => key(KeyKind::Provider, "it is a provider's key"),
        TokenKind::Revocations => match KeyKind::of(subject) {
            Some(KeyKind::Account | KeyKind::Operator) => Ok(()),
            _ => Err("it is the issuer's own key"),
        },
        TokenKind::Link
        | TokenKind::Config
        | TokenKind::Share
        | TokenKind::Placement
        | TokenKind::Deployment
        | TokenKind::Rollout => {
            subject.parse::<RecordKey>().map(drop).map_err(|_| "it is a record's key")
        }
        TokenKind::Beat | TokenKind::Lease | TokenKind::ProviderLease => {
            key(KeyKind::Host, "it is the host's own key")
        }
        TokenKind::Command => key(KeyKind::Host, "it is the key of the host that is to act"),
        TokenKind::Hello => key(KeyKind::Host, "it is the key of the host that is spoken to"),
        TokenKind::Request => {
            subject.parse::<Name>().map(drop).map_err(|_| "it is the verb that is asked")
        }
        TokenKind::Answer | TokenKind::Welcome if is_id(subject) => Ok(()),
        TokenKind::Answer => Err("it is the id of what is answered"),
        TokenKind::Welcome => Err("it is the id of the hello that is answered"),
    }
}
