#!/bin/sh
# Installs what heed's build, tests and examples need on Debian and Ubuntu. Run as root or as a user who may sudo.
# Does nothing, and says nothing, when everything is there.
set -eu

packages="g++ cmake ninja-build ccache pkg-config libeigen3-dev libxsimd-dev catch2 libbenchmark-dev libcli11-dev nlohmann-json3-dev"

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "cmake/setup.sh: this system is neither Debian nor Ubuntu; install by its own means: $packages" >&2
  exit 0 # the configure step says what is really missing
fi

missing=""
for package in $packages; do
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "cmake/setup.sh: not root and no sudo; ask somebody who is to run: apt-get install$missing" >&2
    exit 1
  fi
  as_root=sudo
fi

echo "cmake/setup.sh: installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086  # $missing is a list, $as_root may be empty
install_missing() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing </dev/null >"$log" 2>&1
}
# The package lists may be absent (a fresh container) or old: then update them and try once more.
if ! install_missing; then
  if ! $as_root apt-get update -qq </dev/null >"$log" 2>&1 || ! install_missing; then
    cat "$log" >&2
    echo "cmake/setup.sh: could not install$missing" >&2
    exit 1
  fi
fi
