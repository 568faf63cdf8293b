//! What a link lets its caller ask for, and where that may lead.

use std::net::IpAddr;

use http::{Method, Uri};
use ipnet::IpNet;
use wattle_core::Constraints;

use super::{
    ALLOWED_ADDRESSES, ALLOWED_HOSTS, CONSTRAINTS,
    address::is_public,
    rule::{Host, Rule, RuleError},
};

/// The most values of a constraint: each request is held against all of them.
const VALUES_MAX: usize = 1_000;

/// A link's constraints, read once. The caller's host and the provider hold each request to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    rules: Vec<Rule>,
    addresses: Vec<IpNet>,
}

/// Why constraints give no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// A constraint that this contract does not know.
    #[error("the constraint {0:?} is not one of {known}", known = CONSTRAINTS.join(", "))]
    Unknown(String),
    /// Nothing may be asked for.
    #[error(
        "the link allows no request: say which with the constraint {ALLOWED_HOSTS}, such as \
         --constraint {ALLOWED_HOSTS}=https://api.example.com"
    )]
    NoHosts,
    /// A value of [`ALLOWED_HOSTS`] that cannot be read.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A value of [`ALLOWED_ADDRESSES`] that cannot be read.
    #[error("{0:?} is neither an address nor a network: write 127.0.0.1 or 10.0.0.0/8")]
    Address(String),
    /// More values than are read.
    #[error("the constraint {0} has more than {VALUES_MAX} values")]
    TooMany(&'static str),
}

/// Why a request may not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No rule of the link allows it.
    #[error("{method} {address} is not allowed: the link's {ALLOWED_HOSTS} does not name it")]
    NotListed {
        /// The request's.
        method: Method,
        /// Scheme, host and port; neither path nor query, which may hold secrets.
        address: String,
    },
    /// Its address is none that a rule could be for.
    #[error("the request's address names no host that can be asked")]
    NoAddress,
    /// A tunnel would carry what no rule sees.
    #[error("CONNECT is not allowed")]
    Tunnel,
    /// Where it leads is of this machine or its networks.
    #[error(
        "{host} leads to {address}, which is not public, or is in a network of the machine that asks: the link's \
         {ALLOWED_ADDRESSES} has to list it"
    )]
    PrivateAddress {
        /// The name that was asked for.
        host: String,
        /// Where it leads.
        address: IpAddr,
    },
}

impl Scope {
    /// From a link's constraints.
    ///
    /// # Errors
    /// What is wrong with them; the link must not hold then.
    pub fn new(constraints: &Constraints) -> Result<Self, ScopeError> {
        if let Some(unknown) = constraints.keys().find(|name| !CONSTRAINTS.contains(&name.as_str()))
        {
            return Err(ScopeError::Unknown(unknown.clone()));
        }
        let values = |name: &'static str| match constraints.get(name) {
            Some(values) if values.len() > VALUES_MAX => Err(ScopeError::TooMany(name)),
            Some(values) => Ok(values.as_slice()),
            None => Ok(&[][..]),
        };
        let rules: Vec<Rule> =
            values(ALLOWED_HOSTS)?.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        if rules.is_empty() {
            return Err(ScopeError::NoHosts);
        }
        let network = |text: &String| {
            let address = || text.parse().map(|address: IpAddr| address.into());
            let found = text.parse::<IpNet>().or_else(|_| address());
            found.map_err(|_| ScopeError::Address(text.chars().take(100).collect()))
        };
        let addresses = values(ALLOWED_ADDRESSES)?.iter().map(network).collect::<Result<_, _>>()?;
        Ok(Self { rules, addresses })
    }

    /// Whether the request may be made.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, method: &Method, uri: &Uri) -> Result<(), Refused> {
        let authority = uri.authority().ok_or(Refused::NoAddress)?;
        if *method == Method::CONNECT {
            return Err(Refused::Tunnel);
        }
        // A login in an address is for browsers of old; `a@b` is more often meant to look like `a`.
        let host = match Host::of(authority.host()) {
            Some(host) if !authority.as_str().contains('@') => host,
            _ => return Err(Refused::NoAddress),
        };
        if self.rules.iter().any(|rule| rule.allows(method, uri, &host)) {
            return Ok(());
        }
        let scheme = uri.scheme_str().unwrap_or_default();
        let address = format!("{scheme}://{authority}");
        Err(Refused::NotListed { method: method.clone(), address })
    }

    /// Whether a request for `host`, a name that leads to `address`, may be sent there by a machine that is in the networks `near`: only
    /// whoever connects knows them, so a caller's host leaves this to the provider.
    ///
    /// # Errors
    /// Why not.
    pub fn check_address(
        &self,
        host: &str,
        address: IpAddr,
        near: &[IpNet],
    ) -> Result<(), Refused> {
        let listed =
            || self.addresses.iter().any(|network| network.contains(&address.to_canonical()));
        if is_public(address, near) || listed() {
            return Ok(());
        }
        Err(Refused::PrivateAddress { host: host.to_owned(), address })
    }

    /// Whether a request that says its `address` in so many digits may be sent there: also where a rule that allows just this
    /// request names that address.
    ///
    /// # Errors
    /// Why not.
    pub fn check_literal(
        &self,
        method: &Method,
        uri: &Uri,
        address: IpAddr,
        near: &[IpNet],
    ) -> Result<(), Refused> {
        let host = Host::Address(address.to_canonical());
        let named = |rule: &Rule| rule.names(address) && rule.allows(method, uri, &host);
        match self.check_address(uri.host().unwrap_or_default(), address, near) {
            Err(_) if self.rules.iter().any(named) => Ok(()),
            checked => checked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(hosts: &[&str], addresses: &[&str]) -> Result<Scope, ScopeError> {
        let values = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
        Scope::new(
            &[
                (ALLOWED_HOSTS.to_owned(), values(hosts)),
                (ALLOWED_ADDRESSES.to_owned(), values(addresses)),
            ]
            .into(),
        )
    }

    fn leads(scope: &Scope, host: &str, address: &str) -> bool {
        leads_from(&[], scope, host, address)
    }

    fn leads_from(near: &[&str], scope: &Scope, host: &str, address: &str) -> bool {
        let near: Vec<IpNet> = near.iter().map(|text| text.parse().expect("a network")).collect();
        scope.check_address(host, address.parse().expect("an address"), &near).is_ok()
    }

    #[test]
    fn a_link_that_names_no_host_does_not_hold() {
        assert_eq!(scope(&[], &["10.0.0.0/8"]), Err(ScopeError::NoHosts));
        let unknown = [("hosts".to_owned(), vec!["*".to_owned()])].into();
        assert_eq!(Scope::new(&unknown), Err(ScopeError::Unknown("hosts".into())));
        assert!(matches!(scope(&["example.com"], &[]), Err(ScopeError::Rule(_))));
        let wrong = scope(&["*://*"], &["10.0.0"]);
        assert_eq!(wrong, Err(ScopeError::Address("10.0.0".into())));
    }

    #[test]
    fn what_no_rule_names_is_refused_without_its_path() {
        let scope = scope(&["https://a.example/v1"], &[]).expect("a scope");
        let refused = |method: Method, uri: &str| {
            scope.check(&method, &uri.parse().expect("an address")).expect_err(uri).to_string()
        };
        let text = refused(Method::GET, "https://a.example/v2?token=geheim");
        assert!(text.contains("https://a.example") && !text.contains("geheim"), "{text}");
        refused(Method::CONNECT, "https://a.example/v1");
        refused(Method::GET, "https://user@a.example/v1");
        refused(Method::GET, "/v1");
    }

    #[test]
    fn a_private_address_has_to_be_listed() {
        let everything = scope(&["*://*:*"], &[]).expect("a scope");
        assert!(leads(&everything, "a.example", "1.1.1.1"));
        for private in ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"] {
            assert!(!leads(&everything, private, private), "{private}");
        }
        let listed = scope(&["*://*:*"], &["10.1.0.0/16", "::1"]).expect("a scope");
        assert!(leads(&listed, "db.internal", "10.1.2.3"));
        assert!(leads(&listed, "db.internal", "::ffff:10.1.2.3"));
        assert!(!leads(&listed, "db.internal", "10.2.0.1"));
    }

    #[test]
    fn what_is_near_the_machine_that_asks_has_to_be_listed_too() {
        let near = ["8.8.8.8/32", "8.8.0.0/20", "2600:1f18::/64"];
        let everything = scope(&["*://*:*"], &[]).expect("a scope");
        for address in ["8.8.15.1", "::ffff:8.8.15.1", "64:ff9b::808:f01", "2600:1f18::7"] {
            assert!(leads(&everything, "a.example", address), "{address}");
            assert!(!leads_from(&near, &everything, "a.example", address), "{address}");
        }
        assert!(leads_from(&near, &everything, "a.example", "8.8.16.1"));
        assert!(leads_from(&near, &everything, "a.example", "2600:1f18:0:1::7"));
        let listed = scope(&["*://*:*"], &["8.8.15.0/24"]).expect("a scope");
        assert!(leads_from(&near, &listed, "a.example", "8.8.15.1"));
        assert!(!leads_from(&near, &listed, "a.example", "8.8.8.8"));
    }

    #[test]
    fn a_rule_for_an_address_is_for_those_who_ask_for_it_on_its_port_and_no_name_that_leads_there()
    {
        let rules = ["http://127.0.0.1:8080", "http://8.8.8.9", "http://evil.example", "*://*:*"];
        let near = ["8.8.8.0/24".parse().expect("a network")];
        let scope = scope(&rules, &[]).expect("a scope");
        let literal = |uri: &str| {
            let uri: Uri = uri.parse().expect("an address");
            let address = uri.host().expect("a host").parse().expect("an address");
            scope.check_literal(&Method::GET, &uri, address, &near).is_ok()
        };
        assert!(literal("http://127.0.0.1:8080/"));
        assert!(literal("http://8.8.4.4/"));
        assert!(!literal("http://8.8.8.8/"), "it is near");
        assert!(literal("http://8.8.8.9/"), "it is near, and a rule names it");
        assert!(!literal("http://127.0.0.1:22/"), "another rule allows that, and does not name it");
        assert!(!literal("http://127.0.0.2:8080/"));
        assert!(!leads(&scope, "evil.example", "127.0.0.1"));
    }
}
