//! Who may do what, as signed tokens: keys, JWTs, the chain from a token to a trusted operator or account, and the claims
//! inside Wasm components and provider artifacts.
//!
//! What came from outside is [`Signed`]; only [`Signed::verify`] makes a [`Verified`], and only that may act.

pub mod audience;
pub mod body;
mod chain;
mod compact;
mod curve;
pub mod draft;
pub mod error;
pub mod issue;
pub mod key;
pub mod kind;
pub mod module;
pub mod provider;
pub mod signed;
pub mod time;
pub mod trust;
pub mod verified;

pub use audience::Audience;
pub use body::{
    About, Body, Renewed, UnderAccount,
    code::{ActorClaims, ProviderClaims},
    deployment::{GivenUp, Lease, Rollout, content_of},
    identity::{AccountClaims, HostClaims, OperatorClaims, Right, UserClaims},
    provider_lease::{LeaseScope, ProviderLease},
    record::{
        ConfigRecord, DeploymentRecord, LinkRecord, Placed, Placement, PlacementRecord, Record,
        RecordKey, RecordKeyError, RecordValue, RolloutRecord, Share, ShareRecord,
    },
    revocations::Revocations,
    session::{Hello, Welcome},
};
pub use curve::{CurvePair, OpenError};
pub use draft::{Draft, Issuer, SignError};
pub use error::TokenError;
pub use key::{KeyKind, KeyPair, SeedError};
pub use kind::TokenKind;
pub use signed::{Claims, Signed, peek_kind};
pub use time::Timestamp;
pub use trust::{LEEWAY, RevokedSet, Trust};
pub use verified::{ChainStep, Verified};

/// The most bytes of a token text, its issuers' tokens included.
pub const TOKEN_LEN_MAX: usize = 1024 * 1024;

/// The most tokens in one token text: a leaf, a user or host, an account and an operator leave room for two more.
pub const CHAIN_MAX: usize = 6;
