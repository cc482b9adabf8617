#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Prepares a Debian 12 machine for ftmb: Debian packages, the virtual environment
# .venv/, and huge pages. Run it as often as you like; what is done already is
# recognised within a fraction of a second.
#
#   scripts/setup.sh                 everything
#   FTMB_HUGEPAGES=512 scripts/...   ask for 512 pages of 2 MiB (default 256, 0: leave alone)
set -euo pipefail

cd "$(dirname "$0")/.."
root=$PWD
python=/usr/bin/python3
stamps=build/setup

packages=(
    # the native build; libdpdk-dev brings every poll-mode driver
    # (libhyperscan-dev: finding many patterns at once, in elements/ids)
    build-essential pkg-config libdpdk-dev libpcap-dev libxxhash-dev libhyperscan-dev python3-dev
    python3-venv
    # lint, sanitizers and fuzzing
    clang clang-format libclang-rt-14-dev llvm
    # the programs that the drill sends through the middlebox
    nginx-light curl iperf3 iputils-ping
    # the kernel's NAT and its failover to compare with; nft also keeps the kernel off a generator's
    # packets
    nftables conntrack conntrackd keepalived
    # counts instructions and missed lines where there are no hardware counters (benchmarks/limits/)
    valgrind
    # captures of real traffic that its tests use (pcap/*.pcap), and ours
    golang-github-google-gopacket-dev
    # draws pipelines: ftmb graph --picture
    graphviz
    # the namespaces of the guide in elements/README.md, and its patch
    iproute2 patch
    # loading kernel modules, process tables, the list of files that lint reads
    kmod procps ca-certificates git
)

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

installed() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]; }

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        installed "$package" || printf '%s\n' "$package"
    done
}

# Packages with a service must not start it, now or with the machine: the drill and the benchmarks
# run copies of their own. One that was here before is left as it is.
services=(nginx conntrackd keepalived)

has_service() { [ -e "/lib/systemd/system/$1.service" ]; }

missing_services() {
    local service
    for service in "${services[@]}"; do
        has_service "$service" || printf '%s\n' "$service"
    done
}

disable_service() {
    say "$1: not to be started with the machine"
    update-rc.d "$1" disable >/dev/null 2>&1 || true
    if command -v systemctl >/dev/null; then
        systemctl --quiet disable "$1" >/dev/null 2>&1 || true
    fi
}

forbid_service_starts() {
    [ -e /usr/sbin/policy-rc.d ] && return
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

install_packages() {
    local missing new_services service
    mapfile -t missing < <(missing_packages)
    if [ ${#missing[@]} -eq 0 ]; then
        say "Debian packages: all ${#packages[@]} are installed"
        return
    fi
    [ "$(id -u)" = 0 ] ||
        fail "these packages are missing; install them as root: apt-get install ${missing[*]}"
    say "Debian packages: installing ${missing[*]}"
    mapfile -t new_services < <(missing_services)
    forbid_service_starts
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -q -y --no-install-recommends "${missing[@]}"
    for service in "${new_services[@]}"; do
        disable_service "$service"
    done
}

environment_key() {
    { cat pyproject.toml setup.py scripts/setup.sh; $python --version; echo "$root"; } |
        sha256sum | cut -c 1-16
}

make_environment() {
    local stamp
    stamp=$stamps/environment.$(environment_key)
    if [ -e "$stamp" ] && [ -x .venv/bin/ftmb ]; then
        say "virtual environment: .venv is up to date"
        return
    fi
    say "virtual environment: installing into .venv"
    $python -m venv .venv
    .venv/bin/python -m pip install --quiet --upgrade pip
    .venv/bin/python -m pip install --quiet --quiet --editable ".[development]"
    mkdir -p $stamps
    rm -f $stamps/environment.*
    touch "$stamp"
}

reserve_huge_pages() {
    local wanted=${FTMB_HUGEPAGES:-256} file=/proc/sys/vm/nr_hugepages have
    have=$(cat $file 2>/dev/null || echo 0)
    if [ "$have" -lt "$wanted" ]; then
        # The write may be refused, or give fewer pages than asked for: look again after it.
        { echo "$wanted" >$file; } 2>/dev/null || true
        have=$(cat $file 2>/dev/null || echo 0)
    fi
    if [ "$have" -ge "$wanted" ]; then
        say "huge pages: $have of 2 MiB are reserved"
    else
        say "huge pages: $have of $wanted could be had; ftmb uses ordinary pages (slower) where" \
            "they do not suffice. To have more: echo $wanted > $file, as root, after a reboot"
    fi
}

# What the ids is compared with. Without it those tests are skipped, and say so.
unpack_suricata() {
    [ -x build/peers/suricata/usr/bin/suricata ] && return
    say "Suricata, to compare with: unpacking into build/peers"
    mkdir -p build/peers
    scripts/peers/suricata.sh >build/peers/suricata.log 2>&1 ||
        say "Suricata could not be had (build/peers/suricata.log): its tests will be skipped"
}

install_packages
make_environment
unpack_suricata
reserve_huge_pages
