//! Every subject spoken on the lattice. Publishers format it, subscribers parse it, nobody else spells one out.

use std::{fmt, str::FromStr};

use crate::{
    key::HostKey,
    name::{LatticeName, Name},
    session::SessionId,
};

/// The first tokens of every subject: the project, and the protocol's version.
const ROOT: &str = "wattle.1";

/// A subject of the lattice, protocol version 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Calls to one host, which its router hands on.
    Call {
        /// The lattice.
        lattice: LatticeName,
        /// The callee's host.
        host: HostKey,
        /// Which of its lanes; a session's first message goes to none in particular.
        lane: Option<u8>,
    },
    /// Replies to what a host said in one of its sessions. The session's number tells whose it is even when NATS itself
    /// replies, that nobody was there.
    Reply {
        /// The lattice.
        lattice: LatticeName,
        /// The caller's host.
        host: HostKey,
        /// Its number for the session.
        session: SessionId,
    },
    /// Signed commands to one host.
    Control {
        /// The lattice.
        lattice: LatticeName,
        /// The host that is to act.
        host: HostKey,
    },
    /// One host's sign of life, each second.
    Beat {
        /// The lattice.
        lattice: LatticeName,
        /// The host that lives.
        host: HostKey,
    },
    /// Something happened.
    Event {
        /// The lattice.
        lattice: LatticeName,
        /// What kind of thing.
        kind: Name,
    },
    /// Questions about declared applications, to whichever wadm holds the lease of the asker's account.
    App {
        /// The lattice.
        lattice: LatticeName,
        /// What is asked.
        verb: Name,
    },
    /// Replies to commands of one client. Never `_INBOX`, so that NATS permissions per client are possible.
    ClientReply {
        /// The lattice.
        lattice: LatticeName,
        /// The client, which chooses its id for the time of its connection.
        client: Name,
    },
}

/// Why a text is not a subject of the lattice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a subject of the lattice: {0:?}")]
pub struct SubjectError(String);

impl Subject {
    /// The replies to all sessions of one lane of a host, to subscribe to.
    pub fn all_replies(lattice: &LatticeName, host: &HostKey, lane: u8) -> String {
        format!("{ROOT}.{lattice}.host.{host}.reply.{lane}.*")
    }

    /// The beats of all hosts, to subscribe to.
    pub fn all_beats(lattice: &LatticeName) -> String {
        format!("{ROOT}.{lattice}.beat.*")
    }

    /// All questions about applications, to subscribe to.
    pub fn all_apps(lattice: &LatticeName) -> String {
        format!("{ROOT}.{lattice}.app.*")
    }

    /// All events, to subscribe to.
    pub fn all_events(lattice: &LatticeName) -> String {
        format!("{ROOT}.{lattice}.event.*")
    }

    /// Calls to any host, and to any lane of it, as NATS permissions write it.
    pub fn all_calls(lattice: &LatticeName) -> [String; 2] {
        [format!("{ROOT}.{lattice}.host.*.call"), format!("{ROOT}.{lattice}.host.*.call.*")]
    }

    /// Replies to the sessions of any host, as NATS permissions write it.
    pub fn all_hosts_replies(lattice: &LatticeName) -> String {
        format!("{ROOT}.{lattice}.host.*.reply.*.*")
    }

    /// Commands to any host, as NATS permissions write it.
    pub fn all_commands(lattice: &LatticeName) -> String {
        format!("{ROOT}.{lattice}.host.*.control")
    }

    /// All that is said to one host, as NATS permissions write it.
    pub fn all_to_host(lattice: &LatticeName, host: &HostKey) -> String {
        format!("{ROOT}.{lattice}.host.{host}.>")
    }

    /// Replies to any client, whose names are of their own choosing, as NATS permissions write it.
    pub fn all_clients_replies(lattice: &LatticeName) -> String {
        format!("{ROOT}.{lattice}.client.*.reply.>")
    }

    /// Where any client asks, of nobody, whether the server has what it said before, as NATS permissions write it.
    pub fn all_flushes(lattice: &LatticeName) -> String {
        format!("{ROOT}.{lattice}.client.*.reply.flush")
    }

    /// Everything of one lattice, as NATS permissions and taps write it.
    pub fn everything(lattice: &LatticeName) -> String {
        format!("{ROOT}.{lattice}.>")
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { lattice, host, lane: None } => {
                write!(f, "{ROOT}.{lattice}.host.{host}.call")
            }
            Self::Call { lattice, host, lane: Some(lane) } => {
                write!(f, "{ROOT}.{lattice}.host.{host}.call.{lane}")
            }
            Self::Reply { lattice, host, session } => {
                let lane = session.lane();
                write!(f, "{ROOT}.{lattice}.host.{host}.reply.{lane}.{session}")
            }
            Self::Control { lattice, host } => write!(f, "{ROOT}.{lattice}.host.{host}.control"),
            Self::Beat { lattice, host } => write!(f, "{ROOT}.{lattice}.beat.{host}"),
            Self::App { lattice, verb } => write!(f, "{ROOT}.{lattice}.app.{verb}"),
            Self::Event { lattice, kind } => write!(f, "{ROOT}.{lattice}.event.{kind}"),
            Self::ClientReply { lattice, client } => {
                write!(f, "{ROOT}.{lattice}.client.{client}.reply")
            }
        }
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        parse(text).ok_or_else(|| SubjectError(crate::name::shortened(text)))
    }
}

fn parse(text: &str) -> Option<Subject> {
    let (lattice, rest) = text.strip_prefix(ROOT)?.strip_prefix('.')?.split_once('.')?;
    let lattice: LatticeName = lattice.parse().ok()?;
    let tokens: Vec<&str> = rest.splitn(6, '.').collect();
    match tokens.as_slice() {
        ["host", host, "call"] => {
            Some(Subject::Call { lattice, host: host.parse().ok()?, lane: None })
        }
        ["host", host, "call", lane] => {
            Some(Subject::Call { lattice, host: host.parse().ok()?, lane: Some(number(lane)?) })
        }
        ["host", host, "reply", lane, session] => {
            let session: SessionId = session.parse().ok()?;
            let host = host.parse().ok()?;
            (session.lane() == number(lane)?).then_some(Subject::Reply { lattice, host, session })
        }
        ["host", host, "control"] => Some(Subject::Control { lattice, host: host.parse().ok()? }),
        ["beat", host] => Some(Subject::Beat { lattice, host: host.parse().ok()? }),
        ["event", kind] => Some(Subject::Event { lattice, kind: kind.parse().ok()? }),
        ["app", verb] => Some(Subject::App { lattice, verb: verb.parse().ok()? }),
        ["client", client, "reply"] => {
            Some(Subject::ClientReply { lattice, client: client.parse().ok()? })
        }
        _ => None,
    }
}

/// A lane's number, which has one spelling.
fn number(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number: &u8| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<Subject> {
        let lattice: LatticeName = "shop".parse().expect("a name");
        let host: HostKey = format!("N{}", "A".repeat(55)).parse().expect("a key");
        let name: Name = "actor-started".parse().expect("a name");
        let session = SessionId::from_u64(7);
        vec![
            Subject::Call { lattice: lattice.clone(), host: host.clone(), lane: None },
            Subject::Call { lattice: lattice.clone(), host: host.clone(), lane: Some(2) },
            Subject::Reply { lattice: lattice.clone(), host: host.clone(), session },
            Subject::Control { lattice: lattice.clone(), host: host.clone() },
            Subject::Beat { lattice: lattice.clone(), host },
            Subject::Event { lattice: lattice.clone(), kind: name.clone() },
            Subject::App { lattice: lattice.clone(), verb: name.clone() },
            Subject::ClientReply { lattice, client: name },
        ]
    }

    #[test]
    fn what_is_published_is_what_is_parsed() {
        for subject in one_of_each() {
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "wattle.1",
            "wattle.1.shop",
            "wattle.2.shop.event.x",
            "wattle.1.shop.event.x.y",
            "wattle.1.*.event.x",
        ] {
            assert!(bad.parse::<Subject>().is_err(), "{bad}");
        }
    }
}
