use super::*;

fn named(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn link(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::new(&named(pairs), &BTreeMap::new())
}

#[test]
fn wasmcloud_s_settings_and_a_url_say_the_same() {
    let theirs = link(&[
        ("POSTGRES_HOST", "db"),
        ("POSTGRES_PORT", "5433"),
        ("POSTGRES_USERNAME", "cart"),
        ("POSTGRES_PASSWORD", "geheim"),
        ("POSTGRES_DATABASE", "shop"),
        ("POSTGRES_POOL_SIZE", "3"),
    ]);
    let ours = link(&[("url", "postgres://cart:geheim@db:5433/shop"), ("pool_size", "3")]);
    for settings in [theirs.expect("wasmCloud's"), ours.expect("a URL")] {
        assert_eq!(settings.to_string(), "db:5433");
        assert_eq!(settings.postgres.get_user(), Some("cart"));
        assert_eq!(settings.postgres.get_password(), Some(&b"geheim"[..]));
        assert_eq!(settings.postgres.get_dbname(), Some("shop"));
        assert_eq!((settings.pool_size, settings.tls), (3, TlsMode::Prefer));
        assert!(!format!("{settings:?}").contains("geheim"));
    }
}

#[test]
fn the_provider_s_login_is_not_sent_to_a_link_s_server() {
    let provider = named(&[("url", "postgres://provider:geheim@db/shop"), ("max_rows", "5")]);
    let theirs = named(&[("POSTGRES_HOST", "elsewhere"), ("POSTGRES_USERNAME", "me")]);
    let settings = Settings::new(&theirs, &provider).expect("a login of its own");
    assert_eq!(settings.postgres.get_password(), None);
    assert_eq!(settings.limits.rows, 5, "limits are no login");
    let settings = Settings::new(&named(&[]), &provider).expect("the provider's");
    assert_eq!(settings.postgres.get_user(), Some("provider"));
}

#[test]
fn what_does_not_fit_is_refused_by_name_and_without_the_password() {
    let url = ("url", "postgres://u@h/d");
    for (pairs, name) in [
        (vec![], "no database"),
        (vec![("url", "postgres://u:geheim@h:port/d")], "url"),
        (vec![("url", "http://u:geheim@h")], "url"),
        (vec![("POSTGRES_HOST", "h")], "POSTGRES_USERNAME"),
        (vec![url, ("pool_size", "0")], "pool_size"),
        (vec![url, ("max_rows", "many")], "max_rows"),
        (vec![url, ("statement_timeout_ms", "99999999")], "statement_timeout_ms"),
        (vec![url, ("tls", "maybe")], "tls"),
        (vec![url, ("tls", "prefer"), ("POSTGRES_TLS_REQUIRED", "true")], "tls"),
        (vec![url, ("tls_ca_file", "ca.pem")], "tls_ca_file"),
        (vec![("url", "postgres://u@h/d?sslmode=require"), ("tls", "prefer")], "tls"),
        (vec![("url", "postgres://u@h/d?sslmode=verify-full")], "url"),
    ] {
        let error = link(&pairs).expect_err(name).to_string();
        assert!(error.contains(name) && !error.contains("geheim"), "{error}");
    }
}

#[test]
fn tls_that_is_required_is_verified() {
    let required = [("url", "postgres://u@h/d"), ("postgres_tls_required", "TRUE")];
    assert_eq!(link(&required).expect("TLS").tls, TlsMode::VerifyFull);
    let require = [("url", "postgres://u@h/d"), ("tls", "require")];
    assert_eq!(link(&require).expect("TLS").tls, TlsMode::Require);
    for (url, mode) in [
        ("postgres://u@h/d?sslmode=require", TlsMode::Require),
        ("postgres://u@h/d?sslmode=disable", TlsMode::Disable),
        ("postgres://u@h/d", TlsMode::Prefer),
    ] {
        assert_eq!(link(&[("url", url)]).expect("TLS").tls, mode, "{url}");
    }
    let strict = [("url", "postgres://u@h/d?sslmode=require"), ("tls", "verify-full")];
    assert_eq!(link(&strict).expect("TLS").tls, TlsMode::VerifyFull);
}

#[test]
fn a_portable_link_is_held_to_its_own_limits_and_to_the_providers_as_far_as_the_contract_goes() {
    let contract = wattle_sql::Limits::default();
    let provider = named(&[("MAX_PARAMS", "7"), ("max_rows", "1000000"), ("max_batch", "3")]);
    let own = named(&[("Max_Batch", "2"), ("max_statement_bytes", "")]);
    let limits = portable_limits(&own, &provider).expect("limits");
    assert_eq!((limits.params_max, limits.batch_max), (7, 2));
    assert_eq!(limits.rows_max, contract.rows_max, "the other contract allows more");
    assert_eq!(limits.statement_len_max, contract.statement_len_max);
    let too_many = named(&[("MAX_ROWS", "1000000")]);
    portable_limits(&too_many, &named(&[])).expect_err("a link raises nothing");
    portable_limits(&own, &named(&[("max_params", "many")])).expect_err("no number");
}
