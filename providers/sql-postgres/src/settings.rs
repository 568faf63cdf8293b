//! Which database a link is to, as whom, over which transport, and within which limits: from the link's and the provider's
//! settings.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};
use wattle_core::call::PARAMS_LEN_MAX;
use wattle_sql::migrations::Source;

use crate::tls::TlsMode;

/// Connections of a link where it does not say: enough that a few slow statements do not hold up the others, few enough that ten
/// links leave PostgreSQL's usual 100 to its other users.
const POOL_SIZE_DEFAULT: u64 = 8;

/// The most connections of one link: PostgreSQL's usual limit for everyone.
const POOL_SIZE_MAX: u64 = 100;

/// Milliseconds that a statement may take where the link does not say; the call's deadline is mostly shorter.
const STATEMENT_TIMEOUT_MS_DEFAULT: u64 = 30_000;

/// Milliseconds in the longest time that a link may give its statements: an hour.
const STATEMENT_TIMEOUT_MS_MAX: u64 = 3_600_000;

/// Rows of one answer where the link does not say.
const ROWS_DEFAULT: u64 = 10_000;

/// The most rows of one answer: even empty ones would not fit in a message beyond it.
const ROWS_MAX: u64 = 1_000_000;

/// The most bytes of an answer's values, as PostgreSQL sends them: what fits in a message.
const RESULT_BYTES_MAX: u64 = PARAMS_LEN_MAX as u64;

/// PostgreSQL's port.
const PORT: u16 = 5_432;

/// What tells our connections from others in `pg_stat_activity`.
const APPLICATION_NAME: &str = "wattle";

/// Settings that say where the database is and how to log in. They are all taken from the same place, so that the provider's
/// password is never sent to a server that a link names.
const LOGIN: [&str; 9] = [
    "url",
    "postgres_host",
    "postgres_port",
    "postgres_username",
    "postgres_password",
    "postgres_database",
    "postgres_tls_required",
    "tls",
    "tls_ca_file",
];

/// A link's database and limits.
#[derive(Clone)]
pub struct Settings {
    pub(crate) postgres: Config,
    pub(crate) tls: TlsMode,
    pub(crate) tls_ca_file: Option<PathBuf>,
    pub(crate) pool_size: usize,
    pub(crate) limits: Limits,
    /// What brings the database's tables to what the link's caller expects.
    pub(crate) migrations: Option<Source>,
}

/// What a link's statements are held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long a statement may take, connection and all.
    pub(crate) statement_timeout: Duration,
    /// Rows of one answer.
    pub(crate) rows: usize,
    /// Bytes of one answer's values and names.
    pub(crate) result_bytes: usize,
}

/// Why settings name no database. Values that may hold a password are not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Neither the link nor the provider says where.
    #[error(
        "no database is named: give the link's target config a url (postgres://USER@HOST/DATABASE) or POSTGRES_HOST, POSTGRES_USERNAME, POSTGRES_PASSWORD and POSTGRES_DATABASE"
    )]
    Missing,
    /// Not a URL of PostgreSQL's.
    #[error(
        "the url names no database (postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE; verify-full is said with the setting tls)"
    )]
    Malformed,
    /// A setting that does not fit.
    #[error("setting {name}: {fault}")]
    Value {
        /// The setting's name.
        name: &'static str,
        /// What is wrong with it, and what it may be.
        fault: String,
    },
    /// What are no migrations.
    #[error("{0}")]
    Migrations(String),
}

impl Settings {
    /// From a link's settings, and from the provider's where the link's are silent.
    pub fn new(
        link: &BTreeMap<String, String>,
        provider: &BTreeMap<String, String>,
    ) -> Result<Self, SettingsError> {
        let (link, provider) = (Named(link), Named(provider));
        let login = if LOGIN.iter().any(|name| link.get(name).is_some()) { link } else { provider };
        let either = |name: &'static str| link.get(name).or_else(|| provider.get(name));
        let number = |name, default, max| number(name, either(name), default, max);
        let mut postgres = server(login)?;
        let (tls, tls_ca_file) = tls(login, postgres.get_ssl_mode())?;
        let pool_size = match either("pool_size") {
            Some(_) => number("pool_size", POOL_SIZE_DEFAULT, POOL_SIZE_MAX)?,
            None => number("postgres_pool_size", POOL_SIZE_DEFAULT, POOL_SIZE_MAX)?,
        };
        let timeout =
            number("statement_timeout_ms", STATEMENT_TIMEOUT_MS_DEFAULT, STATEMENT_TIMEOUT_MS_MAX)?;
        let limits = Limits {
            statement_timeout: Duration::from_millis(timeout),
            rows: size(number("max_rows", ROWS_DEFAULT, ROWS_MAX)?),
            result_bytes: size(number("max_result_bytes", RESULT_BYTES_MAX, RESULT_BYTES_MAX)?),
        };
        postgres.application_name(either("application_name").unwrap_or(APPLICATION_NAME));
        postgres.ssl_mode(match tls {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyFull => SslMode::Require,
        });
        let migrations = Source::from_settings(link.0)
            .map_err(|error| SettingsError::Migrations(error.to_string()))?;
        Ok(Self { postgres, tls, tls_ca_file, pool_size: size(pool_size), limits, migrations })
    }
}

/// What a link of the portable contract is held to: by its own settings, else by the provider's, which may allow more to links of
/// the other contract.
pub(crate) fn portable_limits(
    link: &BTreeMap<String, String>,
    provider: &BTreeMap<String, String>,
) -> Result<wattle_sql::Limits, wattle_sql::LimitError> {
    let contract = wattle_sql::Limits::default();
    let (link, provider) = (Named(link), Named(provider));
    let inherited = |name: &str, most: u64| {
        let value = provider.get(name)?;
        Some(value.parse().map_or(value.to_owned(), |value: u64| value.min(most).to_string()))
    };
    let limits = [
        ("max_rows", contract.rows_max as u64),
        ("max_result_bytes", contract.result_len_max as u64),
        ("max_statement_bytes", contract.statement_len_max as u64),
        ("max_params", contract.params_max as u64),
        ("max_batch", contract.batch_max as u64),
        ("statement_timeout_ms", contract.time_max.as_millis() as u64),
    ];
    let said = limits.into_iter().filter_map(|(name, most)| {
        let value = link.get(name).map(str::to_owned).or_else(|| inherited(name, most))?;
        Some((name.to_owned(), value))
    });
    wattle_sql::Limits::from_settings(&said.collect())
}

/// Settings by name, in whichever case.
#[derive(Clone, Copy)]
struct Named<'a>(&'a BTreeMap<String, String>);

impl<'a> Named<'a> {
    fn get(self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

fn server(login: Named<'_>) -> Result<Config, SettingsError> {
    let mut config = match (login.get("url"), login.get("postgres_host")) {
        (Some(url), _) => {
            let config: Config = url.parse().map_err(|_| SettingsError::Malformed)?;
            if config.get_hosts().is_empty() {
                return Err(SettingsError::Malformed);
            }
            config
        }
        (None, Some(host)) => {
            let mut config = Config::new();
            config.host(host);
            config
        }
        (None, None) => return Err(SettingsError::Missing),
    };
    if config.get_ports().is_empty() {
        let port =
            number("postgres_port", login.get("postgres_port"), PORT.into(), u16::MAX.into())?;
        config.port(u16::try_from(port).expect("checked"));
    }
    if let Some(user) = login.get("postgres_username") {
        config.user(user);
    }
    if let Some(password) = login.get("postgres_password") {
        config.password(password);
    }
    if let Some(database) = login.get("postgres_database") {
        config.dbname(database);
    }
    match config.get_user() {
        Some(_) => Ok(config),
        None => Err(SettingsError::Value {
            name: "POSTGRES_USERNAME",
            fault: "no user is named, in the url neither".to_owned(),
        }),
    }
}

/// What the settings ask for, and the url's `sslmode` where they are silent. Neither makes less of what the other asks for.
fn tls(login: Named<'_>, url: SslMode) -> Result<(TlsMode, Option<PathBuf>), SettingsError> {
    let file = login.get("tls_ca_file").map(PathBuf::from);
    let required = login.get("postgres_tls_required").map(truth).transpose()?.unwrap_or(false);
    let mode = match login.get("tls") {
        Some(text) => TlsMode::parse(text).ok_or_else(|| SettingsError::Value {
            name: "tls",
            fault: format!("{text:?} is none of disable, prefer, require and verify-full"),
        })?,
        None if required || file.is_some() => TlsMode::VerifyFull,
        None => match url {
            SslMode::Disable => TlsMode::Disable,
            SslMode::Require => TlsMode::Require,
            _ => TlsMode::Prefer,
        },
    };
    if url == SslMode::Require && matches!(mode, TlsMode::Disable | TlsMode::Prefer) {
        let fault = "the url's sslmode asks for more: say require or verify-full".to_owned();
        return Err(SettingsError::Value { name: "tls", fault });
    }
    if required && matches!(mode, TlsMode::Disable | TlsMode::Prefer) {
        let fault = "POSTGRES_TLS_REQUIRED asks for more: say require or verify-full".to_owned();
        return Err(SettingsError::Value { name: "tls", fault });
    }
    match &file {
        Some(path) if !path.is_absolute() => Err(SettingsError::Value {
            name: "tls_ca_file",
            fault: "not an absolute path, as the provider has no folder to start from".to_owned(),
        }),
        Some(_) if mode != TlsMode::VerifyFull => Err(SettingsError::Value {
            name: "tls_ca_file",
            fault: "is used with tls=verify-full only".to_owned(),
        }),
        _ => Ok((mode, file)),
    }
}

fn truth(text: &str) -> Result<bool, SettingsError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(SettingsError::Value {
            name: "POSTGRES_TLS_REQUIRED",
            fault: format!("{text:?} is neither true nor false"),
        }),
    }
}

fn number(
    name: &'static str,
    text: Option<&str>,
    default: u64,
    max: u64,
) -> Result<u64, SettingsError> {
    let Some(text) = text else { return Ok(default) };
    text.parse().ok().filter(|number| (1..=max).contains(number)).ok_or_else(|| {
        SettingsError::Value { name, fault: format!("{text:?} is no number from 1 to {max}") }
    })
}

fn size(number: u64) -> usize {
    usize::try_from(number).expect("limits fit in 32 bits")
}

/// The server and the database, never the login.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.postgres.get_ports();
        for (n, host) in self.postgres.get_hosts().iter().enumerate() {
            let port = ports.get(n).or_else(|| ports.first()).copied().unwrap_or(PORT);
            let comma = if n == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                Host::Unix(path) => write!(f, "{comma}{}:{port}", path.display())?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
