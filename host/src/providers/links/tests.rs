use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::providers::tests::grant;

const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A provider that hears everything and answers when it is told to, and all who wait for it.
struct Play {
    links: Links,
    now: Instant,
    unanswered: VecDeque<ToProvider>,
    /// What should hold in the end, and what the provider took it for.
    wishes: BTreeMap<u32, LinkGrant>,
    held: BTreeMap<u32, LinkGrant>,
    puts: Vec<oneshot::Receiver<LinkOutcome>>,
    deletions: Vec<oneshot::Receiver<()>>,
}

impl Play {
    fn new() -> Self {
        let links = Links::new(watch::Sender::default(), ANSWER_MAX);
        Self {
            links,
            now: Instant::now(),
            unanswered: VecDeque::new(),
            wishes: BTreeMap::new(),
            held: BTreeMap::new(),
            puts: Vec::new(),
            deletions: Vec::new(),
        }
    }

    fn put(&mut self, link: u32) {
        self.put_as(grant(link, "ok"));
    }

    fn put_as(&mut self, grant: LinkGrant) {
        let (answer, answered) = oneshot::channel();
        self.wishes.insert(grant.link, grant.clone());
        let told = self.links.change(LinkOrder::Put { grant, answer }, self.now);
        self.unanswered.extend(told);
        self.puts.push(answered);
    }

    fn delete(&mut self, link: u32) {
        let (answer, answered) = oneshot::channel();
        self.wishes.remove(&link);
        self.unanswered.extend(self.links.change(LinkOrder::Delete { link, answer }, self.now));
        self.deletions.push(answered);
    }

    fn start(&mut self) {
        if !self.links.running {
            self.unanswered.extend(self.links.process_ready(self.now));
        }
    }

    fn crash(&mut self) {
        self.links.process_ended();
        self.unanswered.clear();
        self.held.clear();
    }

    fn answer_one(&mut self, outcome: LinkOutcome) {
        match self.unanswered.pop_front() {
            Some(ToProvider::PutLink(grant)) => {
                let asked = self.links.link_put(grant.link, outcome.clone(), self.now);
                assert_eq!(asked, Ok(()), "every put that was sent is expected to be answered");
                match outcome {
                    Ok(_) => drop(self.held.insert(grant.link, grant)),
                    Err(_) => drop(self.held.remove(&grant.link)),
                }
            }
            Some(ToProvider::DeleteLink { link }) => {
                assert_eq!(self.links.link_deleted(link), Ok(()), "so is every deletion");
                self.held.remove(&link);
            }
            _ => {}
        }
    }

    fn wait(&mut self, duration: Duration) {
        self.now += duration;
        let told = self.links.tick("starting", self.now);
        self.unanswered.extend(told);
    }
}

fn play(seed: u64) -> Play {
    let mut random = StdRng::seed_from_u64(seed);
    let mut play = Play::new();
    for _ in 0..200 {
        let link = random.random_range(1..4);
        match random.random_range(0..12) {
            0..3 => {
                let outcome = ["ok", "fine"][random.random_range(0..2)];
                play.put_as(grant(link, outcome));
            }
            3 => play.delete(link),
            4 => play.start(),
            5 => play.crash(),
            6..9 => play.answer_one(Ok(LinkDetail::default())),
            9 => play.answer_one(Err("no".to_owned())),
            10 => play.wait(Duration::from_millis(500)),
            _ => play.wait(Duration::from_secs(6)),
        }
        let unanswered = play.links.asked.values().map(VecDeque::len).max();
        assert!(unanswered.unwrap_or(0) <= UNANSWERED_MAX + 1, "seed {seed}");
    }
    play
}

#[test]
fn whatever_happens_everybody_is_answered_in_time() {
    for seed in 0..2_000 {
        let mut play = play(seed);
        play.wait(ANSWER_MAX);
        let answered = play.puts.iter_mut().all(|put| put.try_recv().is_ok());
        assert!(answered, "seed {seed}: somebody waits for a put");
        let answered = play.deletions.iter_mut().all(|deletion| deletion.try_recv().is_ok());
        assert!(answered, "seed {seed}: somebody waits for a deletion");
    }
}

#[test]
fn whatever_happened_a_provider_that_behaves_again_holds_all_links_that_are_wanted() {
    for seed in 0..2_000 {
        let mut play = play(seed);
        play.start();
        for _ in 0..5 {
            while !play.unanswered.is_empty() {
                play.answer_one(Ok(LinkDetail::default()));
            }
            play.wait(RETRY_AFTER);
        }
        assert!(play.links.are_settled(), "seed {seed}");
        let wanted: LinkOutcomes =
            play.links.wanted.keys().map(|link| (*link, Ok(LinkDetail::default()))).collect();
        assert_eq!(*play.links.outcomes.borrow(), wanted, "seed {seed}");
        assert_eq!(play.held, play.wishes, "seed {seed}");
    }
}

#[test]
fn a_link_that_is_changed_while_nothing_is_answered_holds_in_the_end_as_it_was_asked_for_last() {
    let mut play = Play::new();
    play.start();
    for change in 0..3 * UNANSWERED_MAX {
        play.put_as(grant(1, &format!("change {change}")));
        play.wait(ANSWER_MAX);
        // The same again asks nothing again.
        play.put_as(grant(1, &format!("change {change}")));
        play.wait(ANSWER_MAX);
    }
    let deletions = play.unanswered.iter().filter(|it| matches!(it, ToProvider::DeleteLink { .. }));
    assert_eq!((play.unanswered.len(), deletions.count()), (UNANSWERED_MAX + 1, 1));
    while !play.unanswered.is_empty() {
        play.answer_one(Ok(LinkDetail::default()));
    }
    assert!(play.held.is_empty(), "what it was before does not hold any more");
    play.wait(RETRY_AFTER);
    play.answer_one(Ok(LinkDetail::default()));
    assert_eq!(play.held, play.wishes);
}

#[test]
fn an_answer_that_nobody_asked_for_is_noticed() {
    let mut play = Play::new();
    play.start();
    let now = play.now;
    assert_eq!(play.links.link_put(1, Ok(LinkDetail::default()), now), Err(Unasked));
    assert_eq!(play.links.link_deleted(1), Err(Unasked));
    play.put(1);
    assert_eq!(play.links.link_deleted(1), Err(Unasked));
}

#[test]
fn links_are_bounded_in_number_and_size() {
    let mut play = Play::new();
    let refused = |play: &mut Play| {
        let answer = play.puts.last_mut().expect("it was put").try_recv();
        answer.is_ok_and(|outcome| outcome.is_err())
    };
    for link in 0..LINKS_MAX {
        play.put(u32::try_from(link).expect("few"));
        assert!(!refused(&mut play));
    }
    play.put(u32::MAX);
    assert!(refused(&mut play));
    let mut large = grant(1, "ok");
    large.config.insert("key".to_owned(), "x".repeat(CONTROL_LEN_MAX));
    let (answer, mut answered) = oneshot::channel();
    assert!(play.links.change(LinkOrder::Put { grant: large, answer }, play.now).is_none());
    answered.try_recv().expect("at once").expect_err("too large");
}
