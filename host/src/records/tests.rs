use wattle_claims::{AccountClaims, Audience, Draft, Issuer, KeyKind, KeyPair, RevokedSet};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

struct Site {
    operator: KeyPair,
    account: KeyPair,
    token: String,
    audience: Audience,
    trust: Trust,
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let (operator, account) =
            (KeyPair::generate(KeyKind::Operator), KeyPair::generate(KeyKind::Account));
        let key = operator.public().parse().expect("an operator's key");
        let lattice: wattle_core::LatticeName = "shop".parse().expect("a name");
        let audience =
            Audience { operator: operator.public().parse().expect("a key"), lattice: None };
        let trust = Trust {
            operators: [key].into(),
            accounts: Default::default(),
            lattice,
            revocations: RevokedSet::default(),
        };
        let claims = AccountClaims { name: "shop".to_owned() };
        let draft = Draft {
            subject: account.public(),
            audience: audience.clone(),
            not_before: None,
            expires: None,
            body: claims,
        };
        let issuer = Issuer { key: &operator, token: None };
        let token = draft.sign(issuer, NOW).expect("signed").text().to_owned();
        let folder = tempfile::tempdir().expect("a folder");
        Self { operator, account, token, audience, trust, folder }
    }
}

impl Site {
    fn open(&mut self) -> RecordBook {
        self.trust.revocations = RevokedSet::default();
        RecordBook::open(self.folder.path().to_owned(), &mut self.trust, NOW).expect("it opens")
    }

    fn signed<B: wattle_claims::Body>(
        &self,
        subject: String,
        body: B,
        at: Timestamp,
        expires: Option<Timestamp>,
    ) -> String {
        let audience = Audience {
            lattice: Some(self.trust.lattice.clone()),
            operator: self.audience.operator.clone(),
        };
        let draft = Draft { subject, audience, not_before: None, expires, body };
        let issuer = Issuer { key: &self.account, token: Some(&self.token) };
        draft.sign(issuer, at).expect("signed").text().to_owned()
    }

    fn list(&self, generation: u64, what: &[&str]) -> String {
        let revoked = what.iter().map(|what| ((*what).to_owned(), NOW.as_secs())).collect();
        let body = Revocations { generation, revoked };
        self.signed(self.account.public(), body, NOW, None)
    }

    /// The operator's list, with the account in it.
    fn account_revoked(&self) -> String {
        let revoked = [(self.account.public(), NOW.as_secs())].into();
        let draft = Draft {
            subject: self.operator.public(),
            audience: self.audience.clone(),
            not_before: None,
            expires: None,
            body: Revocations { generation: 1, revoked },
        };
        let issuer = Issuer { key: &self.operator, token: None };
        draft.sign(issuer, NOW).expect("signed").text().to_owned()
    }

    fn config(&self, generation: u64, at: Timestamp, expires: Option<Timestamp>) -> String {
        let account = self.account.public().parse().expect("a key");
        let key = RecordKey::Config { account, name: "greeting".parse().expect("a name") };
        let value = [("a".to_owned(), ConfigValue::Plain(generation.to_string()))].into();
        let body = ConfigRecord { generation, key: key.clone(), value: Some(value) };
        self.signed(key.to_string(), body, at, expires)
    }

    fn admit(
        &mut self,
        book: &mut RecordBook,
        text: &str,
        source: Source<'_>,
    ) -> Result<Admitted, RecordError> {
        book.admit(text, source, &mut self.trust, NOW)
    }

    fn revokes(&self, what: &[&str]) -> bool {
        let list = Signed::<Revocations>::parse(&self.list(9, what)).expect("a token");
        self.trust.revocations.has_all(&list.verify(&self.trust, NOW).expect("it holds"))
    }
}

#[test]
fn what_one_list_revokes_and_the_next_leaves_out_stays_revoked() {
    let (first, second) = (["x"], ["y"]);
    for is_in_order in [true, false] {
        let mut site = Site::new();
        let mut book = site.open();
        let mut lists = [site.list(1, &first), site.list(2, &second)];
        if !is_in_order {
            lists.reverse();
        }
        for list in &lists {
            let admitted =
                site.admit(&mut book, list, Source::Host).expect("it says something new");
            assert!(matches!(admitted, Admitted::New(_)), "{admitted:?}");
        }
        let issuer = site.account.public();
        for _ in 0..2 {
            assert!(site.revokes(&["x", "y"]) && !site.revokes(&["z"]));
            let newest = book.get(&RecordKey::Revocations { issuer: issuer.clone() });
            assert_eq!(newest.map(|entry| entry.generation), Some(2));
            book = site.open();
        }
        let again = site.list(1, &first);
        let stale = site.admit(&mut book, &again, Source::Host).expect_err("it says nothing new");
        assert!(matches!(stale, RecordError::Stale { .. }), "{stale}");
    }
}

#[test]
fn a_user_who_has_not_seen_the_last_list_has_to_look_again() {
    let mut site = Site::new();
    let mut book = site.open();
    let [first, second, both] =
        [site.list(1, &["x"]), site.list(2, &["y"]), site.list(3, &["x", "y"])];
    site.admit(&mut book, &first, Source::User).expect("the first");
    let refused = site.admit(&mut book, &second, Source::User).expect_err("x is not in it");
    assert!(matches!(&refused, RecordError::LeavesOut(what) if what == "x"), "{refused}");
    site.admit(&mut book, &both, Source::User).expect("both are in it");
    site.open();
    assert!(site.revokes(&["x", "y"]));
}

#[test]
fn a_record_counts_under_its_own_key_alone() {
    let mut site = Site::new();
    let mut book = site.open();
    let config = site.config(1, NOW, None);
    let own = peek(&config).expect("a record").0.to_string();
    let other = Source::Store("config.other");
    let refused = site.admit(&mut book, &config, other).expect_err("another key");
    assert!(matches!(refused, RecordError::OtherKey(_)), "{refused}");
    assert_eq!(book.iter().count(), 0);
    site.admit(&mut book, &config, Source::Store(&own)).expect("its own");
}

#[test]
fn what_was_issued_later_than_it_is_here_holds_when_it_is_as_late() {
    let mut site = Site::new();
    let hour = std::time::Duration::from_secs(3_600);
    let config = site.config(1, NOW.plus(hour), None);
    let mut book = site.open();
    let early = site.admit(&mut book, &config, Source::Host).expect_err("its time has not come");
    assert!(early.early() == Some(NOW.plus(hour)) && early.is_for_now(), "{early}");
    // It came while the clock was right, and the host was started again with one that is not.
    book.admit(&config, Source::Host, &mut site.trust, NOW.plus(hour)).expect("its time has come");
    let mut book = site.open();
    let usable = |book: &RecordBook| book.iter().filter(|(_, entry)| entry.is_usable()).count();
    assert_eq!(usable(&book), 0);
    assert!(!book.retry_early(&mut site.trust, NOW));
    assert!(book.retry_early(&mut site.trust, NOW.plus(hour)));
    assert_eq!(usable(&book), 1);
}

#[test]
fn what_was_put_for_a_time_that_is_over_outdates_what_was_there_before() {
    let mut site = Site::new();
    let mut book = site.open();
    let second = std::time::Duration::from_secs(1);
    let hour = second * 3_600;
    let (unlimited, limited) =
        (site.config(1, NOW, None), site.config(2, NOW, Some(NOW.plus(second))));
    book.admit(&unlimited, Source::Host, &mut site.trust, NOW).expect("it holds");
    let later = NOW.plus(hour);
    let admitted = book.admit(&limited, Source::Host, &mut site.trust, later).expect("it is newer");
    assert!(matches!(admitted, Admitted::New(_)), "{admitted:?}");
    assert!(book.iter().all(|(_, entry)| entry.generation == 2 && !entry.is_usable()));
    let stale = book.admit(&unlimited, Source::Host, &mut site.trust, later).expect_err("outdated");
    assert!(matches!(stale, RecordError::Stale { .. }), "{stale}");
}

/// The time of a token says nothing of a record whose signer may not say it any more.
#[test]
fn who_may_say_nothing_any_more_outdates_nothing_with_what_is_over_or_to_come() {
    let mut site = Site::new();
    let mut book = site.open();
    let hour = std::time::Duration::from_secs(3_600);
    let (good, later) = (site.config(1, NOW, None), NOW.plus(hour * 2));
    site.admit(&mut book, &good, Source::Host).expect("it holds");
    let [over, to_come] =
        [site.config(9, NOW, Some(NOW.plus(hour))), site.config(9, NOW.plus(hour * 9), None)];
    let own = peek(&good).expect("a record").0.to_string();
    for text in [&over, &to_come] {
        let refused = book.admit(text, Source::User, &mut site.trust, later).expect_err("as such");
        assert!(matches!(refused, RecordError::Claims(_)), "{refused}");
        let other = Source::Store("revocations.other");
        let refused = book.admit(text, other, &mut site.trust, later).expect_err("another key");
        assert!(matches!(refused, RecordError::OtherKey(_)), "{refused}");
    }
    let older = site.config(0, NOW.plus(hour * 9), None);
    let stale = book.admit(&older, Source::Store(&own), &mut site.trust, later);
    assert!(matches!(stale, Err(RecordError::Stale { .. })), "{stale:?}");

    // The account's own operator takes it back.
    let list = site.account_revoked();
    book.admit(&list, Source::Host, &mut site.trust, later).expect("a list");
    for text in [&over, &to_come] {
        let refused = book.admit(text, Source::Store(&own), &mut site.trust, later);
        let refused = refused.expect_err("nobody's");
        let is_it = matches!(refused, RecordError::Claims(TokenError::Revoked { .. }));
        assert!(is_it && !refused.is_for_now(), "{refused}");
    }
    let known = book.iter().find(|(key, _)| key.to_string() == own).expect("it is kept").1;
    assert!(known.generation == 1 && known.is_usable());
}
