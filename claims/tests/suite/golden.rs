//! A token of today, which the versions of tomorrow must still read, and write the same way.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use wattle_claims::{LinkRecord, RevokedSet, Signed, Trust};

use crate::authority::{HEADER, NOW, b64};

const TOKEN: &str = include_str!("golden/link.token");

/// The JSON of its four payloads, the leaf's first.
const PAYLOADS: &str = include_str!("golden/link.payloads");

const OPERATOR: &str = "ODTBNSIEPB5GVQQBWQJ35KW25R7PLMO5EFBRR4IKMUH3SXZLV3BQRVQ6";

#[test]
fn a_token_of_today_holds() {
    let trust = Trust {
        operators: [OPERATOR.parse().unwrap()].into(),
        accounts: Default::default(),
        lattice: "home".parse().unwrap(),
        revocations: RevokedSet::default(),
    };
    let verified = Signed::<LinkRecord>::parse(TOKEN).unwrap().verify(&trust, NOW).unwrap();
    assert_eq!(verified.user().unwrap().name, "the user");
    assert_eq!(verified.body.value.as_ref().unwrap().target.id.as_str(), "store");
}

#[test]
fn its_bytes_are_these() {
    let parts = TOKEN.split('~').zip(PAYLOADS.lines());
    assert_eq!(parts.clone().count(), 4);
    for (jwt, payload) in parts {
        let (message, _) = jwt.rsplit_once('.').unwrap();
        assert_eq!(message, format!("{}.{}", b64(HEADER), b64(payload)));
    }
}

#[test]
fn its_body_is_written_as_it_was_read() {
    let claims = Signed::<LinkRecord>::parse(TOKEN).unwrap().peek().unwrap();
    let body = serde_json::to_string(&claims.body).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(TOKEN.split('.').nth(1).unwrap()).unwrap();
    let payload = String::from_utf8(payload).unwrap();
    assert!(payload.ends_with(&format!("\"typ\":\"link\",\"body\":{body}}}")), "{body}");
}
