use jiff::tz::TimeZone;

use super::*;

/// Each ten seconds.
fn ten() -> Schedule {
    Schedule::parse("every 10s", &TimeZone::UTC).expect("an interval")
}

fn policy(missed: Missed) -> Policy {
    Policy { missed, overlap: Overlap::Skip }
}

fn past(last_ms: i64) -> Past {
    Past::resumed(last_ms)
}

const SKIP: Missed = Missed::Skip { grace_ms: 5_000 };

#[test]
fn what_is_due_comes_and_then_nothing_until_the_next() {
    assert_eq!(
        step(&ten(), policy(SKIP), past(0), 10_003),
        Step::Fire { due_ms: 10_000, missed: 0 }
    );
    let wait = Step::Wait { until_ms: Some(20_000) };
    assert_eq!(step(&ten(), policy(SKIP), past(10_000), 10_003), wait);
    assert_eq!(step(&ten(), policy(SKIP), past(10_000), 19_999), wait);
}

#[test]
fn missed_ticks_are_dropped_or_the_newest_comes_or_all_do() {
    let late = |missed| step(&ten(), policy(missed), past(0), 47_000);
    assert_eq!(late(SKIP), Step::Drop { to_ms: 40_000, missed: 4 });
    assert_eq!(late(Missed::Skip { grace_ms: 7_000 }), Step::Fire { due_ms: 40_000, missed: 3 });
    assert_eq!(late(Missed::Latest), Step::Fire { due_ms: 40_000, missed: 3 });
    assert_eq!(late(Missed::All { most: 9 }), Step::Fire { due_ms: 10_000, missed: 0 });
    assert_eq!(late(Missed::All { most: 2 }), Step::Fire { due_ms: 30_000, missed: 2 });
}

#[test]
fn what_was_dropped_is_counted_with_the_next_that_comes() {
    let dropped = Past { missed: 4, ..past(40_000) };
    let next = step(&ten(), policy(SKIP), dropped, 50_001);
    assert_eq!(next, Step::Fire { due_ms: 50_000, missed: 4 });
}

#[test]
fn what_falls_due_while_the_last_is_handled_is_dropped_or_queued_whatever_is_done_about_misses() {
    let mut busy = past(0);
    busy.handled(10_000, 10_001, 35_000);
    for missed in [SKIP, Missed::Latest, Missed::All { most: 9 }] {
        let skipped = step(&ten(), policy(missed), busy, 35_000);
        assert_eq!(skipped, Step::Drop { to_ms: 30_000, missed: 2 }, "{missed:?}");
        let queue = Policy { missed, overlap: Overlap::Queue { most: 9 } };
        let queued = step(&ten(), queue, busy, 35_000);
        assert_eq!(queued, Step::Fire { due_ms: 20_000, missed: 0 }, "{missed:?}");
        let short = Policy { missed, overlap: Overlap::Queue { most: 1 } };
        let queued = step(&ten(), short, busy, 35_000);
        assert_eq!(queued, Step::Fire { due_ms: 30_000, missed: 1 }, "{missed:?}");
    }
}

#[test]
fn what_was_missed_before_the_first_call_does_not_overlap_with_it_and_what_is_queued_stays_so() {
    let all = policy(Missed::All { most: 9 });
    let mut late = past(0);
    late.handled(10_000, 47_000, 47_100);
    assert_eq!(step(&ten(), all, late, 47_100), Step::Fire { due_ms: 20_000, missed: 0 });
    late.handled(20_000, 47_100, 55_000);
    assert_eq!(step(&ten(), all, late, 55_000), Step::Fire { due_ms: 30_000, missed: 0 });
    late.handled(40_000, 55_000, 55_100);
    assert_eq!(step(&ten(), all, late, 55_100), Step::Drop { to_ms: 50_000, missed: 1 });

    let queue = Policy { missed: Missed::Latest, overlap: Overlap::Queue { most: 9 } };
    let mut slow = past(0);
    slow.handled(10_000, 10_000, 35_000);
    assert_eq!(step(&ten(), queue, slow, 35_000), Step::Fire { due_ms: 20_000, missed: 0 });
    slow.handled(20_000, 35_000, 45_000);
    assert_eq!(step(&ten(), queue, slow, 45_000), Step::Fire { due_ms: 30_000, missed: 0 });
    slow.handled(40_000, 45_000, 46_000);
    slow.rested();
    let then = step(&ten(), queue, slow, 71_000);
    assert_eq!(then, Step::Fire { due_ms: 70_000, missed: 2 }, "a pause, and then an outage");
}

#[test]
fn a_clock_that_is_put_back_brings_nothing_twice() {
    let waits = step(&ten(), policy(Missed::All { most: 9 }), past(50_000), 12_000);
    assert_eq!(waits, Step::Wait { until_ms: Some(60_000) });
}

/// What comes first after all that is dropped, and what was done until then.
fn first(schedule: &Schedule, policy: Policy, mut past: Past, now_ms: i64) -> (Step, Past) {
    for _ in 0..10 {
        match step(schedule, policy, past, now_ms) {
            Step::Drop { to_ms, missed } => {
                assert!(to_ms > past.last_ms, "it gets on");
                past.dropped(to_ms, missed);
            }
            other => return (other, past),
        }
    }
    panic!("more than a few steps");
}

#[test]
fn a_burst_with_a_long_quiet_time_behind_it_is_made_up_for() {
    let ms = |text: &str| text.parse::<jiff::Timestamp>().expect("a time").as_millisecond();
    let policies = [Missed::Latest, Missed::All { most: MISSED_MAX }, Missed::All { most: 10 }];
    for (text, last, now) in [
        ("* * 8 * * *", "2026-03-02T08:10:00Z", "2026-03-02T20:00:00Z"),
        ("* * 8 * * *", "2026-03-02T08:10:00Z", "2026-03-05T08:01:40Z"),
        ("* * 8 1 1 *", "2025-01-01T08:10:00Z", "2026-01-01T08:01:40Z"),
    ] {
        let schedule = Schedule::parse(text, &TimeZone::UTC).expect("an expression");
        let due = schedule.between(ms(last), ms(now), 20_000);
        for missed in policies {
            let wanted = if let Missed::All { most } = missed { most } else { 1 };
            let (comes, _) = first(&schedule, policy(missed), past(ms(last)), ms(now));
            let Step::Fire { due_ms, .. } = comes else { panic!("{text} until {now}: {comes:?}") };
            assert_eq!(due_ms, due[due.len() - wanted], "{text} until {now}: {missed:?}");
        }
    }
    let eight = Schedule::parse("* * 8 * * *", &TimeZone::UTC).expect("an expression");
    let (last_ms, now_ms) = (ms("2026-03-02T08:10:00Z"), ms("2026-03-02T20:00:00Z"));
    let (latest, _) = first(&eight, policy(Missed::Latest), past(last_ms), now_ms);
    let newest_ms = ms("2026-03-02T08:59:59Z");
    assert!(matches!(latest, Step::Fire { due_ms, .. } if due_ms == newest_ms), "{latest:?}");
}

#[test]
fn an_outage_of_years_is_dealt_with_in_few_steps() {
    for (text, missed) in [
        ("every 1s", Missed::All { most: MISSED_MAX }),
        ("* * * * * *", Missed::All { most: 10 }),
        ("* * * * * *", Missed::Latest),
        ("*/5 * * * *", SKIP),
    ] {
        let schedule = Schedule::parse(text, &TimeZone::UTC).expect("a schedule");
        let now_ms = 1_700_000_000_500;
        let past = past(now_ms - 3 * 365 * 86_400_000);
        let started = std::time::Instant::now();
        let (first, past) = first(&schedule, policy(missed), past, now_ms);
        eprintln!("{text}: {:?}", started.elapsed());
        let due = schedule.between(past.last_ms, now_ms, LOOK_MAX);
        match (missed, first) {
            (Missed::All { most }, Step::Fire { due_ms, missed }) => {
                assert_eq!(due_ms, due[due.len() - most]);
                assert!(missed >= count(MISSED_MAX), "{missed}");
            }
            (Missed::Latest, Step::Fire { due_ms, .. }) => assert_eq!(Some(&due_ms), due.last()),
            (Missed::Skip { .. }, Step::Wait { until_ms }) => assert!(until_ms > Some(now_ms)),
            other => panic!("{text}: {other:?}"),
        }
    }
}

/// Runs a link's life on a clock that goes, stands still, and is put ahead and back.
fn simulate(schedule: &Schedule, policy: Policy, mut seed: u64) -> Vec<i64> {
    let mut random = |below: i64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(seed >> 33).expect("31 bits") % below
    };
    let (mut now_ms, mut fired) = (1_000_000_i64, Vec::new());
    let mut past = past(now_ms);
    for _ in 0..3_000 {
        match step(schedule, policy, past, now_ms) {
            Step::Wait { until_ms } => {
                let jump = match random(40) {
                    0 => random(200_000),
                    1 => -random(100_000),
                    _ => 0,
                };
                let pause = until_ms.map_or(1_000, |until| (until - now_ms).clamp(0, 1_000));
                now_ms = (now_ms + pause + jump).max(0);
                past.rested();
            }
            Step::Fire { due_ms, .. } => {
                assert!(due_ms <= now_ms, "nothing comes early");
                fired.push(due_ms);
                let from_ms = now_ms;
                now_ms += random(25_000);
                past.handled(due_ms, from_ms, now_ms);
            }
            Step::Drop { to_ms, missed } => {
                assert!(missed > 0 && to_ms > past.last_ms);
                past.dropped(to_ms, missed);
            }
        }
    }
    fired
}

#[test]
fn whatever_the_clock_does_no_tick_comes_twice_or_out_of_order() {
    let cron = Schedule::parse("*/7 * * * * *", &TimeZone::UTC).expect("an expression");
    let mut total = 0;
    for schedule in [ten(), cron] {
        for missed in [SKIP, Missed::Latest, Missed::All { most: 5 }] {
            for overlap in [Overlap::Skip, Overlap::Queue { most: 3 }] {
                for seed in 0..20 {
                    let fired = simulate(&schedule, Policy { missed, overlap }, seed);
                    assert!(fired.is_sorted_by(|a, b| a < b), "{missed:?} {overlap:?} {seed}");
                    total += fired.len();
                }
            }
        }
    }
    assert!(total > 10_000, "{total} ticks are too few to say anything");
}
