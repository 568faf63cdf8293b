use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<LinkSettings, SettingError> {
    let settings = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    LinkSettings::read(&settings)
}

#[test]
fn one_timer_is_named_default_and_the_defaults_are_as_documented() {
    let settings =
        read(&[("schedule", "0 6 * * *"), ("Time-Zone", "Europe/Berlin")]).expect("good");
    assert_eq!(settings.timers.len(), 1);
    assert_eq!(settings.timers[0].name, "default");
    assert_eq!(settings.policy, Policy { missed: Missed::Latest, overlap: Overlap::Skip });
    let backoff = [1_000, 10_000, 60_000].map(Duration::from_millis).to_vec();
    assert_eq!(settings.pace, Pace { timeout: Duration::from_secs(30), retries: 3, backoff });
    assert!(matches!(
        read(&[("every", "90s")]).expect("good").timers[0].schedule,
        Schedule::Every { ms: 90_000 }
    ));
}

#[test]
fn several_have_names_and_their_own_expressions() {
    let lines = "nightly = 0 3 * * *\n\n sweep= every 10m ; hourly =@hourly";
    let settings = read(&[("schedules", lines), ("missed", "all"), ("missed_max", "7")]);
    let settings = settings.expect("good");
    let names: Vec<_> = settings.timers.iter().map(|timer| timer.name.as_str()).collect();
    assert_eq!(names, ["nightly", "sweep", "hourly"]);
    assert_eq!(settings.policy.missed, Missed::All { most: 7 });
}

#[test]
fn another_expression_or_zone_is_another_timer_under_the_same_name() {
    let print = |pairs: &[(&str, &str)]| read(pairs).expect("good").timers[0].print;
    let daily = print(&[("schedule", "0 6 * * *")]);
    assert_eq!(daily, print(&[("schedules", "a=0 6 * * *"), ("missed", "skip")]));
    assert_ne!(daily, print(&[("schedule", "0 7 * * *")]));
    assert_ne!(daily, print(&[("schedule", "0 6 * * *"), ("time_zone", "Europe/Berlin")]));
    assert_eq!(fingerprint(&["a"]), 0x2b24_d044, "notes of before are still read");
}

#[test]
fn what_makes_no_sense_is_refused_by_its_name() {
    let many = (0..17).map(|n| format!("t{n} = every 1h")).collect::<Vec<_>>().join("\n");
    let every = ("every", "1h");
    for (settings, name) in [
        (vec![], "schedule"),
        (vec![every, ("schedule", "* * * * *")], "schedules"),
        (vec![("schedule", "never")], "schedule"),
        (vec![("every", "10ms")], "every"),
        (vec![("schedules", "a = every 1h\na = every 2h")], "schedules"),
        (vec![("schedules", "A = every 1h")], "schedules"),
        (vec![("schedules", "just text")], "schedules"),
        (vec![("schedules", ";")], "schedules"),
        (vec![("schedules", many.as_str())], "schedules"),
        (vec![every, ("time_zone", "Mars/Olympus")], "time_zone"),
        (vec![every, ("missed", "most")], "missed"),
        (vec![every, ("missed_max", "1001")], "missed_max"),
        (vec![every, ("overlap", "run")], "overlap"),
        (vec![every, ("retries", "-1")], "retries"),
        (vec![every, ("backoff_ms", "soon")], "backoff_ms"),
        (vec![every, ("timeout_ms", "0")], "timeout_ms"),
        (vec![every, ("shedule", "x")], "shedule"),
    ] {
        let error = read(&settings).expect_err(name);
        assert_eq!(error.name, name, "{error}");
    }
}
