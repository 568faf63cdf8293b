//! Days, times and what is made of them, in ISO 8601, which PostgreSQL reads whatever its `DateStyle`.

use wattle_postgres::{
    PgValue,
    value::{Date, Interval, Offset, Time, TimeTz, Timestamp, TimestampTz},
};

use super::{Family, Outcome, each, one, quoted};

/// A time's text; none where the value is no time.
pub(super) fn of(value: &PgValue) -> Option<Outcome> {
    use PgValue as V;
    Some(match value {
        V::Date(date) => one(Family::Date, Ok(day(date))),
        V::DateArray(all) => each(Family::Date, all, |date| Ok(day(date))),
        V::Interval(interval) => one(Family::Range, Ok(range(interval))),
        V::IntervalArray(all) => each(Family::Range, all, |interval| Ok(range(interval))),
        V::Time(time) => one(Family::Time, time_of_day(time)),
        V::TimeArray(all) => each(Family::Time, all, time_of_day),
        V::TimeTz(time) => one(Family::Time, zoned(time)),
        V::TimeTzArray(all) => each(Family::Time, all, zoned),
        V::Timestamp(at) => one(Family::Timestamp, timestamp(at, "")),
        V::TimestampArray(all) => each(Family::Timestamp, all, |at| timestamp(at, "")),
        V::TimestampTz(at) => one(Family::Timestamp, moment(at)),
        V::TimestampTzArray(all) => each(Family::Timestamp, all, moment),
        _ => return None,
    })
}

/// A day, and what stands behind the time of one: years before 1 are counted backwards.
fn parts(year: i32, month: u32, day: u32) -> (String, &'static str) {
    let (year, era) = if year > 0 { (i64::from(year), "") } else { (1 - i64::from(year), " BC") };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

fn day(date: &Date) -> String {
    match date {
        Date::PositiveInfinity => "infinity".to_owned(),
        Date::NegativeInfinity => "-infinity".to_owned(),
        Date::Ymd((year, month, day)) => {
            let (text, era) = parts(*year, *month, *day);
            format!("{text}{era}")
        }
    }
}

/// An infinite end that does not belong to the range is an open one.
fn range(interval: &Interval) -> String {
    let Interval { start, start_inclusive, end, end_inclusive } = interval;
    let first = match (start, start_inclusive) {
        (Date::NegativeInfinity, false) => String::new(),
        (date, _) => quoted(&day(date)),
    };
    let last = match (end, end_inclusive) {
        (Date::PositiveInfinity, false) => String::new(),
        (date, _) => quoted(&day(date)),
    };
    let open = if *start_inclusive { '[' } else { '(' };
    let close = if *end_inclusive { ']' } else { ')' };
    format!("{open}{first},{last}{close}")
}

/// PostgreSQL would carry a sixtieth second over; that is not what was said.
fn time_of_day(time: &Time) -> Result<String, String> {
    let Time { hour, min, sec, micro } = *time;
    let is_end = (hour, min, sec, micro) == (24, 0, 0, 0);
    if !is_end && (hour > 23 || min > 59 || sec > 59 || micro > 999_999) {
        return Err(format!("{hour}:{min}:{sec} and {micro} microseconds is no time of day"));
    }
    Ok(format!("{hour:02}:{min:02}:{sec:02}.{micro:06}"))
}

fn zoned(time: &TimeTz) -> Result<String, String> {
    Ok(format!("{} {}", time_of_day(&time.time)?, time.timesonze))
}

fn timestamp(at: &Timestamp, zone: &str) -> Result<String, String> {
    match at.date {
        Date::Ymd((year, month, day)) => {
            let (date, era) = parts(year, month, day);
            Ok(format!("{date} {}{zone}{era}", time_of_day(&at.time)?))
        }
        infinite => Ok(day(&infinite)),
    }
}

fn moment(at: &TimestampTz) -> Result<String, String> {
    let ahead = match at.offset {
        Offset::EasternHemisphereSecs(secs) => i64::from(secs),
        Offset::WesternHemisphereSecs(secs) => -i64::from(secs),
    };
    let (sign, apart) = (if ahead < 0 { '-' } else { '+' }, ahead.unsigned_abs());
    let zone = format!("{sign}{:02}:{:02}:{:02}", apart / 3_600, apart / 60 % 60, apart % 60);
    timestamp(&at.timestamp, &zone)
}
