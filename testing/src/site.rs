//! Where an actor is served over HTTP.

use anyhow::Result;

use crate::{Connection, Response, http};

/// An address that an http-server listens at for one actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// `host:port`.
    pub address: String,
}

impl Site {
    /// GET, however it ends.
    pub async fn try_get(&self, path: &str) -> Result<Response> {
        http(&self.address, "GET", path, &[], b"").await
    }

    /// GET.
    ///
    /// # Panics
    /// If there is no response.
    pub async fn get(&self, path: &str) -> Response {
        self.try_get(path).await.unwrap_or_else(|error| panic!("GET {path}: {error:#}"))
    }

    /// POST.
    ///
    /// # Panics
    /// If there is no response.
    pub async fn post(&self, path: &str, body: &[u8]) -> Response {
        let response = http(&self.address, "POST", path, &[], body).await;
        response.unwrap_or_else(|error| panic!("POST {path}: {error:#}"))
    }

    /// A connection to be used by hand.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn connect(&self) -> Connection {
        Connection::open(&self.address).await.expect("the http-server listens")
    }
}
