#!/usr/bin/env bash
# Installs programs of Debian's packages (and one that runs another with libfaketime) into the user's cache: no root, nothing of the
# system touched, no service started. apt fetches and checks the packages in a state of its own; what they link beside libc comes
# along.
# Usage: debian-programs.sh redis-server|wrk|libfaketime|socat|ip|mosquitto|postgres|initdb …
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/wattle

fail() { echo "debian-programs.sh: $*" >&2; exit 1; }
for tool in apt-get apt-cache dpkg-deb; do
  command -v "$tool" >/dev/null || fail "no $tool here: install $* yourself"
done

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,debs,root}
options=(-o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work" -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none
         -o Acquire::Retries=3)
apt-get -qq "${options[@]}" update >&2

# redis-server's binary lives in redis-tools; the package redis-server is the service around it.
packages=()
for program in "$@"; do
  case $program in
    redis-server) packages+=(redis-tools) ;;
    wrk) packages+=(wrk) ;;
    libfaketime | socat) packages+=("$program") ;;
    ip) packages+=(iproute2) ;;
    mosquitto) packages+=(mosquitto) ;;
    postgres | initdb) packages+=("$(apt-cache "${options[@]}" search --names-only '^postgresql-[0-9]+$' | sort -V | tail -1 | cut -d' ' -f1)") ;;
    *) fail "$program is not one that this knows" ;;
  esac
done
mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
# Libraries only, and not the C library: a second one beside the system's loader would not run. PostgreSQL's compiler of queries
# (LLVM) is loaded where it is there, and would be most of the download.
mapfile -t libraries < <(apt-cache "${options[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
  --no-replaces --no-enhances "${packages[@]}" | grep -E '^(lib|lua-)' | grep -vE '^(libc6|libc-|libcrypt1|libgcc-s1|libstdc|libllvm|libz3|libperl)' | sort -u)
(cd "$work/debs" && apt-get -qq "${options[@]}" download "${packages[@]}" "${libraries[@]}" >&2)
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
[ ! -e "$work/root/usr/bin/redis-check-rdb" ] || ln -sf redis-check-rdb "$work/root/usr/bin/redis-server"

# Per set of programs one folder, renamed into place, so that two who install at once do not meet half of it.
place=$cache/debian/$(IFS=+; echo "$*")
libs=$(cd "$work/root" && find . -name '*.so*' -printf '%h\n' | sort -u | sed "s|^\.|$place|" | paste -sd:)
rm -rf "$place" && mkdir -p "$cache/debian" "$cache/bin" && mv "$work/root" "$place"
for program in "$@"; do
  wrapper=$cache/bin/.$program.$$
  if [ "$program" = libfaketime ]; then
    library=$(find "$place" -name libfaketime.so.1)
    printf '#!/bin/sh\nexec env LD_PRELOAD=%q "$@"\n' "$library" >"$wrapper"
    works=(date --version)
  else
    binary=$(find "$place" \( -path "*/bin/$program" -o -path "*/sbin/$program" \) ! -type d -print -quit)
    printf '#!/bin/sh\nexec env LD_LIBRARY_PATH=%q %q "$@"\n' "$libs" "$binary" >"$wrapper"
    case $program in socat | ip) works=(-V) ;; mosquitto) works=(-h) ;; *) works=(--version) ;; esac
  fi
  chmod 0755 "$wrapper" && mv -f "$wrapper" "$cache/bin/$program"
  "$cache/bin/$program" "${works[@]}" >/dev/null 2>&1 || [ "$program" = wrk ] || [ "$program" = mosquitto ] || fail "$program does not run here"
  echo "$cache/bin/$program"
done
