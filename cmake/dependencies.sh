#!/bin/sh
# Installs the Debian packages that the build wants and this machine lacks, where we may; otherwise prints the one line
# that would, and fails. Where there is no dpkg, or every package is there, it does nothing. Packages named as arguments are
# wanted too.
set -eu

packages="g++ cmake make zlib1g-dev nlohmann-json3-dev libcli11-dev libfluidsynth-dev libsndfile1-dev
  fluidr3mono-gm-soundfont doctest-dev libeigen3-dev $*"

command -v dpkg-query >/dev/null 2>&1 || exit 0

missing=""
for package in $packages; do
  status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  case "$status" in ?i*) ;; *) missing="$missing $package" ;; esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  sudo=""
elif command -v sudo >/dev/null 2>&1 && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
  sudo="sudo"
else
  echo "Some packages are missing. Install them with this line, then run make again:" >&2
  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
  exit 1
fi

echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { $sudo apt-get -q update && $sudo apt-get -q install -y --no-install-recommends $missing; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "The packages could not be installed; the line was:" >&2
  echo "  apt-get update && apt-get install -y --no-install-recommends$missing" >&2
  exit 1
fi
