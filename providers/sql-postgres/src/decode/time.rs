//! Days, times and what is made of them. PostgreSQL counts days and microseconds from the first of January 2000.

use wattle_postgres::value::{Date, Interval, Offset, Time, TimeTz, Timestamp, TimestampTz};

use super::{Fault, reader::Reader};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Days from the first of March of the year 0, where a cycle of 400 years begins, to the first of January 2000.
const DAYS_TO_2000: i64 = 730_425;

/// Days in 400 years.
const DAYS_PER_CYCLE: i64 = 146_097;

const RANGE_EMPTY: u8 = 0x01;
const RANGE_FIRST_INCLUDED: u8 = 0x02;
const RANGE_LAST_INCLUDED: u8 = 0x04;
const RANGE_FIRST_OPEN: u8 = 0x08;
const RANGE_LAST_OPEN: u8 = 0x10;

/// Stands for a day in an empty range, which has none.
const NO_DAY: Date = Date::Ymd((2000, 1, 1));

pub(super) fn date(raw: &[u8]) -> Result<Date, Fault> {
    match Reader::all(raw, Reader::i32)? {
        i32::MAX => Ok(Date::PositiveInfinity),
        i32::MIN => Ok(Date::NegativeInfinity),
        days => day(days.into()),
    }
}

pub(super) fn time(raw: &[u8]) -> Result<Time, Fault> {
    time_of_day(Reader::all(raw, Reader::i64)?)
}

/// The zone comes as seconds behind UTC, and is written as people write it: ahead of UTC.
pub(super) fn time_tz(raw: &[u8]) -> Result<TimeTz, Fault> {
    let mut reader = Reader::new(raw);
    let time = time_of_day(reader.i64()?)?;
    let behind = reader.i32()?;
    let (sign, apart) = (if behind > 0 { '-' } else { '+' }, behind.unsigned_abs());
    let (hours, minutes, seconds) = (apart / 3_600, apart / 60 % 60, apart % 60);
    let mut timesonze = format!("{sign}{hours:02}:{minutes:02}");
    if seconds != 0 {
        timesonze.push_str(&format!(":{seconds:02}"));
    }
    reader.end(TimeTz { timesonze, time })
}

pub(super) fn timestamp(raw: &[u8]) -> Result<Timestamp, Fault> {
    let midnight = Time { hour: 0, min: 0, sec: 0, micro: 0 };
    match Reader::all(raw, Reader::i64)? {
        i64::MAX => Ok(Timestamp { date: Date::PositiveInfinity, time: midnight }),
        i64::MIN => Ok(Timestamp { date: Date::NegativeInfinity, time: midnight }),
        micros => Ok(Timestamp {
            date: day(micros.div_euclid(MICROS_PER_DAY))?,
            time: time_of_day(micros.rem_euclid(MICROS_PER_DAY))?,
        }),
    }
}

pub(super) fn timestamp_tz(raw: &[u8]) -> Result<TimestampTz, Fault> {
    Ok(TimestampTz { timestamp: timestamp(raw)?, offset: Offset::EasternHemisphereSecs(0) })
}

pub(super) fn range(raw: &[u8]) -> Result<Interval, Fault> {
    let mut reader = Reader::new(raw);
    let flags = reader.u8()?;
    let is = |flag: u8| flags & flag != 0;
    let (mut start, mut end) = (Date::NegativeInfinity, Date::PositiveInfinity);
    if is(RANGE_EMPTY) {
        (start, end) = (NO_DAY, NO_DAY);
    } else {
        for (open, bound) in [(RANGE_FIRST_OPEN, &mut start), (RANGE_LAST_OPEN, &mut end)] {
            if !is(open) {
                *bound = date(reader.sized()?.ok_or("a range without its bound")?)?;
            }
        }
    }
    let (start_inclusive, end_inclusive) = (is(RANGE_FIRST_INCLUDED), is(RANGE_LAST_INCLUDED));
    reader.end(Interval { start, start_inclusive, end, end_inclusive })
}

fn time_of_day(micros: i64) -> Result<Time, Fault> {
    let micros = u64::try_from(micros).ok().filter(|micros| *micros <= 86_400_000_000);
    let micros = micros.ok_or("a time outside the day")?;
    let part =
        |unit: u64, count: u64| u32::try_from(micros / unit % count).expect("less than a million");
    Ok(Time {
        hour: part(3_600_000_000, 25),
        min: part(60_000_000, 60),
        sec: part(1_000_000, 60),
        micro: part(1, 1_000_000),
    })
}

/// The day that lies so many days behind the first of January 2000, in the Gregorian calendar. Years begin in March while we count,
/// so that the day that some years have more is their last.
fn day(days: i64) -> Result<Date, Fault> {
    let days = days + DAYS_TO_2000;
    let (cycle, day) = (days.div_euclid(DAYS_PER_CYCLE), days.rem_euclid(DAYS_PER_CYCLE));
    let year_of_cycle = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let is_next_year = month_from_march >= 10;
    let month = if is_next_year { month_from_march - 9 } else { month_from_march + 3 };
    let year = cycle * 400 + year_of_cycle + i64::from(is_next_year);
    let year = i32::try_from(year).map_err(|_| "a day that is too far away".to_owned())?;
    let small = |number: i64| u32::try_from(number).expect("a month or a day of one");
    Ok(Date::Ymd((year, small(month), small(day_of_month))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, ymd) in [
            (0, (2000, 1, 1)),
            (59, (2000, 2, 29)),
            (60, (2000, 3, 1)),
            (-1, (1999, 12, 31)),
            (8_825, (2024, 2, 29)),
            (-10_957, (1970, 1, 1)),
            (-730_119, (1, 1, 1)),
            (-730_120, (0, 12, 31)),
        ] {
            assert_eq!(day(days), Ok(Date::Ymd(ymd)), "{days}");
        }
    }

    #[test]
    fn a_day_may_end_at_24_and_no_later() {
        let midnight = Time { hour: 24, min: 0, sec: 0, micro: 0 };
        assert_eq!(time(&MICROS_PER_DAY.to_be_bytes()), Ok(midnight));
        assert!(time(&(MICROS_PER_DAY + 1).to_be_bytes()).is_err());
        assert!(time(&(-1_i64).to_be_bytes()).is_err());
    }
}
