//! Which link a request goes to: a table per address, made anew on each change and never touched while it is read.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use crate::trace::Tracing;

/// What a link serves on its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Lower case, without a port; `None` is every host.
    pub(crate) host: Option<Box<str>>,
    /// Without a slash at its end; empty is every path.
    pub(crate) path: Box<str>,
    /// Who answers, for messages.
    pub(crate) peer: Box<str>,
    pub(crate) target: Target,
}

/// What an exchange needs of its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) link: u32,
    pub(crate) timeout: Duration,
    pub(crate) body_len_max: u64,
    pub(crate) tracing: Tracing,
}

/// Two links want the same requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{} is already routed to {peer}", .host.as_deref().unwrap_or("any host, path "),
    if .path.is_empty() { "/" } else { .path })]
pub(crate) struct Clash {
    host: Option<Box<str>>,
    path: Box<str>,
    peer: Box<str>,
}

/// The routes of one address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    /// Longest path first, so the first that fits is the most specific.
    any_host: Vec<Route>,
    by_host: HashMap<Box<str>, Vec<Route>>,
}

impl Routes {
    /// The table with one route more.
    pub(crate) fn with(&self, route: Route) -> Result<Self, Clash> {
        let mut routes = self.clone();
        let list = match &route.host {
            None => &mut routes.any_host,
            Some(host) => routes.by_host.entry(host.clone()).or_default(),
        };
        if let Some(other) = list.iter().find(|other| other.path == route.path) {
            let Route { host, path, peer, .. } = other.clone();
            return Err(Clash { host, path, peer });
        }
        let at = list.partition_point(|other| other.path.len() >= route.path.len());
        list.insert(at, route);
        Ok(routes)
    }

    /// The table without what this link serves.
    pub(crate) fn without(&self, link: u32) -> Self {
        let mut routes = self.clone();
        routes.any_host.retain(|route| route.target.link != link);
        for list in routes.by_host.values_mut() {
            list.retain(|route| route.target.link != link);
        }
        routes.by_host.retain(|_, list| !list.is_empty());
        routes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.any_host.is_empty() && self.by_host.is_empty()
    }

    /// The link for a request: among those for its host, then among those for any host, the one with the longest path that
    /// holds the request's path. `host` has no port.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<Target> {
        let hosts_own = if self.by_host.is_empty() {
            None
        } else {
            self.by_host.get(&*lower_case(host)).and_then(|list| longest(list, path))
        };
        hosts_own.or_else(|| longest(&self.any_host, path)).map(|route| route.target)
    }
}

fn longest<'a>(list: &'a [Route], path: &str) -> Option<&'a Route> {
    list.iter().find(|route| holds(&route.path, path))
}

/// Whether `path` is `prefix` or lies below it: `/a` holds `/a` and `/a/b`, not `/ab`.
fn holds(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        || prefix.is_empty()
}

fn lower_case(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn route(link: u32, host: Option<&str>, path: &str) -> Route {
        let target = Target {
            link,
            timeout: Duration::from_secs(1),
            body_len_max: 0,
            tracing: Tracing::Off,
        };
        Route { host: host.map(Into::into), path: path.into(), peer: "cart".into(), target }
    }

    fn table(routes: &[(u32, Option<&str>, &str)]) -> Routes {
        routes.iter().fold(Routes::default(), |table, (link, host, path)| {
            table.with(route(*link, *host, path)).expect("no clash")
        })
    }

    fn found(table: &Routes, host: &str, path: &str) -> Option<u32> {
        table.find(host, path).map(|target| target.link)
    }

    #[test]
    fn the_longest_path_wins_and_a_path_ends_at_a_slash() {
        let table = table(&[(1, None, ""), (2, None, "/a"), (3, None, "/a/b")]);
        for (path, link) in
            [("/", 1), ("/ab", 1), ("/a", 2), ("/a/", 2), ("/a/bc", 2), ("/a/b/c", 3), ("*", 1)]
        {
            assert_eq!(found(&table, "x", path), Some(link), "{path}");
        }
    }

    #[test]
    fn a_hosts_own_routes_come_before_those_of_any_host() {
        let table = table(&[(1, None, "/a/b"), (2, Some("shop"), ""), (3, Some("blog"), "/a")]);
        assert_eq!(found(&table, "SHOP", "/a/b"), Some(2));
        assert_eq!(found(&table, "blog", "/x"), None);
        assert_eq!(found(&table, "blog", "/a/b"), Some(3));
        assert_eq!(found(&table, "other", "/a/b"), Some(1));
        assert_eq!(found(&table, "other", "/"), None);
    }

    #[test]
    fn a_clash_says_who_was_first() {
        let clash = table(&[(1, Some("shop"), "/a")])
            .with(route(2, Some("shop"), "/a"))
            .expect_err("the same requests");
        assert_eq!(clash.to_string(), "shop/a is already routed to cart");
        let clash = table(&[(1, None, "")]).with(route(2, None, "")).expect_err("all requests");
        assert_eq!(clash.to_string(), "any host, path / is already routed to cart");
    }

    #[test]
    fn what_a_link_served_is_gone_with_it() {
        let routes = table(&[(1, None, "/a"), (2, Some("shop"), "/a")]);
        let routes = routes.without(2);
        assert_eq!((found(&routes, "shop", "/a"), routes.is_empty()), (Some(1), false));
        assert!(routes.without(1).is_empty());
    }

    proptest! {
        #[test]
        fn the_table_agrees_with_looking_at_every_route(
            routes in proptest::collection::vec(
                (proptest::option::of("[ab]"), "(/[ab]{1,2}){0,3}"), 0..12),
            host in "[abAB]",
            path in "(/[ab]{0,2}){1,4}",
        ) {
            let mut table = Routes::default();
            let mut kept: Vec<Route> = Vec::new();
            for (link, (host, path)) in (0..).zip(&routes) {
                let route = route(link, host.as_deref(), path);
                if let Ok(next) = table.with(route.clone()) {
                    table = next;
                    kept.push(route);
                }
            }
            let below = |route: &&Route| {
                path == *route.path || path.starts_with(&format!("{}/", route.path))
            };
            let host_fits = |route: &&Route| {
                route.host.as_deref().is_none_or(|own| own == host.to_lowercase())
            };
            let best = kept
                .iter()
                .filter(below)
                .filter(host_fits)
                .max_by_key(|route| (route.host.is_some(), route.path.len()));
            prop_assert_eq!(table.find(&host, &path), best.map(|route| route.target));
        }
    }
}
