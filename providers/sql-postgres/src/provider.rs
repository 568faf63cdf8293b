//! The provider: links come and go, calls are answered.

use std::{fmt, sync::Arc};

use tokio::time::timeout_at;
use wattle_postgres::{Links, check_constraints};
use wattle_sdk::{
    CallError, Context, ErrorKind, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider, Reply,
    Side, StartError,
};
use wattle_sql::Links as PortableLinks;

use crate::{PortableDatabase, PostgresDatabase, Settings, settings::portable_limits};

/// `wasmcloud:postgres` and `wattle:sql` over PostgreSQL. A link is of one of them.
pub struct Postgres {
    context: Context,
    links: Links<PostgresDatabase>,
    portable: PortableLinks<PortableDatabase>,
}

impl Provider for Postgres {
    async fn start(context: Context) -> Result<Self, StartError> {
        Ok(Self { context, links: Links::default(), portable: PortableLinks::default() })
    }

    /// The link holds although PostgreSQL is down: it comes back by itself, and calls say so until then. It does not hold where
    /// PostgreSQL answers that this login may not.
    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        if link.side == Side::Source {
            return Err(LinkError::new("a database is called, it does not call"));
        }
        check_constraints(&link.constraints).map_err(|error| LinkError::new(error.to_string()))?;
        let settings = Settings::new(&link.config, &self.context.start.config)
            .map_err(|error| LinkError::new(error.to_string()))?;
        let server = settings.to_string();
        let refused = |refusal| LinkError::new(format!("postgres at {server}: {refusal}"));
        // A link that is put again may be of the other contract now.
        if is_portable(&link) {
            let limits = portable_limits(&link.config, &self.context.start.config);
            let limits = limits.map_err(|error| LinkError::new(error.to_string()))?;
            let database = PortableDatabase::start(settings).await.map_err(LinkError::new)?;
            database.refusal().await.map_or(Ok(()), |refusal| Err(refused(refusal)))?;
            self.links.delete(link.link);
            self.portable.put(link.link, limits, database);
        } else {
            let database = PostgresDatabase::start(settings).await.map_err(LinkError::new)?;
            database.refusal().await.map_or(Ok(()), |refusal| Err(refused(refusal)))?;
            self.portable.delete(link.link);
            self.links.put(link.link, database);
        }
        Ok(LinkDetail::default())
    }

    async fn delete_link(&self, link: u32) {
        self.links.delete(link);
        self.portable.delete(link);
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let postgres = Arc::clone(self);
        async move {
            let IncomingCall { link, interface, function, params, deadline, .. } = call;
            let answer = async {
                if wattle_sql::INTERFACES.contains(&&*interface) {
                    let links = &postgres.portable;
                    links.dispatch(link, &interface, &function, &params, deadline).await
                } else {
                    let links = &postgres.links;
                    links.dispatch(link, &interface, &function, &params, deadline).await
                }
            };
            match timeout_at(deadline.into(), answer).await {
                Ok(result) => Ok(Reply { result: result?.into(), body: None }),
                Err(_) => {
                    let text = "postgres did not answer in time";
                    Err(CallError::new(ErrorKind::DeadlineExceeded, text))
                }
            }
        }
    }
}

fn is_portable(link: &LinkGrant) -> bool {
    link.interfaces.iter().any(|interface| wattle_sql::INTERFACES.contains(&interface.as_str()))
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("id", &self.context.start.id).finish_non_exhaustive()
    }
}
