# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts: where things are, and how what is missing gets installed. Sourced, never run.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# need_packages PACKAGE… — installs the Debian packages that are missing.
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null || die "these packages are missing and there is no apt-get here: ${missing[*]}"
  local sudo=""
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null || die "install these as root first: apt-get install ${missing[*]}"; sudo=sudo; }
  say "installing ${missing[*]}"
  $sudo apt-get update -qq >/dev/null
  # Servers among the packages are peers for the benchmarks: they must not start by themselves.
  local policy=/usr/sbin/policy-rc.d made=0
  if [ "$(id -u)" = 0 ] && [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; made=1; fi
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || {
    [ $made = 1 ] && rm -f $policy
    die "apt-get could not install: ${missing[*]}"
  }
  [ $made = 1 ] && rm -f $policy
  return 0
}

BUILD_PACKAGES=(g++ cmake ninja-build pkg-config ccache mold python3 python3-pip libboost1.81-dev nlohmann-json3-dev
  libsqlite3-dev libssl-dev libarchive-dev libyaml-cpp-dev libcli11-dev catch2)
