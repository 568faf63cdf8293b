//! Which hosts are being asked what they run: of each one question at a time, and who waits for an answer to one from later on.

use std::{collections::BTreeSet, time::Instant};

use wattle_core::HostKey;

use crate::plan::Command;

/// Commands about links, with the time of their round: done when hosts have said what became of the links.
pub(super) type LinkCommands = Vec<(Command, u64)>;

/// What is asked, and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Questions {
    asked: BTreeSet<HostKey>,
    /// To be asked, too: what they are being asked for began too early, or they did not answer.
    wanted: BTreeSet<HostKey>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    hosts: BTreeSet<HostKey>,
    since: Instant,
    commands: LinkCommands,
}

impl Questions {
    /// Somebody wants to know what a host runs from now on. True if it is to be asked now.
    pub(super) fn want(&mut self, host: &HostKey) -> bool {
        let is_free = self.asked.insert(host.clone());
        match is_free {
            true => drop(self.wanted.remove(host)),
            false => drop(self.wanted.insert(host.clone())),
        }
        is_free
    }

    /// Whether a host is to be asked as soon as it is heard.
    pub(super) fn is_wanted(&self, host: &HostKey) -> bool {
        self.wanted.contains(host)
    }

    /// Commands that are done when these hosts have answered something that they are asked from now on.
    pub(super) fn wait(&mut self, hosts: BTreeSet<HostKey>, commands: LinkCommands) {
        self.waiting.push(Waiting { hosts, since: Instant::now(), commands });
    }

    /// A host that was asked at some time has answered, or not. Gives whether it is to be asked again now, and the commands that
    /// nobody else is waited for.
    pub(super) fn answered(
        &mut self,
        host: &HostKey,
        at: Instant,
        is_answer: bool,
    ) -> (bool, LinkCommands) {
        self.asked.remove(host);
        // Who cannot say anything is passed over: it is asked again when it is heard.
        let is_again = is_answer && self.wanted.contains(host) && self.want(host);
        if !is_answer {
            self.wanted.insert(host.clone());
        }
        for waiting in &mut self.waiting {
            if !is_answer || at >= waiting.since {
                waiting.hosts.remove(host);
            }
        }
        (is_again, self.done())
    }

    /// Questions that were under way get no answer any more.
    pub(super) fn lose(&mut self) -> LinkCommands {
        self.wanted.append(&mut self.asked);
        self.waiting.iter_mut().for_each(|waiting| waiting.hosts.clear());
        self.done()
    }

    /// Nobody waits for what an earlier term wanted.
    pub(super) fn forget_waiting(&mut self) {
        self.waiting.clear();
    }

    fn done(&mut self) -> LinkCommands {
        let done = self.waiting.extract_if(.., |waiting| waiting.hosts.is_empty());
        done.flat_map(|waiting| waiting.commands).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(letter: char) -> HostKey {
        format!("N{}", letter.to_string().repeat(55)).parse().expect("a key")
    }

    fn command() -> Command {
        Command::Stop { host: host('A'), id: "shop/front".parse().expect("an id") }
    }

    #[test]
    fn a_host_is_asked_once_at_a_time_and_again_for_who_came_later() {
        let (mut questions, a) = (Questions::default(), host('A'));
        assert!(questions.want(&a));
        assert!(!questions.want(&a), "it is being asked");
        let asked = Instant::now();
        assert_eq!(questions.answered(&a, asked, true), (true, vec![]));
        assert_eq!(questions.answered(&a, asked, true), (false, vec![]));
        // One that does not answer is asked when it is heard.
        assert!(questions.want(&a));
        assert_eq!(questions.answered(&a, asked, false), (false, vec![]));
        assert!(questions.is_wanted(&a));
    }

    #[test]
    fn commands_are_done_when_all_have_answered_what_they_were_asked_since() {
        let (mut questions, a, b) = (Questions::default(), host('A'), host('B'));
        let before = Instant::now();
        questions.wait([a.clone(), b.clone()].into(), vec![(command(), 7)]);
        assert_eq!(questions.answered(&a, before, true).1, [], "asked too early");
        assert_eq!(questions.answered(&a, Instant::now(), true).1, []);
        assert_eq!(questions.answered(&b, before, false).1, [(command(), 7)], "passed over");
        questions.wait([a].into(), vec![(command(), 8)]);
        assert_eq!(questions.lose(), [(command(), 8)]);
    }
}
