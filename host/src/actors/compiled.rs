//! The compiled-code cache: compiling an actor takes a second, loading what was compiled a fraction of a millisecond.
//!
//! What is loaded runs as native code, so every file carries a tag with a key that only this host has, over its name and its code: the
//! code of one component is none of another's. A file without its tag is compiled anew, as if it were not there. A file with its tag is mapped, not copied: its pages are read when they first run, and
//! are the kernel's to take back.

use std::{
    fs,
    io::{self, Read as _},
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    time::Instant,
};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tracing::{info, warn};
use wasmtime::{Engine, component::Component};
use wattle_core::Digest;

use crate::room::{self, PARTIAL};

/// Compilations at once: each uses all cores by itself (wasmtime compiles functions in parallel).
const COMPILATIONS_MAX: usize = 1;

const TAG_LEN: u64 = 32;

/// Bytes of compiled code that are kept.
const KEPT_BYTES_MAX: u64 = 1 << 30;

/// What is hashed at a time: half of a small processor's second-level cache.
const PIECE_LEN: usize = 128 << 10;

/// Turns components into compiled code, off the request path, one at a time.
pub(crate) struct Compiler {
    engine: Engine,
    /// Of the engine, and its version.
    settings: u64,
    folder: PathBuf,
    key: [u8; 32],
    turns: Semaphore,
    /// Kept, since memory that is fresh costs more than reading into it.
    piece: Mutex<Vec<u8>>,
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
        let usable = ending(settings);
        // What other versions and settings of the engine made, and what a crash left half written.
        let is_useless = |name: &str| !name.ends_with(&usable) || name.starts_with(PARTIAL);
        if let Err(error) = room::clear(&folder, is_useless) {
            warn!(%error, "compiled code that is of no use cannot be removed");
        }
        Ok(Self { engine, settings, folder, key, turns, piece: Mutex::new(vec![0; PIECE_LEN]) })
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
        let component =
            Component::from_binary(&self.engine, component).map_err(|error| unfit(&error))?;
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
        self.folder.join(format!("{}{}", digest.hex(), ending(self.settings)))
    }

    fn load(&self, path: &Path) -> Option<Component> {
        let mut file = fs::File::open(path).ok()?;
        if !self.authentic(path, &mut file).ok()? {
            warn!(path = %path.display(), "compiled code was not made by this host: it is compiled again");
            return None;
        }
        room::touch(&file);
        // The file that was read, whatever its name stands for by now.
        let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
        #[allow(
            unsafe_code,
            reason = "deserialize_file must be given what serialize gave; the tag just proved that this host made these bytes, and \
                      files here are replaced, never written to"
        )]
        let component = unsafe { Component::deserialize_file(&self.engine, opened) };
        component
            .inspect_err(
                |error| warn!(path = %path.display(), %error, "compiled code does not load"),
            )
            .ok()
    }

    /// What makes the tag of the file of this name, once it has its code. Names are equally long, so that none goes on in the code.
    fn tagger(&self, path: &Path) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hasher
    }

    /// Whether the file ends with the tag of its name and of what comes before.
    fn authentic(&self, path: &Path, file: &mut fs::File) -> io::Result<bool> {
        let Some(code_len) = file.metadata()?.len().checked_sub(TAG_LEN) else { return Ok(false) };
        let mut hasher = self.tagger(path);
        let mut piece = self.piece.lock();
        let mut rest = file.take(code_len);
        loop {
            match rest.read(&mut piece)? {
                0 => break,
                len => hasher.update(&piece[..len]),
            };
        }
        let mut tag = [0; TAG_LEN as usize];
        rest.into_inner().read_exact(&mut tag)?;
        // blake3::Hash compares in constant time.
        Ok(hasher.finalize() == blake3::Hash::from_bytes(tag))
    }

    fn store(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        use io::Write;
        let mut file = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(&self.folder)?;
        file.write_all(code)?;
        file.write_all(self.tagger(path).update(code).finalize().as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        // What is mapped stays until nobody uses it.
        if let Err(error) = room::make(&self.folder, KEPT_BYTES_MAX, |file| file != path) {
            warn!(%error, "old compiled code cannot be removed");
        }
        Ok(())
    }
}

/// How the names of files end whose code was made with these settings.
fn ending(settings: u64) -> String {
    format!("-{settings:016x}")
}

fn unfit(error: &wasmtime::Error) -> CompileError {
    let mut text = format!("{error:#}");
    if text.contains("component model async") {
        text.push_str("; async functions of WASI 0.3 do not run yet: build it without them (componentize-qjs: --sync)");
    }
    CompileError(text)
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
    async fn a_component_with_async_functions_is_told_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "(component (core func (canon task.cancel)))";
        let component = wat::parse_str(text).expect("a component");
        let compiler = compiler(folder.path(), "seed");
        let compiling = compiler.compile(Digest::from_bytes([2; 32]), component);
        let error = compiling.await.map(drop).expect_err("it has async functions");
        assert!(error.to_string().contains("do not run yet"), "{error}");
    }

    #[tokio::test]
    async fn code_that_another_key_tagged_or_that_was_altered_is_compiled_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let digest = Digest::from_bytes([1; 32]);
        compiler(folder.path(), "one").compile(digest, EMPTY.to_vec()).await.expect("compiles");
        let other = compiler(folder.path(), "two");
        assert!(!other.compile(digest, EMPTY.to_vec()).await.expect("compiles").from_cache);
        let path = other.path(&digest);
        let good = fs::read(&path).expect("cached");
        let flipped = |at: usize| {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            bytes
        };
        let appended = [&good[..], &[0]].concat();
        let (cut, empty) = (good[..good.len() - 1].to_vec(), Vec::new());
        for bad in [flipped(0), flipped(good.len() - 1), appended, cut, empty] {
            fs::remove_file(&path).expect("it is mapped: a new one takes its place");
            fs::write(&path, bad).expect("altered");
            assert!(!other.compile(digest, EMPTY.to_vec()).await.expect("compiles").from_cache);
            assert!(other.compile(digest, EMPTY.to_vec()).await.expect("loads").from_cache);
        }
    }

    #[tokio::test]
    async fn code_of_another_component_is_compiled_anew_though_this_host_made_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let compiler = compiler(folder.path(), "seed");
        let other = wat::parse_str("(component (core module))").expect("a component");
        let components = [([1; 32], EMPTY.to_vec()), ([2; 32], other)];
        let components = components.map(|(digest, wasm)| (Digest::from_bytes(digest), wasm));
        for (digest, wasm) in components.clone() {
            compiler.compile(digest, wasm).await.expect("compiles");
        }
        let [one, two] = [0, 1].map(|which| compiler.path(&components[which].0));
        let aside = folder.path().join("aside");
        for (from, to) in [(&one, &aside), (&two, &one), (&aside, &two)] {
            fs::rename(from, to).expect("swapped");
        }
        for (digest, wasm) in components {
            assert!(!compiler.compile(digest, wasm).await.expect("compiles").from_cache);
        }
    }

    #[tokio::test]
    async fn code_from_the_cache_runs_and_names_its_functions() {
        const TRAPS: &str = r#"(component
            (core module $m (func $boom (export "run") unreachable))
            (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#;
        let folder = tempfile::tempdir().expect("a folder");
        let wasm = wat::parse_str(TRAPS).expect("a component");
        let digest = Digest::from_bytes([2; 32]);
        compiler(folder.path(), "seed").compile(digest, wasm.clone()).await.expect("compiles");
        let kept = compiler(folder.path(), "seed");
        let loaded = kept.compile(digest, wasm.clone()).await.expect("loads");
        assert!(loaded.from_cache);
        let mut store = wasmtime::Store::new(&kept.engine, ());
        let linker = wasmtime::component::Linker::new(&kept.engine);
        let instance = linker.instantiate(&mut store, &loaded.component).expect("instantiates");
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").expect("exported");
        let trapped = run.call(&mut store, ()).expect_err("unreachable");
        let backtrace: &wasmtime::WasmBacktrace = trapped.downcast_ref().expect("a backtrace");
        assert_eq!(backtrace.frames()[0].func_name(), Some("boom"));
    }
}
