//! A printer that speaks ZPL, as far as the example of a label printer speaks it with one.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// How it takes what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It prints.
    Ready,
    /// It says that it has no paper.
    PaperOut,
    /// It is lost when a label comes.
    Vanishing,
}

/// A printer at an address of its own, until it is dropped.
pub struct ZplPrinter {
    /// Where it listens.
    pub address: String,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

struct Shared {
    mood: Mood,
    printed: Vec<String>,
}

impl ZplPrinter {
    /// Starts it, ready.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let shared = Arc::new(Mutex::new(Shared { mood: Mood::Ready, printed: Vec::new() }));
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                // One at a time, like most of them.
                while let Ok((stream, _)) = listener.accept().await {
                    // Whoever is connected may go away at any time.
                    let _: std::io::Result<()> = serve(stream, &shared).await;
                }
            }
        });
        Self { address, shared, task }
    }

    /// Changes how it takes what comes next.
    pub fn set(&self, mood: Mood) {
        lock(&self.shared).mood = mood;
    }

    /// What it has printed since it was last asked.
    pub fn printed(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.shared).printed)
    }
}

impl Drop for ZplPrinter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    const ASK: &str = "~HS";
    const END: &str = "^XZ\n";
    let mut came = Vec::new();
    while stream.read_buf(&mut came).await? > 0 {
        while let Ok(text) = std::str::from_utf8(&came) {
            let mood = lock(shared).mood;
            if text.starts_with('^') && mood == Mood::Vanishing {
                return Ok(());
            }
            if text.starts_with(ASK) {
                came.drain(..ASK.len());
                stream.write_all(state(mood).as_bytes()).await?;
            } else if let Some(at) = text.find(END) {
                let label: Vec<u8> = came.drain(..at + END.len()).collect();
                lock(shared).printed.push(String::from_utf8_lossy(&label).into_owned());
            } else {
                break;
            }
        }
    }
    Ok(())
}

fn state(mood: Mood) -> String {
    let paper_out = u8::from(mood == Mood::PaperOut);
    format!(
        "\u{2}030,{paper_out},0,1245,000,0,0,0,000,0,0,0\u{3}\r\n\
         \u{2}000,0,0,0,0,2,4,0,00000000,1,000\u{3}\r\n\
         \u{2}1234,0\u{3}\r\n"
    )
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
