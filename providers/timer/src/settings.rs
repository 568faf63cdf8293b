//! What a link's source side asks for: its timers, and what becomes of ticks that do not go well.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive, str::FromStr, time::Duration};

use jiff::tz::TimeZone;
use wattle_core::Name;

use crate::{
    plan::{MISSED_MAX, Missed, Overlap, Policy},
    schedule::Schedule,
};

/// Timers of one link: what they did last fits into one note.
pub(crate) const TIMERS_MAX: usize = 16;
/// Bytes of a timer's name.
pub(crate) const NAME_LEN_MAX: usize = 32;
/// Of a link with one timer, unless it says otherwise.
const DEFAULT_NAME: &str = "default";

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const HOUR_MS: u64 = 60 * 60 * 1_000;
/// Pauses between attempts.
const BACKOFF_DEFAULT: &str = "1000,10000,60000";
const BACKOFFS_MAX: usize = 10;
const RETRIES_MAX: u32 = 100;

/// All settings there are. Names are the same in upper and lower case, and with `-` for `_`.
const NAMES: [&str; 11] = [
    "schedule",
    "every",
    "schedules",
    "time_zone",
    "missed",
    "missed_max",
    "grace_ms",
    "overlap",
    "timeout_ms",
    "retries",
    "backoff_ms",
];

/// What a link asks for.
#[derive(Clone, Debug)]
pub(crate) struct LinkSettings {
    pub(crate) timers: Vec<Timing>,
    pub(crate) policy: Policy,
    pub(crate) pace: Pace,
}

/// One timer of a link.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    pub(crate) name: String,
    pub(crate) schedule: Schedule,
    /// The same for the same schedule only: another one of this name begins anew.
    pub(crate) print: u32,
}

/// How a tick is handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How long the actor may take with one attempt.
    pub(crate) timeout: Duration,
    /// Attempts after the first, where the actor answers with an error.
    pub(crate) retries: u32,
    /// Before each of them; the last goes on. Never empty.
    pub(crate) backoff: Vec<Duration>,
}

/// Why a link's settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettingError {
    pub(crate) name: String,
    reason: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "setting {}: {}", self.name, self.reason)
    }
}

fn error(name: &str, reason: impl fmt::Display) -> SettingError {
    SettingError { name: name.to_owned(), reason: reason.to_string() }
}

impl LinkSettings {
    pub(crate) fn read(settings: &BTreeMap<String, String>) -> Result<Self, SettingError> {
        let settings = Settings::of(settings)?;
        let zone = zone(settings.text("time_zone"))?;
        let most = settings.number("missed_max", 100, 1..=MISSED_MAX)?;
        let grace_ms = settings.number("grace_ms", 30_000, 0..=DAY_MS)?;
        let missed = match settings.text("missed").unwrap_or("latest") {
            "skip" => Missed::Skip { grace_ms: i64::try_from(grace_ms).unwrap_or(i64::MAX) },
            "latest" => Missed::Latest,
            "all" => Missed::All { most },
            _ => return Err(error("missed", "one of skip, latest and all")),
        };
        let overlap = match settings.text("overlap").unwrap_or("skip") {
            "skip" => Overlap::Skip,
            "queue" => Overlap::Queue { most },
            _ => return Err(error("overlap", "one of skip and queue")),
        };
        let timeout_ms = settings.number("timeout_ms", 30_000, 1..=HOUR_MS)?;
        let retries = settings.number("retries", 3, 0..=RETRIES_MAX)?;
        let pace = Pace {
            timeout: Duration::from_millis(timeout_ms),
            retries,
            backoff: backoff(settings.text("backoff_ms").unwrap_or(BACKOFF_DEFAULT))?,
        };
        Ok(Self { timers: timers(&settings, &zone)?, policy: Policy { missed, overlap }, pace })
    }
}

/// A link's settings, by the names they have here.
struct Settings<'a>(BTreeMap<&'static str, &'a str>);

impl<'a> Settings<'a> {
    fn of(settings: &'a BTreeMap<String, String>) -> Result<Self, SettingError> {
        let mut known = BTreeMap::new();
        for (key, value) in settings {
            let same = |name: &&str| key.replace('-', "_").eq_ignore_ascii_case(name);
            let name = NAMES.into_iter().find(|name| same(name));
            let name = name.ok_or_else(|| error(key, "there is no such setting"))?;
            if !value.trim().is_empty() {
                known.insert(name, value.trim());
            }
        }
        Ok(Self(known))
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied()
    }

    fn number<N>(&self, name: &str, default: N, range: RangeInclusive<N>) -> Result<N, SettingError>
    where
        N: FromStr + PartialOrd + fmt::Display,
    {
        let Some(text) = self.text(name) else { return Ok(default) };
        let fits = text.parse().ok().filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        fits.ok_or_else(|| error(name, format!("a whole number from {least} to {most}")))
    }
}

fn zone(name: Option<&str>) -> Result<(String, TimeZone), SettingError> {
    let name = name.unwrap_or("UTC");
    match TimeZone::get(name) {
        Ok(zone) => Ok((name.to_owned(), zone)),
        Err(_) => {
            let name: String = name.chars().take(80).collect();
            let text = format!("{name:?} is no time zone: use its IANA name, as Europe/Berlin");
            Err(error("time_zone", text))
        }
    }
}

fn backoff(text: &str) -> Result<Vec<Duration>, SettingError> {
    let wrong = || {
        let text = format!("1 to {BACKOFFS_MAX} pauses of 1 to {HOUR_MS} ms, with commas");
        error("backoff_ms", text)
    };
    let pause = |text: &str| {
        let ms = text.trim().parse().ok().filter(|ms| (1..=HOUR_MS).contains(ms));
        ms.map(Duration::from_millis).ok_or_else(wrong)
    };
    let pauses: Vec<_> = text.split(',').map(pause).collect::<Result<_, _>>()?;
    if pauses.len() > BACKOFFS_MAX { Err(wrong()) } else { Ok(pauses) }
}

fn timers(settings: &Settings<'_>, zone: &(String, TimeZone)) -> Result<Vec<Timing>, SettingError> {
    let one = |setting: &'static str, expression: &str| {
        let timing = timing(DEFAULT_NAME, expression, zone).map_err(|why| error(setting, why))?;
        Ok(vec![timing])
    };
    match (settings.text("schedule"), settings.text("every"), settings.text("schedules")) {
        (Some(cron), None, None) => one("schedule", cron),
        (None, Some(every), None) => one("every", &format!("every {every}")),
        (None, None, Some(lines)) => named(lines, zone),
        (None, None, None) => {
            let text = "when? Give one of schedule (0 6 * * *), every (5m) and schedules";
            Err(error("schedule", text))
        }
        _ => Err(error("schedules", "only one of schedule, every and schedules can be given")),
    }
}

/// `name = expression`, one a line or with semicolons between.
fn named(lines: &str, zone: &(String, TimeZone)) -> Result<Vec<Timing>, SettingError> {
    let mut timers: Vec<Timing> = Vec::new();
    let lines = lines.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty());
    for line in lines {
        let (name, expression) = line.split_once('=').ok_or_else(|| {
            let line: String = line.chars().take(80).collect();
            error("schedules", format!("{line:?} is not name = expression"))
        })?;
        let timing =
            timing(name.trim(), expression.trim(), zone).map_err(|why| error("schedules", why))?;
        if timers.iter().any(|other| other.name == timing.name) {
            return Err(error("schedules", format!("{} is there twice", timing.name)));
        }
        timers.push(timing);
        if timers.len() > TIMERS_MAX {
            return Err(error("schedules", format!("at most {TIMERS_MAX}: put a second link")));
        }
    }
    if timers.is_empty() { Err(error("schedules", "there is none")) } else { Ok(timers) }
}

fn timing(name: &str, expression: &str, zone: &(String, TimeZone)) -> Result<Timing, String> {
    let (zone_name, zone) = zone;
    if name.parse::<Name>().is_err() || name.len() > NAME_LEN_MAX {
        let name: String = name.chars().take(80).collect();
        return Err(format!("{name:?} is no name: 1 to {NAME_LEN_MAX} of a-z, 0-9 and '-'"));
    }
    let schedule = Schedule::parse(expression, zone).map_err(|why| why.to_string())?;
    let print = fingerprint(&[expression, zone_name]);
    Ok(Timing { name: name.to_owned(), schedule, print })
}

/// FNV-1a: it stands in notes that another version's host reads.
fn fingerprint(texts: &[&str]) -> u32 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests;
