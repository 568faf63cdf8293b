use std::{fs, path::Path};

use wattle_core::{BuiltIn, Constraints, entity::CodeKey};

use super::*;

/// A link to secrets with these settings and constraints.
fn link(keys: &[(&str, &str)], names: &[&str]) -> Link {
    let account = format!("A{}", "A".repeat(55)).parse().expect("a key");
    let mut source = BuiltIn::Secrets.party(account);
    let target = source.clone();
    source.id = "cart".parse().expect("an id");
    source.identity.key = CodeKey::Actor(format!("M{}", "A".repeat(55)).parse().expect("a key"));
    let mut link = Link {
        source,
        target,
        name: "default".parse().expect("a name"),
        interfaces: BuiltIn::Secrets.exports(),
        locality: Default::default(),
        constraints: Constraints::new(),
        source_config: Default::default(),
        target_config: Default::default(),
    };
    for (key, name) in keys {
        let secret = ConfigValue::Secret { secret: name.parse().expect("a name") };
        link.target_config.values.insert((*key).to_owned(), secret);
    }
    if !names.is_empty() {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        link.constraints.insert(NAMES.to_owned(), names);
    }
    link
}

fn found(link: &Link, key: &str) -> Option<String> {
    let scope = Scope::of(link).map_err(|denial| denial.to_string()).expect("a scope");
    scope.find(key).map(|name| name.to_string())
}

#[test]
fn a_link_gives_the_names_it_lists_and_no_other() {
    let link = link(&[], &["db-password,api-*", "one"]);
    for name in ["db-password", "api-", "api-key", "one"] {
        assert_eq!(found(&link, name).as_deref(), Some(name));
    }
    for key in ["db-password2", "ap", "two", "", "../db-password", "api-/../two", "/one", "one\0"] {
        assert_eq!(found(&link, key), None, "{key:?}");
    }
}

#[test]
fn a_key_of_its_own_leads_to_the_name_that_the_link_says() {
    let renamed = link(&[("db.Password", "db-1"), ("../x", "db-2")], &[]);
    assert_eq!(found(&renamed, "db.Password").as_deref(), Some("db-1"));
    assert_eq!(found(&renamed, "../x").as_deref(), Some("db-2"), "a key is no path");
    assert_eq!(found(&renamed, "db-1"), None, "it has it under its key alone");
    let both = link(&[("key", "db-1")], &["db-*"]);
    assert_eq!(found(&both, "key").as_deref(), Some("db-1"));
    assert_eq!(found(&both, "db-2").as_deref(), Some("db-2"));
}

#[test]
fn a_link_that_names_nothing_or_says_more_is_refused_with_the_next_step() {
    let none = Scope::of(&link(&[], &[])).err().expect("it names nothing");
    assert!(none.next.is_some_and(|next| next.ends_with("--constraint names=NAME")));
    assert!(Scope::of(&link(&[("key", "other")], &["db-*"])).is_err(), "beyond its names");
    for pattern in ["../x", "a*b", "A", "a.b", ""] {
        assert!(Scope::of(&link(&[], &[pattern])).is_err(), "{pattern:?}");
    }
    let mut unknown = link(&[], &["one"]);
    unknown.constraints.insert("tables".to_owned(), vec!["x".to_owned()]);
    assert!(Scope::of(&unknown).is_err());
    let mut plain = link(&[], &["one"]);
    plain.target_config.values.insert("k".to_owned(), ConfigValue::Plain("v".to_owned()));
    assert!(Scope::of(&plain).is_err());
    let mut indirect = link(&[], &["one"]);
    indirect.target_config.named.push("config".parse().expect("a name"));
    assert!(Scope::of(&indirect).is_err(), "a config is signed by a right that grants no secrets");
}

async fn asked(folder: &Path, link: &Link, key: &str) -> Result<Answer, Refusal> {
    let files = Secrets::new(Some(folder.to_owned()));
    let answer = get(&files, link, &codec::encode(&(key,))).await?;
    Ok(codec::decode(&answer, ANSWER_LEN_MAX).expect("an answer"))
}

async fn text(folder: &Path, key: &str) -> String {
    match asked(folder, &link(&[], &["*"]), key).await {
        Ok(Ok(SecretValue::String(text))) => text,
        _ => panic!("{key} is no text"),
    }
}

#[tokio::test]
async fn a_file_is_read_at_each_call_as_text_where_it_is_that() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fs::write(path.join("one"), "first\n").expect("written");
    assert_eq!(text(path, "one").await, "first");
    fs::write(path.join("one"), "second\n\n").expect("written");
    assert_eq!(text(path, "one").await, "second\n", "one newline is the editor's");
    fs::write(path.join("raw"), b"\xff\x00\n").expect("written");
    let raw = asked(path, &link(&[], &["raw"]), "raw").await;
    assert!(matches!(raw, Ok(Ok(SecretValue::Bytes(bytes))) if bytes == b"\xff\x00\n"));
}

#[tokio::test]
async fn what_is_not_there_or_not_readable_is_an_error_of_the_contracts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fs::create_dir(path.join("folder")).expect("made");
    fs::write(path.join("large"), vec![b'x'; 64 * 1024 + 1]).expect("written");
    fs::write(path.join("largest"), vec![b'x'; 64 * 1024]).expect("written");
    assert_eq!(text(path, "largest").await.len(), 64 * 1024);
    let all = link(&[], &["*"]);
    let error = async |key| match asked(path, &all, key).await {
        Ok(Err(error)) => error,
        _ => panic!("{key} is read"),
    };
    assert_eq!(error("missing").await, SecretsError::NotFound);
    for key in ["folder", "large"] {
        assert!(matches!(error(key).await, SecretsError::Io(_)), "{key}");
    }
    for key in ["../secret", "/etc/passwd", "..", "large/../large"] {
        assert!(matches!(asked(path, &all, key).await, Err(Refusal::Denied(_))), "{key}");
    }
}
