//! The way to a printer: a TCP connection for each job, on which it is asked first how it stands.

use std::time::Instant;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Semaphore, SemaphorePermit},
    time::timeout_at,
};
use wattle_sdk::{CallError, ErrorKind};

use crate::{
    contract::{
        Failure,
        printer::{Condition, ConditionFlag, Error, State},
    },
    settings::Settings,
};

/// Calls that wait for one printer; beyond it we answer overloaded.
const WAITING_MAX: usize = 64;
/// Asks a printer how it stands. It answers three lines, each between STX and ETX.
const ASK: &[u8] = b"~HS";
const LINES: usize = 3;
const ETX: u8 = 3;
/// Bytes of the three lines: they have 82.
const ANSWER_LEN_MAX: usize = 512;

/// A link's printer. Most take one connection at a time, so jobs wait for each other.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) settings: Settings,
    free: Semaphore,
    places: Semaphore,
}

/// How far a job came that failed.
struct Lost {
    sending: bool,
    why: String,
}

impl Connection {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, free: Semaphore::new(1), places: Semaphore::new(WAITING_MAX) }
    }

    /// How it stands.
    pub(crate) async fn state(&self, deadline: Instant) -> Result<State, Failure<Error>> {
        let _place = self.place()?;
        let until = self.until(deadline);
        let asked = async {
            let _free = self.free.acquire().await;
            ask(&mut self.connect().await?).await
        };
        match timeout_at(until.into(), asked).await {
            Ok(answer) => Ok(answer.map_err(offline)?),
            Err(_) => Err(offline("no answer in time".to_owned()).into()),
        }
    }

    /// Prints, if it can.
    pub(crate) async fn print(&self, zpl: &str, deadline: Instant) -> Result<(), Failure<Error>> {
        let _place = self.place()?;
        let until = self.until(deadline);
        let mut sending = false;
        let printed = timeout_at(until.into(), self.send(zpl, &mut sending)).await;
        let lost = match printed {
            Ok(Ok(stopped)) if stopped.is_empty() => return Ok(()),
            Ok(Ok(stopped)) => return Err(Error::Stopped(stopped).into()),
            Ok(Err(why)) => Lost { sending, why },
            Err(_) => Lost { sending, why: "no answer in time".to_owned() },
        };
        Err(lost.error().into())
    }

    /// Why it does not print, if it does not; else it has all of it.
    async fn send(&self, zpl: &str, sending: &mut bool) -> Result<Condition, String> {
        let _free = self.free.acquire().await;
        let mut stream = self.connect().await?;
        let state = ask(&mut stream).await?;
        if !state.condition.is_empty() {
            return Ok(state.condition);
        }
        *sending = true;
        stream.write_all(zpl.as_bytes()).await.map_err(|error| error.to_string())?;
        // It reads in order: when it answers again, it has all of the label.
        ask(&mut stream).await?;
        Ok(Condition::new())
    }

    async fn connect(&self) -> Result<TcpStream, String> {
        TcpStream::connect(&self.settings.address).await.map_err(|error| error.to_string())
    }

    fn place(&self) -> Result<SemaphorePermit<'_>, CallError> {
        self.places.try_acquire().map_err(|_| {
            let what = format!("{WAITING_MAX} calls wait for this printer");
            CallError::new(ErrorKind::Overloaded, what)
        })
    }

    fn until(&self, deadline: Instant) -> Instant {
        // The typed answer still has to reach the caller.
        let left = deadline.saturating_duration_since(Instant::now()) * 9 / 10;
        Instant::now() + left.min(self.settings.patience)
    }
}

async fn ask(stream: &mut TcpStream) -> Result<State, String> {
    stream.write_all(ASK).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    while answer.iter().filter(|&&byte| byte == ETX).count() < LINES {
        let read = stream.read_buf(&mut answer).await.map_err(|error| error.to_string())?;
        if read == 0 || answer.len() > ANSWER_LEN_MAX {
            return Err("it does not say how it stands, as a ZPL printer does".to_owned());
        }
    }
    Ok(state_in(&answer).ok_or("its state is not what a ZPL printer says")?)
}

impl Lost {
    fn error(self) -> Error {
        if self.sending { Error::Interrupted(self.why) } else { offline(self.why) }
    }
}

fn offline(why: String) -> Error {
    Error::Offline(why)
}

/// From the three lines: `030,PAPER-OUT,PAUSE,…`, `…,HEAD-UP,RIBBON-OUT,…`.
fn state_in(answer: &[u8]) -> Option<State> {
    let text = std::str::from_utf8(answer).ok()?;
    let lines: Vec<Vec<&str>> = text
        .split(['\u{2}', '\u{3}'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| line.split(',').collect())
        .collect();
    let is_set = |line: usize, at: usize| Some(*lines.get(line)?.get(at)? == "1");
    let mut condition = Condition::new();
    for (line, at, flag) in [
        (0, 1, ConditionFlag::PaperOut),
        (0, 2, ConditionFlag::Paused),
        (1, 2, ConditionFlag::HeadOpen),
        (1, 3, ConditionFlag::RibbonOut),
    ] {
        if is_set(line, at)? {
            condition.insert(flag);
        }
    }
    Some(State { condition, waiting: lines.first()?.get(4)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printer_s_three_lines_are_its_state() {
        let answer = |paper: u8, head: u8| {
            format!(
                "\u{2}030,{paper},0,1245,007,0,0,0,000,0,0,0\u{3}\r\n\
                 \u{2}000,0,{head},0,0,2,4,0,00000000,1,000\u{3}\r\n\u{2}1234,0\u{3}\r\n"
            )
        };
        let ready = State { condition: Condition::new(), waiting: 7 };
        assert_eq!(state_in(answer(0, 0).as_bytes()), Some(ready));
        let stopped = state_in(answer(1, 1).as_bytes()).expect("a state").condition;
        assert_eq!(stopped, [ConditionFlag::PaperOut, ConditionFlag::HeadOpen].into());
        for bad in [&b""[..], b"\x02030,0\x03", b"\xff", b"HTTP/1.1 400 Bad Request"] {
            assert_eq!(state_in(bad), None);
        }
    }
}
