//! Where NATS is, and who we are to it.

mod prepare;

use std::{fmt, path::PathBuf};

pub(crate) use prepare::{Prepared, prepare};

/// How to reach NATS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Addresses of one or more servers of one cluster: `nats://127.0.0.1:4222`, `tls://…`. A user and a password in an
    /// address count where [`ConnectOptions::auth`] says nothing.
    pub servers: Vec<String>,
    /// Who we are.
    pub auth: Auth,
    /// Whether and how to encrypt.
    pub tls: Tls,
    /// The JetStream domain, where the lattice's buckets live behind a leaf node.
    pub js_domain: Option<String>,
    /// What the server's operator sees this connection called.
    pub client_name: String,
}

/// Who we are to NATS. This has nothing to do with who we are to the lattice.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nobody in particular.
    #[default]
    None,
    /// A user of the server's configuration.
    UserPassword {
        /// The user.
        user: String,
        /// Their password.
        password: String,
    },
    /// The server's shared token.
    Token(String),
    /// A credentials file, as `nsc` writes it.
    Creds(PathBuf),
    /// An nkey whose public half the server knows.
    Nkey {
        /// The user seed, `SU…`.
        seed: String,
    },
    /// A user JWT, and the seed of the key it is about.
    Jwt {
        /// The JWT.
        jwt: String,
        /// The user seed, `SU…`.
        seed: String,
    },
}

/// Whether and how the connection is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Refuse a server that does not encrypt.
    pub required: bool,
    /// A PEM file of the authorities to trust, instead of the system's.
    pub ca: Option<PathBuf>,
    /// A PEM file of the client's certificate.
    pub cert: Option<PathBuf>,
    /// A PEM file of its private key.
    pub key: Option<PathBuf>,
}

/// Says which kind, never the secret.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::UserPassword { .. } => "UserPassword(…)",
            Self::Token(_) => "Token(…)",
            Self::Creds(_) => "Creds(…)",
            Self::Nkey { .. } => "Nkey(…)",
            Self::Jwt { .. } => "Jwt(…)",
        })
    }
}
