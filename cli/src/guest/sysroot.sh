#!/usr/bin/env bash
# A sysroot with Rust's standard library for WebAssembly, for machines where `rustup target add wasm32-wasip2` has nowhere to
# download from. The installed rustc compiles its own standard library, from Debian's copy of exactly its source and Debian's
# wasi-libc. Needs apt-get (no root: its state is a throw-away folder) and about a minute; nothing outside SYSROOT is changed.
#
# Usage: sysroot.sh SYSROOT [TARGET]...        (default target: wasm32-wasip2)
# Then:  CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS=--sysroot=SYSROOT cargo build --release --target wasm32-wasip2
set -euo pipefail

say() { echo "sysroot: $*" >&2; }
fail() { say "$@"; exit 1; }

sysroot=${1:?usage: sysroot.sh SYSROOT [TARGET]...}
shift
[ $# -gt 0 ] || set -- wasm32-wasip2
for tool in rustc cargo apt-get apt-cache dpkg-deb flock; do
  command -v "$tool" >/dev/null || fail "there is no $tool here"
done
release=$(rustc -vV | sed -n 's/^release: //p')
machine=$(rustc -vV | sed -n 's/^host: //p')
toolchain=$(rustc --print sysroot)

complete() { # for this very compiler, with every target that is wanted
  [ "$(cat "$sysroot/.version" 2>/dev/null)" = "$release" ] || return 1
  for target in "$@"; do compgen -G "$sysroot/lib/rustlib/$target/lib/libstd-*.rlib" >/dev/null || return 1; done
}

mkdir -p "$(dirname "$sysroot")"
exec 9>"$sysroot.lock"
flock 9 # two builds at once: the second finds it done
if complete "$@"; then exit 0; fi

# Beside the result, so that it can be put in place by a rename.
work=$(mktemp -d "$sysroot.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/apt/{lists/partial,cache/archives/partial} "$work"/{packages,debian,crate/src,result}

# --- Debian's packages, through an apt that knows nothing of this machine's own lists, pins and locks
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || fail "no $keyring: this works on Debian only; use rustup target add $1"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sed -n '\#/debian/*$#p')
mirror=${mirror%%$'\n'*} # the first
[ -n "$mirror" ] || fail "apt knows no mirror of Debian"
for suite in stable stable-backports trixie trixie-backports sid; do
  echo "deb [signed-by=$keyring] $mirror $suite main"
done >"$work/apt/sources"
: >"$work/apt/status"
with=(-qq -o "Dir::Etc::SourceList=$work/apt/sources" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
  -o "Dir::State::Lists=$work/apt/lists" -o "Dir::State::status=$work/apt/status" -o "Dir::Cache=$work/apt/cache"
  -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=3)
say "looking for the source of rustc $release"
apt-get "${with[@]}" update >&2 || say "not every list could be read"
versions_of() { apt-cache "${with[@]}" madison "$1" | cut -d'|' -f2 | tr -d ' '; }
rust_src=$(versions_of rust-src | grep -F "$release+") ||
  fail "Debian has no rust-src $release; install a rustc that it has, or use rustup target add $1"
wasi_libc=$(versions_of wasi-libc)
source_version=${rust_src%%$'\n'*} libc_version=${wasi_libc%%$'\n'*} # the newest of each
(cd "$work/packages" && apt-get "${with[@]}" download "rust-src=$source_version" "wasi-libc=$libc_version" >&2)
for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work/debian"; done

# --- the installed toolchain, seen through a folder that also has the source and the C library's objects
say "compiling std for $*"
cp -al "$toolchain" "$work/toolchain" 2>/dev/null || { rm -rf "$work/toolchain"; cp -a "$toolchain" "$work/toolchain"; }
library=("$work"/debian/usr/src/rustc-*)
mkdir -p "$work/toolchain/lib/rustlib/src"
rm -rf "$work/toolchain/lib/rustlib/src/rust"
ln -s "${library[0]}" "$work/toolchain/lib/rustlib/src/rust"
for target in "$@"; do
  objects=$work/debian/usr/lib/$target
  [ -d "$objects" ] || continue # a target without a C library
  mkdir -p "$work/toolchain/lib/rustlib/$target/lib/self-contained"
  for object in crt1-command.o crt1-reactor.o libc.a; do
    cp -L --remove-destination "$objects/$object" "$work/toolchain/lib/rustlib/$target/lib/self-contained/"
  done
done
cat >"$work/crate/Cargo.toml" <<'TOML'
[package]
name = "only_std"
version = "0.0.0"
edition = "2021"

[profile.release]
opt-level = 3
debug = 0

[workspace]
TOML
: >"$work/crate/src/lib.rs"
# Bitcode is embedded for guests that are linked with LTO. rustup's proxies set a library path to a toolchain of their own and a
# wrapper may know other compilers only: neither may take part.
(
  cd "$work/crate"
  unset RUSTUP_TOOLCHAIN RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET
  export RUSTC_BOOTSTRAP=1 RUSTC=$work/toolchain/bin/rustc RUSTFLAGS=-Cembed-bitcode=yes
  export CARGO_TARGET_DIR=$work/crate/target LD_LIBRARY_PATH=$work/toolchain/lib
  "$work/toolchain/bin/cargo" build --quiet --release "${@/#/--target=}" \
    -Z build-std=std,panic_abort,panic_unwind,proc_macro </dev/null >&2
)

# --- the result: each target's libraries, and the linkers that rustc looks for beside them
mkdir -p "$work/result/lib/rustlib/$machine"
cp -a "$work/toolchain/lib/rustlib/$machine/bin" "$work/result/lib/rustlib/$machine/"
for target in "$@"; do
  lib=$work/result/lib/rustlib/$target/lib
  mkdir -p "$lib"
  find "$work/crate/target/$target/release/deps" -name '*.rlib' ! -name 'libonly_std*' -exec cp {} "$lib/" \;
  [ ! -d "$work/toolchain/lib/rustlib/$target/lib/self-contained" ] ||
    cp -a "$work/toolchain/lib/rustlib/$target/lib/self-contained" "$lib/"
done
echo "$release" >"$work/result/.version"
rm -rf "$sysroot"
mv "$work/result" "$sysroot"
say "ready: $sysroot"
