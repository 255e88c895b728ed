# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What packaging/try and packaging/check share. Sourced, not run.
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_root=${HD_BUILD_ROOT:-$source_dir/build}

# What is needed from Debian, by purpose. Programs that would start a service when installed
# (sshd, nginx, rsyslog, syslog-ng) are not installed but unpacked by packaging/peers.
packages_build="gcc cmake ninja-build pkg-config libc6-dev libuv1-dev libssl-dev libzstd-dev
  libyaml-dev libjansson-dev libutf8proc-dev libxxhash-dev libpcap-dev libhyperscan-dev
  libpcre2-dev libmaxminddb-dev libcurl4-openssl-dev libcmocka-dev python3"
packages_try="curl openssh-client sshpass openssl zstd procps"
packages_test="clang clang-format libclang-rt-14-dev llvm-14 git binutils universal-ctags curl openssl
  zstd openssh-client sshpass procps tshark tcpdump jq python3-jsonschema python3-yaml iproute2"

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "these packages are missing and neither root nor sudo is at hand; as root run: $*"
  fi
}

# A package counts as there when dpkg says so; libhyperscan-dev also as libvectorscan-dev.
missing_packages() {
  local name missing=""
  for name in "$@"; do
    if [ "$name" = libhyperscan-dev ] && pkg-config --exists libhs 2>/dev/null; then
      continue
    fi
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing="$missing $name"
  done
  echo "$missing"
}

# install_packages NAME... : installs those that are missing, saying which and how far it is.
install_packages() {
  local missing
  missing=$(missing_packages "$@")
  [ -z "$missing" ] && { say "packages: all there"; return; }
  command -v apt-get >/dev/null || die "not a Debian system; please install the equivalents of:$missing"
  say "packages: installing$missing"
  as_root apt-get update -q
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}

# build PRESET [TARGET...]: configures and builds, ninja shows its progress.
build() {
  local preset=$1 log=$build_root/$1.configure.log
  shift
  say "building ($preset)"
  (cd "$source_dir" && cmake --preset "$preset" -B "$build_root/$preset") >"$log" 2>&1 ||
    { cat "$log" >&2; die "configuring failed (see above)"; }
  cmake --build "$build_root/$preset" ${1:+--target "$@"} || die "building failed (see above)"
}
