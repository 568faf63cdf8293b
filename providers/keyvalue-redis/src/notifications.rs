//! Whether Redis tells of changes: its setting `notify-keyspace-events`, which is off unless somebody turns it on.

use redis::cmd;
use wattle_keyvalue::{Failure, watch::SettingError};

use crate::{address::Address, connection::Connection};

/// Redis's own setting.
const SETTING: &str = "notify-keyspace-events";

/// What it has to have: events by key (`K`) of commands on any type (`g`) and on strings (`$`), of keys that expire (`x`) and of
/// those that Redis evicts (`e`). An `A` stands for all but the first.
const BY_KEY: char = 'K';
const CLASSES: &str = "g$xe";
const ALL_CLASSES: char = 'A';

/// The link's setting that lets the provider change Redis's.
pub(crate) const CONFIGURE: &str = "configure_notifications";

/// Why Redis does not tell of changes.
pub(crate) enum Silent {
    /// It cannot be asked now.
    Away,
    /// It is not to, until somebody does what this says.
    Off(String),
}

/// What Redis's answer about its setting means.
#[derive(Debug, PartialEq, Eq)]
enum Telling {
    Enough,
    /// What the setting would have to be.
    Needs(String),
}

/// Sees to it that Redis tells of changes: turns that on where the link allows it. A login that may not look is believed to have
/// somebody who did.
pub(crate) async fn turned_on(
    connection: &Connection,
    address: &Address,
    configure: bool,
) -> Result<(), Silent> {
    let mut look = cmd("CONFIG");
    look.arg("GET").arg(SETTING);
    let found: Vec<String> = match connection.send(&look).await {
        Ok(found) => found,
        Err(Failure::Call(_)) => return Err(Silent::Away),
        Err(Failure::Store(_)) => return Ok(()),
    };
    let now = found.get(1).map_or("", String::as_str);
    let Telling::Needs(wanted) = telling(now) else { return Ok(()) };
    if !configure {
        return Err(Silent::Off(off(address, &wanted)));
    }
    let mut turn_on = cmd("CONFIG");
    turn_on.arg("SET").arg(SETTING).arg(&wanted);
    match connection.send::<()>(&turn_on).await {
        Ok(()) => Ok(()),
        Err(Failure::Call(_)) => Err(Silent::Away),
        Err(Failure::Store(error)) => {
            Err(Silent::Off(format!("{} ({CONFIGURE}: {error})", off(address, &wanted))))
        }
    }
}

fn telling(now: &str) -> Telling {
    let has = |class| now.contains(class);
    let classes = |class: &char| !has(ALL_CLASSES) && !has(*class);
    let missing: String = [BY_KEY]
        .into_iter()
        .filter(|by_key| !has(*by_key))
        .chain(CLASSES.chars().filter(classes))
        .collect();
    if missing.is_empty() { Telling::Enough } else { Telling::Needs(format!("{now}{missing}")) }
}

fn off(address: &Address, wanted: &str) -> String {
    format!(
        "redis at {address} does not tell of changes: run CONFIG SET {SETTING} '{wanted}' there (and put it into its \
         redis.conf), or set {CONFIGURE}=true on the link's source side"
    )
}

/// A link's setting that is true or false.
pub(crate) fn flag(name: &str, value: Option<&String>) -> Result<bool, SettingError> {
    let Some(value) = value else { return Ok(false) };
    let parsed = value.to_ascii_lowercase().parse();
    parsed.map_err(|_| SettingError::new(name, "either true or false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_added_to_what_is_there() {
        for enough in ["AK", "KEA", "Kg$xe", "g$lshzxeK"] {
            assert_eq!(telling(enough), Telling::Enough, "{enough}");
        }
        for (now, wanted) in [("", "Kg$xe"), ("AE", "AEK"), ("Kgx", "Kgx$e")] {
            assert_eq!(telling(now), Telling::Needs(wanted.to_owned()));
        }
    }
}
