//! When something is due: a cron expression in a time zone, or an interval. No clock of its own; times are milliseconds since 1970.

use std::{fmt, time::Duration};

use croner::{
    Cron, CronComponent,
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use jiff::{SignedDuration, Timestamp, Zoned, tz::TimeZone};

/// Nothing is due more often.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// The longest interval: what is rarer is a cron expression's.
const INTERVAL_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Bytes of an expression.
const EXPRESSION_LEN_MAX: usize = 200;
/// Times of day of one expression: each is searched for by itself. What has more goes on throughout the day.
const TIMES_MAX: usize = 60;
/// No clock was ever put back by more.
const REPEATED_MAX: SignedDuration = SignedDuration::from_hours(24);

/// When something is due.
#[derive(Clone, Debug)]
pub(crate) enum Schedule {
    /// By the calendar of a time zone. Where it lists times of day, these are they.
    Cron { cron: Box<Cron>, times: Vec<Time>, zone: TimeZone },
    /// So many milliseconds apart, counted from 1970: the same on every host.
    Every { ms: i64 },
}

/// A second, a minute and an hour.
type Time = [CronComponent; 3];

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Schedule {
    /// `every 5m`, or a cron expression.
    pub(crate) fn parse(text: &str, zone: &TimeZone) -> Result<Self, Unreadable> {
        match text.strip_prefix("every ") {
            Some(interval) => Self::every(interval),
            None => Self::cron(text, zone),
        }
    }

    /// A cron expression of five fields, or of six that begin with seconds, or one of the names (`@daily`).
    pub(crate) fn cron(text: &str, zone: &TimeZone) -> Result<Self, Unreadable> {
        let unreadable = |why: String| Unreadable(format!("{text:?} is no cron expression: {why}"));
        if text.len() > EXPRESSION_LEN_MAX {
            return Err(Unreadable(format!("more than {EXPRESSION_LEN_MAX} bytes")));
        }
        let parser =
            CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| unreadable(error.to_string()))?;
        let times = times(&cron).map_err(|error| unreadable(error.to_string()))?;
        let schedule = Self::Cron { cron: Box::new(cron), times, zone: zone.clone() };
        // The 30th of February: it would be searched for again and again.
        match schedule.next_after(REFERENCE_MS) {
            Some(_) => Ok(schedule),
            None => Err(unreadable("no time ever fits it".to_owned())),
        }
    }

    /// A number with a unit: `s`, `m`, `h` or `d`.
    pub(crate) fn every(text: &str) -> Result<Self, Unreadable> {
        let unreadable = || {
            let text = text.chars().take(EXPRESSION_LEN_MAX).collect::<String>();
            Unreadable(format!("{text:?} is no interval: 1s to 366d, as 30s, 5m, 12h or 1d"))
        };
        let text = text.trim();
        let (number, unit) =
            text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(unreadable)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            _ => return Err(unreadable()),
        };
        let number: u32 = number.trim().parse().map_err(|_| unreadable())?;
        let interval = Duration::from_secs(u64::from(number) * seconds);
        if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
            return Err(unreadable());
        }
        let ms = i64::try_from(interval.as_millis()).map_err(|_| unreadable())?;
        Ok(Self::Every { ms })
    }

    /// The first time that is due after this one. None at the end of the calendar.
    pub(crate) fn next_after(&self, after_ms: i64) -> Option<i64> {
        match self {
            Self::Every { ms } => after_ms.div_euclid(*ms).checked_add(1)?.checked_mul(*ms),
            Self::Cron { cron, times, zone } => {
                let second = Timestamp::from_second(after_ms.div_euclid(1_000)).ok()?;
                let after = Zoned::new(second, zone.clone());
                let next = |cron: &Cron| {
                    let next = cron.find_next_occurrence(&after, false).ok()?;
                    Some(next.timestamp().as_millisecond()).filter(|next| *next > after_ms)
                };
                let together = next(cron)?;
                if times.is_empty() || !is_changed(zone, second, together) {
                    return Some(together);
                }
                let mut alone = cron.clone();
                let each = times.iter().filter_map(|time| {
                    let pattern = &mut alone.pattern;
                    [pattern.seconds, pattern.minutes, pattern.hours] = time.clone();
                    next(&alone)
                });
                each.min()
            }
        }
    }

    /// What is due after one time, up to another, oldest first; at most so many.
    pub(crate) fn between(&self, after_ms: i64, to_ms: i64, most: usize) -> Vec<i64> {
        let next = |last: &i64| self.next_after(*last);
        let due = std::iter::successors(self.next_after(after_ms), next);
        due.take_while(|due| *due <= to_ms).take(most).collect()
    }
}

/// The times of day of an expression that lists several. croner takes only one that stands alone for a time of day, which it moves out
/// of a gap and has come once where it is repeated.
fn times(cron: &Cron) -> Result<Vec<Time>, CronError> {
    let pattern = &cron.pattern;
    let mut fields = pattern.as_str().split_whitespace().rev().skip(3); // after them: day, month, weekday
    if fields.any(|field| field.contains(['*', '/'])) {
        return Ok(Vec::new());
    }
    let [seconds, minutes, hours] =
        [&pattern.seconds, &pattern.minutes, &pattern.hours].map(CronComponent::values);
    if !(2..=TIMES_MAX).contains(&(seconds.len() * minutes.len() * hours.len())) {
        return Ok(Vec::new());
    }
    let mut times = Vec::new();
    for hour in &hours {
        for minute in &minutes {
            for second in &seconds {
                times.push([only(*second, 59)?, only(*minute, 59)?, only(*hour, 23)?]);
            }
        }
    }
    Ok(times)
}

/// A field with one value, of those up to another.
fn only(value: u16, max: u16) -> Result<CronComponent, CronError> {
    let mut field = CronComponent::new(0, max, 0, 0);
    field.parse(&value.to_string())?;
    Ok(field)
}

/// Whether a zone's clock is changed between two times, or so shortly before that it may still repeat what it has shown.
fn is_changed(zone: &TimeZone, from: Timestamp, to_ms: i64) -> bool {
    let from = from.checked_sub(REPEATED_MAX).unwrap_or(from);
    let change = zone.following(from).next();
    change.is_some_and(|change| change.timestamp().as_millisecond() <= to_ms)
}

/// From where a new expression is tried: within the calendar of every time zone, leap days ahead.
const REFERENCE_MS: i64 = 1_700_000_000_000;

#[cfg(test)]
mod tests;
