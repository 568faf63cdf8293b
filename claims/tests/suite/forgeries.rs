use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use wattle_claims::{
    AccountClaims, KeyKind, KeyPair, LinkRecord, OperatorClaims, Signed, TokenError, TokenKind,
    peek_kind,
};
use wattle_core::control::Command;

use crate::authority::{Authority, HEADER, NOW, b64, forge, forge_text, verify};

const SIGNATURE_LEN: usize = 64;

#[test]
fn no_other_algorithm_is_taken() {
    let authority = Authority::new();
    let operator = &authority.operator;
    let claims = OperatorClaims { name: "forged".into() };
    let payload = authority.payload(operator, &operator.public(), claims);
    for alg in [
        "none", "None", "NONE", "nOnE", "", "eddsa", "EDDSA", "EdDSA ", "Ed25519", "Ed448",
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
        "ES256K", "ES384", "ES512",
    ] {
        let header = format!(r#"{{"typ":"JWT","alg":"{alg}"}}"#);
        let signed = forge(&header, &payload, operator);
        let (message, _) = signed.rsplit_once('.').unwrap();
        // With the right signature even; with none; with zeros.
        for text in [
            signed.clone(),
            format!("{message}."),
            format!("{message}.{}", b64([0; SIGNATURE_LEN])),
        ] {
            let error = verify::<OperatorClaims>(&text, &authority.trust(), NOW).unwrap_err();
            assert_eq!(error, TokenError::Algorithm { found: alg.into() });
        }
    }
}

#[test]
fn the_public_key_is_no_secret_to_hash_with() {
    let authority = Authority::new();
    let public = authority.operator.public();
    let claims = OperatorClaims { name: "forged".into() };
    let payload = authority.payload(&authority.operator, &public, claims);
    let (_, raw) = nkeys::from_public_key(&public).unwrap();
    for secret in [public.as_bytes(), &raw] {
        let key = EncodingKey::from_secret(secret);
        for alg in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let text = jsonwebtoken::encode(&Header::new(alg), &payload, &key).unwrap();
            let error = verify::<OperatorClaims>(&text, &authority.trust(), NOW).unwrap_err();
            assert!(matches!(error, TokenError::Algorithm { .. }), "{error}");
        }
    }
}

#[test]
fn a_header_with_anything_else_in_it_is_refused() {
    let authority = Authority::new();
    let thief = KeyPair::generate(KeyKind::Operator);
    let operator = &authority.operator;
    let claims = OperatorClaims { name: "forged".into() };
    let payload = authority.payload(operator, &operator.public(), claims);
    let (_, raw) = nkeys::from_public_key(&thief.public()).unwrap();
    let x = b64(raw);
    let jwk =
        format!(r#"{{"typ":"JWT","alg":"EdDSA","jwk":{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}}}"#);
    for header in [
        jwk.as_str(),
        r#"{"typ":"JWT","alg":"EdDSA","crit":["exp"]}"#,
        r#"{"typ":"JWT","alg":"EdDSA","kid":"1"}"#,
        r#"{"alg":"EdDSA","typ":"JWT"}"#,
        r#"{"typ":"jwt","alg":"EdDSA"}"#,
        r#"{"typ":"JWT", "alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":"none","alg":"EdDSA"}"#,
        r#"{"typ":"JWT"}"#,
        "{}",
        "",
        "null",
    ] {
        for key in [operator, &thief] {
            let text = forge(header, &payload, key);
            let error = verify::<OperatorClaims>(&text, &authority.trust(), NOW).unwrap_err();
            assert!(matches!(error, TokenError::Malformed(_)), "{header}: {error}");
        }
    }
    assert!(
        verify::<OperatorClaims>(&forge(HEADER, &payload, operator), &authority.trust(), NOW)
            .is_ok()
    );
}

#[test]
fn every_flipped_bit_in_every_token_of_a_chain_is_noticed() {
    let authority = Authority::new();
    let trust = authority.trust();
    let text = authority.signed_link().text().to_owned();
    for at in 0..text.len() {
        for bit in 0..7 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(
                verify::<LinkRecord>(&changed, &trust, NOW).is_err(),
                "bit {bit} of byte {at} of {}",
                text.len()
            );
        }
    }
}

#[test]
fn a_text_cut_anywhere_but_between_tokens_is_refused() {
    let authority = Authority::new();
    let trust = authority.trust();
    let text = authority.signed_link().text().to_owned();
    for len in 0..text.len() {
        let whole = text.as_bytes()[len] == b'~';
        let outcome = verify::<LinkRecord>(&text[..len], &trust, NOW);
        match outcome {
            Ok(_) => assert!(whole, "cut to {len}"),
            Err(TokenError::Untrusted { .. }) => assert!(whole, "cut to {len}"),
            Err(error) => assert!(matches!(error, TokenError::Malformed(_)), "{len}: {error}"),
        }
    }
}

#[test]
fn anything_appended_or_put_ahead_is_refused() {
    let authority = Authority::new();
    let trust = authority.trust();
    let text = authority.signed_link().text().to_owned();
    for extra in
        ["~", ".", "A", "AA", "=", "==", " ", "\n", "\r\n", "\0", "~~", "~A", "~a.b.c", "ä"]
    {
        for changed in [format!("{text}{extra}"), format!("{extra}{text}")] {
            let error = verify::<LinkRecord>(&changed, &trust, NOW).unwrap_err();
            assert!(matches!(error, TokenError::Malformed(_)), "{extra:?}: {error}");
        }
    }
}

#[test]
fn a_signature_counts_for_its_own_token_only() {
    let authority = Authority::new();
    let trust = authority.trust();
    let [first, second] = [authority.signed_link(), authority.signed_link()];
    let leaf = |signed: &Signed<LinkRecord>| signed.text().split('~').next().unwrap().to_owned();
    let (message, _) =
        leaf(&first).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let second = leaf(&second);
    let (_, signature) = second.rsplit_once('.').unwrap();
    let text = format!("{message}.{signature}~{}", authority.user_token);
    let error = verify::<LinkRecord>(&text, &trust, NOW).unwrap_err();
    assert_eq!(error, TokenError::Signature { of: TokenKind::Link });
}

#[test]
fn the_other_spelling_of_a_signature_is_refused() {
    // Ed25519 signatures end in a number below L; adding L gives the same number modulo L.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let authority = Authority::new();
    let (message, signature) = authority.operator_token.rsplit_once('.').unwrap();
    let mut bytes =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, signature)
            .unwrap();
    let mut carry = 0_u16;
    for (byte, add) in bytes[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    let text = format!("{message}.{}", b64(bytes));
    let error = verify::<OperatorClaims>(&text, &authority.trust(), NOW).unwrap_err();
    assert_eq!(error, TokenError::Signature { of: TokenKind::Operator });
}

#[test]
fn claims_that_are_not_what_they_should_be_are_refused() {
    let authority = Authority::new();
    let operator = &authority.operator;
    let claims = OperatorClaims { name: "forged".into() };
    let good = authority.payload(operator, &operator.public(), claims);
    let refused = |payload: &str| {
        let text = forge_text(HEADER, payload, operator);
        let error = verify::<OperatorClaims>(&text, &authority.trust(), NOW).unwrap_err();
        assert!(matches!(error, TokenError::Malformed(_)), "{payload}: {error}");
    };
    for field in ["jti", "iat", "iss", "sub", "aud", "typ", "body"] {
        let mut payload = good.clone();
        payload.as_object_mut().unwrap().remove(field);
        refused(&payload.to_string());
        // The same claim twice: two readers could take different ones.
        let text = good.to_string();
        refused(&format!("{},\"{field}\":{}}}", &text[..text.len() - 1], good[field]));
    }
    for (field, wrong) in [
        ("exp", "1.5e9"),
        ("exp", "-1"),
        ("exp", "\"2000000000\""),
        ("nbf", "-1"),
        ("iat", "null"),
        ("iat", "18446744073709551616"),
        ("aud", "[]"),
        ("aud", "\"*\""),
        ("typ", "\"root\""),
        ("typ", "\"Operator\""),
        ("jti", "\"\""),
        ("jti", "\"../../x\""),
        ("jti", "1"),
        ("body", "null"),
        ("body", "{}"),
        ("sub", "null"),
    ] {
        let mut payload = good.clone();
        payload.as_object_mut().unwrap().remove(field);
        let text = payload.to_string();
        refused(&format!("{},\"{field}\":{wrong}}}", &text[..text.len() - 1]));
    }
    refused(&format!("{good}{good}"));
    refused(&format!("[{good}]"));
    refused(&"[".repeat(100_000));
    refused("");
}

#[test]
fn a_body_is_read_behind_a_right_signature_only() {
    let authority = Authority::new();
    let trust = authority.trust();
    let command =
        || authority.payload(&authority.user, &authority.host.public(), Command::GetInventory);
    let mut payload = command();
    payload["body"] = serde_json::json!({"no": ["such", "command"]});
    let text = |key| format!("{}~{}", forge(HEADER, &payload, key), authority.user_token);
    let error = verify::<Command>(&text(&authority.host), &trust, NOW).unwrap_err();
    assert_eq!(error, TokenError::Signature { of: TokenKind::Command });
    let error = verify::<Command>(&text(&authority.user), &trust, NOW).unwrap_err();
    assert!(matches!(error, TokenError::Malformed(_)), "{error}");
}

#[test]
fn names_cannot_play_with_a_terminal() {
    let authority = Authority::new();
    let operator = &authority.operator;
    for name in ["", "\u{1b}[2J", "a\nb", "\u{9b}", &"x".repeat(101)] {
        let claims = OperatorClaims { name: name.to_owned() };
        let payload = authority.payload(operator, &operator.public(), claims);
        let operator_token = forge(HEADER, &payload, operator);
        let error = verify::<OperatorClaims>(&operator_token, &authority.trust(), NOW).unwrap_err();
        assert!(matches!(error, TokenError::Body { .. }), "{name:?}: {error}");
        // Nor behind another token.
        let (account, _) = authority.account_token.split_once('~').unwrap();
        let text = format!("{account}~{operator_token}");
        assert!(verify::<AccountClaims>(&text, &authority.trust(), NOW).is_err(), "{name:?}");
    }
}

#[test]
fn an_error_quotes_hostile_text_shortly() {
    let authority = Authority::new();
    let operator = &authority.operator;
    let long = "X".repeat(100_000);
    let header = format!(r#"{{"alg":"{long}"}}"#);
    let claims = OperatorClaims { name: "o".into() };
    let mut payload = authority.payload(operator, &operator.public(), claims);
    let error = peek_kind(&forge(&header, &payload, operator)).unwrap_err();
    assert!(error.to_string().len() < 300);
    for field in ["sub", "iss", "aud", "jti", "typ"] {
        let kept = payload[field].clone();
        payload[field] = long.as_str().into();
        let text = forge(HEADER, &payload, operator);
        let error = verify::<OperatorClaims>(&text, &authority.trust(), NOW).unwrap_err();
        assert!(error.to_string().len() < 400, "{field}");
        payload[field] = kept;
    }
}

proptest! {
    #[test]
    fn any_text_is_a_token_or_a_refusal(text in ".{0,400}") {
        let _ = peek_kind(&text);
        if let Ok(signed) = Signed::<Command>::parse(&text) {
            let _ = signed.peek();
        }
    }

    #[test]
    fn any_claims_are_taken_or_refused(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = format!("{}.{}.{}", b64(HEADER), b64(payload), b64([0; SIGNATURE_LEN]));
        prop_assert!(peek_kind(&text).is_err());
        prop_assert!(Signed::<Command>::parse(&text).expect("the form is right").peek().is_err());
    }
}
