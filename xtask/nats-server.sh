#!/usr/bin/env bash
# Installs nats-server into the user's cache, for machines that have none of their own: no root, and nothing else touched.
# It is Debian's package, fetched and checked by apt in a state of its own, and unpacked.  Prints where the binary is.
# Usage: nats-server.sh [FOLDER]      (default: $XDG_CACHE_HOME/wattle/bin, which is where Wattle looks for it)
set -euo pipefail
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/wattle/bin}
suite=trixie # has 2.10, the first version with all that Wattle uses; bookworm's is 2.9
wanted='v2\.1[0-9]\.' # an older binary here is replaced

fail() { echo "nats-server.sh: $*" >&2; exit 1; }
works() { "$1" --version 2>/dev/null | grep -q "$wanted"; }

if works "$folder/nats-server"; then echo "$folder/nats-server"; exit 0; fi
for tool in apt-get apt-cache dpkg-deb; do
  command -v "$tool" >/dev/null || fail "no $tool here: install nats-server 2.10 or newer yourself, into PATH or as $folder/nats-server"
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || fail "$keyring is missing: install nats-server 2.10 or newer yourself, into PATH or as $folder/nats-server"

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{apt/lists/partial,apt/archives/partial,debs,root}
# The mirror that this machine's apt already uses for Debian's main archive; what it gives is checked against Debian's keys.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/*$') ||
  fail "apt here knows no mirror of Debian: install nats-server 2.10 or newer yourself, into PATH or as $folder/nats-server"
echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/apt/sources.list"
# The status file is empty: what this machine has installed does not matter to a download.
: >"$work/apt/status"
options=(-o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null
         -o "Dir::State::Lists=$work/apt/lists" -o "Dir::State::status=$work/apt/status" -o "Dir::Cache=$work/apt"
         -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=3)
apt-get -qq "${options[@]}" update >&2
(cd "$work/debs" && apt-get -qq "${options[@]}" download "nats-server/$suite" >&2)
dpkg-deb -x "$work"/debs/nats-server_*.deb "$work/root"
binary=$(find "$work/root" -type f -name nats-server -path '*bin*' | head -n 1)
works "$binary" || fail "Debian's nats-server from $suite does not run here"

# Renamed into place: two who install at once, and a server that runs from here, do not meet half a file.
mkdir -p "$folder"
cp "$binary" "$folder/.nats-server.$$" && chmod 0755 "$folder/.nats-server.$$" && mv -f "$folder/.nats-server.$$" "$folder/nats-server"
echo "$folder/nats-server"
