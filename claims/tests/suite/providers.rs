use std::collections::BTreeMap;

use wattle_claims::{
    KeyKind, KeyPair, ProviderClaims, SignError, Signed, TokenError,
    module::digest,
    provider::{self, ArtifactError},
};

use crate::authority::{Authority, NOW, after};

fn binaries() -> BTreeMap<String, Vec<u8>> {
    [("linux-aarch64", vec![1; 700]), ("linux-x86_64", vec![2; 513]), ("macos-aarch64", vec![])]
        .map(|(platform, binary)| (platform.to_owned(), binary))
        .into()
}

fn claims(authority: &Authority, binaries: &BTreeMap<String, Vec<u8>>) -> Signed<ProviderClaims> {
    sign(authority, binaries).unwrap()
}

fn sign(
    authority: &Authority,
    binaries: &BTreeMap<String, Vec<u8>>,
) -> Result<Signed<ProviderClaims>, SignError> {
    let hashes = binaries.iter().map(|(name, bytes)| (name.clone(), digest(bytes))).collect();
    let claims = ProviderClaims {
        name: "keyvalue-redis".into(),
        version: "0.1.0".into(),
        imports: vec![],
        exports: vec!["wasi:keyvalue/store".parse().unwrap()],
        binaries: hashes,
    };
    let key = KeyPair::generate(KeyKind::Provider);
    let mut draft = authority.draft(key.public(), claims);
    draft.expires = Some(after(1_000));
    draft.sign(authority.as_account(), NOW)
}

fn artifact(authority: &Authority) -> Vec<u8> {
    provider::pack(&claims(authority, &binaries()), &binaries()).unwrap()
}

/// A tar of these files as the tar crate would write it by itself.
fn tar(files: &[(&str, &[u8])], change: impl Fn(&mut tar::Header)) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_size(bytes.len() as u64);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        change(&mut header);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn refusal(authority: &Authority, artifact: &[u8]) -> ArtifactError {
    provider::verify(artifact, "linux-x86_64", &authority.trust(), NOW).unwrap_err()
}

#[test]
fn an_artifact_gives_the_platforms_own_binary() {
    let authority = Authority::new();
    let artifact = artifact(&authority);
    for (platform, binary) in binaries() {
        let verified = provider::verify(&artifact, &platform, &authority.trust(), NOW).unwrap();
        assert_eq!(verified.binary, binary);
        assert_eq!(verified.claims.body.name, "keyvalue-redis");
        assert_eq!(*verified.claims.account(), authority.account_key());
    }
    let peeked = provider::peek(&artifact).unwrap();
    assert_eq!(peeked.binaries.len(), 3);
    assert_eq!(peeked.token.peek().unwrap().body.version, "0.1.0");
}

#[test]
fn a_platform_without_a_binary_is_named() {
    let authority = Authority::new();
    let error =
        provider::verify(&artifact(&authority), "plan9-mips", &authority.trust(), NOW).unwrap_err();
    let wanted = "plan9-mips".to_owned();
    let offered = binaries().into_keys().collect();
    assert_eq!(error, ArtifactError::Platform { wanted, offered });
}

#[test]
fn this_machine_has_a_platform() {
    let platform = provider::platform();
    assert!(platform.ends_with(std::env::consts::ARCH) && platform.contains('-'), "{platform}");
}

#[test]
fn every_flipped_bit_is_noticed_or_lies_in_a_binary_that_is_not_run() {
    let authority = Authority::new();
    let artifact = artifact(&authority);
    let bytes = binaries();
    let unused = |at: usize| {
        ["linux-aarch64"].iter().any(|platform| {
            let binary = &bytes[*platform];
            let start = artifact.windows(binary.len()).position(|window| window == binary).unwrap();
            (start..start + binary.len()).contains(&at)
        })
    };
    // Claims and binaries are long and each byte costs a verification: every third will do.
    for at in (0..artifact.len()).step_by(3) {
        let mut changed = artifact.clone();
        changed[at] ^= 1 << (at % 8);
        let outcome = provider::verify(&changed, "linux-x86_64", &authority.trust(), NOW);
        assert_eq!(outcome.is_ok(), unused(at), "byte {at}");
        // Where that binary would run, it is noticed.
        if unused(at) {
            let error = provider::verify(&changed, "linux-aarch64", &authority.trust(), NOW);
            assert!(matches!(error, Err(ArtifactError::Hash { .. })));
        }
    }
}

#[test]
fn a_changed_binary_is_named_with_both_hashes() {
    let authority = Authority::new();
    let mut artifact = artifact(&authority);
    let at = artifact.iter().rposition(|byte| *byte == 2).unwrap();
    artifact[at] = 3;
    match refusal(&authority, &artifact) {
        ArtifactError::Hash { platform, found, signed } => {
            assert_eq!(platform, "linux-x86_64");
            assert_eq!(signed, digest(&binaries()["linux-x86_64"]));
            assert_ne!(found, signed);
        }
        error => panic!("{error}"),
    }
}

#[test]
fn claims_that_do_not_hold_open_nothing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let error = refusal(&authority, &artifact(&stranger));
    assert!(matches!(error, ArtifactError::Token(TokenError::Untrusted { .. })), "{error}");
    let trust = authority.trust();
    let ours = artifact(&authority);
    let error = provider::verify(&ours, "linux-x86_64", &trust, after(1_060));
    assert!(matches!(error, Err(ArtifactError::Token(TokenError::Expired { .. }))));
    let link = authority.signed_link();
    let error = refusal(&authority, &tar(&[("claims.jwt", link.text().as_bytes())], |_| {}));
    assert!(matches!(error, ArtifactError::Token(TokenError::Kind { .. })), "{error}");
}

#[test]
fn what_the_claims_do_not_name_is_not_packed_and_not_taken() {
    let authority = Authority::new();
    let token = claims(&authority, &binaries());
    let mut other = binaries();
    other.insert("linux-x86_64".into(), vec![9]);
    assert!(matches!(provider::pack(&token, &other), Err(ArtifactError::Hash { .. })));
    other.insert("plan9-mips".into(), vec![9]);
    assert!(matches!(provider::pack(&token, &other), Err(ArtifactError::Binaries { .. })));

    let text = token.text().as_bytes();
    let mut files = vec![("claims.jwt", text)];
    let bytes = binaries();
    files.extend(bytes.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    assert!(
        provider::verify(&tar(&files, |_| {}), "linux-x86_64", &authority.trust(), NOW).is_ok(),
        "the form is what a plain tar has"
    );
    let more = [files.as_slice(), &[("plan9-mips", b"x")]].concat();
    let error = refusal(&authority, &tar(&more, |_| {}));
    assert!(matches!(error, ArtifactError::Binaries { .. }), "{error}");
    let error = refusal(&authority, &tar(&files[..3], |_| {}));
    assert!(matches!(error, ArtifactError::Binaries { .. }), "{error}");
}

#[test]
fn files_out_of_order_or_twice_are_refused() {
    let authority = Authority::new();
    let token = claims(&authority, &binaries());
    let text = token.text().as_bytes();
    let bytes = binaries();
    let mut files = vec![("claims.jwt", text)];
    files.extend(bytes.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    let mut swapped = files.clone();
    swapped.swap(1, 2);
    let mut claims_last = files.clone();
    claims_last.rotate_left(1);
    let mut twice = files.clone();
    twice.insert(2, ("linux-x86_64", b"another"));
    let mut two_claims = files.clone();
    two_claims.insert(1, ("claims.jwt", text));
    for wrong in [swapped, claims_last, twice, two_claims, vec![]] {
        let error = refusal(&authority, &tar(&wrong, |_| {}));
        assert!(
            matches!(error, ArtifactError::Malformed(_) | ArtifactError::Binaries { .. }),
            "{error}"
        );
    }
}

#[test]
fn none_of_tars_other_features_is_reached() {
    let authority = Authority::new();
    let token = claims(&authority, &binaries());
    let text = token.text().as_bytes();
    let bytes = binaries();
    let mut files = vec![("claims.jwt", text)];
    files.extend(bytes.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    let changes: [fn(&mut tar::Header); 8] = [
        |header| header.set_entry_type(tar::EntryType::Symlink),
        |header| header.set_entry_type(tar::EntryType::Link),
        |header| header.set_entry_type(tar::EntryType::GNUSparse),
        |header| header.set_entry_type(tar::EntryType::XHeader),
        |header| header.set_mode(0o4755),
        |header| header.set_mtime(1),
        |header| header.set_uid(1),
        |header| header.set_link_name("/etc/passwd").unwrap(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let error = refusal(&authority, &tar(&files, change));
        assert!(matches!(error, ArtifactError::Malformed(_)), "{index}: {error}");
    }
    let gnu = {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        builder.append_data(&mut header, "claims.jwt", text).unwrap();
        builder.into_inner().unwrap()
    };
    assert!(matches!(refusal(&authority, &gnu), ArtifactError::Malformed(_)));
}

#[test]
fn a_platform_is_not_a_path() {
    let authority = Authority::new();
    for platform in ["../../bin-sh", "linux/x86-64", "linux", "-x86", "linux-", "Linux-x86", ""] {
        let binaries = [(platform.to_owned(), vec![1])].into();
        let error = sign(&authority, &binaries).unwrap_err();
        assert!(matches!(error, SignError::Refused(TokenError::Body { .. })), "{platform}");
    }
}
