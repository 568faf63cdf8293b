//! The compiled-code cache: compiling an actor takes a second, loading what was compiled a fraction of a millisecond.
//!
//! What is loaded runs as native code, so every file carries a tag with a key that only this host has. A file without its tag is
//! compiled anew, as if it were not there.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Instant,
};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tracing::{info, warn};
use wasmtime::{Engine, component::Component};
use wattle_core::Digest;

/// Compilations at once: each uses all cores by itself (wasmtime compiles functions in parallel).
const COMPILATIONS_MAX: usize = 1;

const TAG_LEN: usize = 32;

/// What is read is kept for the next file up to this size: memory that is fresh costs more than reading into it.
const BUFFER_KEPT_MAX: usize = 4 << 20;

/// Turns components into compiled code, off the request path, one at a time.
pub(crate) struct Compiler {
    engine: Engine,
    /// Of the engine, and its version.
    settings: u64,
    folder: PathBuf,
    key: [u8; 32],
    turns: Semaphore,
    buffer: Mutex<Vec<u8>>,
}

/// A component ready to be linked, and where it came from.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    pub(crate) from_cache: bool,
}

/// Why a component could not be compiled.
#[derive(Debug, thiserror::Error)]
#[error("not a component that this host can run: {0}")]
pub(crate) struct CompileError(String);

impl Compiler {
    /// Keeps what it compiles in `folder`, tagged with a key derived from the host's seed.
    pub(crate) fn new(engine: Engine, folder: PathBuf, host_seed: &str) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let key = blake3::derive_key("wattle 1 compiled code of a host", host_seed.as_bytes());
        let turns = Semaphore::new(COMPILATIONS_MAX);
        let settings = settings_of(&engine);
        Ok(Self { engine, settings, folder, key, turns, buffer: Mutex::default() })
    }

    /// The compiled form of `component`, whose SHA-256 is `digest`: from the cache if it is there and this host made it.
    pub(crate) async fn compile(
        self: &std::sync::Arc<Self>,
        digest: Digest,
        component: Vec<u8>,
    ) -> Result<Compiled, CompileError> {
        let this = self.clone();
        let loaded = tokio::task::spawn_blocking(move || this.load_timed(&digest)).await;
        if let Some(component) = loaded.map_err(|error| CompileError(error.to_string()))? {
            return Ok(Compiled { component, from_cache: true });
        }
        let _turn = self.turns.acquire().await.map_err(|error| CompileError(error.to_string()))?;
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.compile_and_keep(&digest, &component))
            .await
            .map_err(|error| CompileError(format!("the compiler panicked: {error}")))?
    }

    fn load_timed(&self, digest: &Digest) -> Option<Component> {
        let began = Instant::now();
        let component = self.load(&self.path(digest))?;
        told(digest, true, began);
        Some(component)
    }

    fn compile_and_keep(
        &self,
        digest: &Digest,
        component: &[u8],
    ) -> Result<Compiled, CompileError> {
        let began = Instant::now();
        let component = Component::from_binary(&self.engine, component)
            .map_err(|error| CompileError(format!("{error:#}")))?;
        told(digest, false, began);
        let kept = component
            .serialize()
            .map_err(io::Error::other)
            .and_then(|code| self.store(&self.path(digest), &code));
        if let Err(error) = kept {
            warn!(%digest, %error, "compiled code is not cached");
        }
        Ok(Compiled { component, from_cache: false })
    }

    /// Named by everything that the code depends on: the component, the engine's version and its settings.
    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}-{:016x}", digest.hex(), self.settings))
    }

    fn load(&self, path: &Path) -> Option<Component> {
        let mut file = fs::File::open(path).ok()?;
        // Another load has it: this one takes memory of its own.
        let mut own = Vec::new();
        let mut kept = self.buffer.try_lock();
        let bytes = kept.as_deref_mut().unwrap_or(&mut own);
        bytes.clear();
        file.read_to_end(bytes).ok()?;
        let component = self.authentic(path, bytes);
        if bytes.capacity() > BUFFER_KEPT_MAX {
            *bytes = Vec::new();
        }
        component
    }

    fn authentic(&self, path: &Path, bytes: &[u8]) -> Option<Component> {
        let (tag, code) = bytes.split_at_checked(TAG_LEN)?;
        // blake3::Hash compares in constant time.
        if blake3::keyed_hash(&self.key, code) != blake3::Hash::from_slice(tag).ok()? {
            warn!(path = %path.display(), "compiled code was not made by this host: it is compiled again");
            return None;
        }
        #[allow(
            unsafe_code,
            reason = "deserialize must be given what serialize gave; the tag just proved that this host made these bytes"
        )]
        let component = unsafe { Component::deserialize(&self.engine, code) };
        component
            .inspect_err(
                |error| warn!(path = %path.display(), %error, "compiled code does not load"),
            )
            .ok()
    }

    fn store(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        use io::Write;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(blake3::keyed_hash(&self.key, code).as_bytes())?;
        file.write_all(code)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// How long it took is worth a line: it is what a start spends most of its time on.
fn told(digest: &Digest, from_cache: bool, began: Instant) {
    let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    info!(%digest, from_cache, took_us, "actor code ready");
}

fn settings_of(engine: &Engine) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut settings = Blake3Hasher(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    settings.finish()
}

/// wasmtime gives what the code depends on as something to hash, not as bytes.
struct Blake3Hasher(blake3::Hasher);

impl std::hash::Hasher for Blake3Hasher {
    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// The empty component: its magic number and version.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn compiler(folder: &Path, seed: &str) -> Arc<Compiler> {
        let engine = Engine::default();
        Arc::new(Compiler::new(engine, folder.to_owned(), seed).expect("a folder"))
    }

    #[tokio::test]
    async fn what_was_compiled_once_is_loaded_the_next_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let digest = Digest::from_bytes([1; 32]);
        let first = compiler(folder.path(), "seed").compile(digest, EMPTY.to_vec()).await;
        assert!(!first.expect("compiles").from_cache);
        let second = compiler(folder.path(), "seed").compile(digest, EMPTY.to_vec()).await;
        assert!(second.expect("loads").from_cache);
    }

    #[tokio::test]
    async fn code_that_another_key_tagged_or_that_was_altered_is_compiled_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let digest = Digest::from_bytes([1; 32]);
        compiler(folder.path(), "one").compile(digest, EMPTY.to_vec()).await.expect("compiles");
        let other = compiler(folder.path(), "two");
        assert!(!other.compile(digest, EMPTY.to_vec()).await.expect("compiles").from_cache);
        let path = other.path(&digest);
        let mut bytes = fs::read(&path).expect("cached");
        *bytes.last_mut().expect("not empty") ^= 1;
        fs::write(&path, bytes).expect("altered");
        assert!(!other.compile(digest, EMPTY.to_vec()).await.expect("compiles").from_cache);
    }
}
