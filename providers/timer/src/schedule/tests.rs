use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a zone")
}

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("a time").as_millisecond()
}

/// What an expression gives between two times, as UTC.
fn due(expression: &str, place: &str, from: &str, to: &str) -> Vec<String> {
    let schedule = Schedule::parse(expression, &zone(place)).expect("a schedule");
    let due = schedule.between(ms(from), ms(to), 1_000).into_iter();
    due.map(|due| Timestamp::from_millisecond(due).expect("a time").to_string()).collect()
}

#[test]
fn fields_are_minutes_first_or_seconds_first() {
    let from = "2026-03-01T00:00:00Z";
    assert_eq!(
        due("30 4 * * *", "UTC", from, "2026-03-03T00:00:00Z"),
        ["2026-03-01T04:30:00Z", "2026-03-02T04:30:00Z"]
    );
    assert_eq!(
        due("*/20 * * * * *", "UTC", from, "2026-03-01T00:01:00Z"),
        ["2026-03-01T00:00:20Z", "2026-03-01T00:00:40Z", "2026-03-01T00:01:00Z"]
    );
    assert_eq!(due("@daily", "UTC", from, "2026-03-02T00:00:00Z"), ["2026-03-02T00:00:00Z"]);
    assert_eq!(
        due("0 9 * * MON-FRI", "Europe/Berlin", "2026-03-06T12:00:00Z", "2026-03-09T12:00:00Z"),
        ["2026-03-09T08:00:00Z"]
    );
}

/// Berlin goes from 02:00 to 03:00 on 2026-03-29 at 01:00 UTC.
#[test]
fn what_is_due_in_the_hour_that_a_clock_leaves_out_comes_at_its_end() {
    let night = |expression: &str| {
        due(expression, "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T03:00:00Z")
    };
    assert_eq!(night("30 2 * * *"), ["2026-03-29T01:00:00Z"]);
    assert_eq!(night("0 3 * * *"), ["2026-03-29T01:00:00Z"]);
    assert_eq!(
        night("0 * * * *"),
        [
            "2026-03-29T00:00:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-29T02:00:00Z",
            "2026-03-29T03:00:00Z"
        ]
    );
    let next = due("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(next, ["2026-03-30T00:30:00Z"], "and the next day as ever");
}

/// Berlin goes from 03:00 back to 02:00 on 2026-10-25 at 01:00 UTC.
#[test]
fn what_is_due_in_the_hour_that_a_clock_repeats_comes_once_and_what_is_due_all_the_time_goes_on() {
    let night = |expression: &str| {
        due(expression, "Europe/Berlin", "2026-10-24T22:30:00Z", "2026-10-25T03:00:00Z")
    };
    assert_eq!(night("30 2 * * *"), ["2026-10-25T00:30:00Z"]);
    assert_eq!(night("0 3 * * *"), ["2026-10-25T02:00:00Z"]);
    assert_eq!(night("30 * * * *").len(), 4, "each half hour of real time");
    assert_eq!(
        night("*/30 2 * * *"),
        [
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z"
        ]
    );
}

#[test]
fn each_time_of_a_list_is_a_time_of_day_of_its_own() {
    let spring = |expression: &str| {
        due(expression, "Europe/Berlin", "2026-03-28T23:30:00Z", "2026-03-29T03:00:00Z")
    };
    let autumn = |expression: &str| {
        due(expression, "Europe/Berlin", "2026-10-24T22:30:00Z", "2026-10-25T03:00:00Z")
    };
    for (list, at_the_gap, repeated) in [
        ("30 2,14 * * *", vec!["2026-03-29T01:00:00Z"], vec!["2026-10-25T00:30:00Z"]),
        (
            "15,45 2 * * *",
            vec!["2026-03-29T01:00:00Z"],
            vec!["2026-10-25T00:15:00Z", "2026-10-25T00:45:00Z"],
        ),
        (
            "0 1-3 * * *",
            vec!["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"],
            vec!["2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"],
        ),
        (
            "10,20 0 2,14 * * *",
            vec!["2026-03-29T01:00:00Z"],
            vec!["2026-10-25T00:00:10Z", "2026-10-25T00:00:20Z"],
        ),
    ] {
        assert_eq!(spring(list), at_the_gap, "{list}");
        assert_eq!(autumn(list), repeated, "{list}");
    }
    let rest =
        due("30 2,14 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z");
    assert_eq!(rest, ["2026-03-29T12:30:00Z", "2026-03-30T00:30:00Z"]);
    assert_eq!(autumn("0-59 2 * * *").len(), 60);
    assert_eq!(autumn("0-59 2,14 * * *").len(), 120, "so many go on throughout the day");
}

#[test]
fn half_hour_zones_and_zones_without_summer_are_right_too() {
    // Lord Howe goes ahead by half an hour, from 02:00 to 02:30, on 2026-10-04 at 15:30 UTC of the day before.
    let howe =
        due("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T20:00:00Z");
    assert_eq!(howe, ["2026-10-03T15:30:00Z"]);
    let india = due("0 6 * * *", "Asia/Kolkata", "2026-06-01T00:00:00Z", "2026-06-01T12:00:00Z");
    assert_eq!(india, ["2026-06-01T00:30:00Z"]);
}

#[test]
fn the_29th_of_february_comes() {
    let leap = due("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2029-01-01T00:00:00Z");
    assert_eq!(leap, ["2028-02-29T00:00:00Z"]);
}

#[test]
fn what_never_comes_or_is_none_is_refused_at_once() {
    let started = std::time::Instant::now();
    for bad in [
        "0 0 30 2 *",
        "",
        "* * * *",
        "* * * * * * *",
        "61 * * * *",
        "every",
        "every 0s",
        "every 500ms",
        "every 367d",
        "every -1s",
        "every 99999999999d",
        "every ä",
        "@reboot",
        &"* ".repeat(200),
    ] {
        assert!(Schedule::parse(bad, &TimeZone::UTC).is_err(), "{bad:?}");
    }
    let took = started.elapsed();
    eprintln!("refusing took {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn intervals_fall_on_the_same_times_on_every_host() {
    let every = Schedule::parse("every 15m", &TimeZone::UTC).expect("an interval");
    let from = ms("2026-03-01T10:07:12.345Z");
    assert_eq!(every.next_after(from), Some(ms("2026-03-01T10:15:00Z")));
    assert_eq!(every.next_after(ms("2026-03-01T10:15:00Z")), Some(ms("2026-03-01T10:30:00Z")));
    assert_eq!(every.between(from, ms("2026-03-01T11:00:00Z"), 3).len(), 3);
}
