#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Suricata, to compare the element `ids` with: Debian's own build from bookworm-backports, unpacked
# into build/peers/suricata/ with the libraries that this machine lacks. Nothing is installed: apt
# works on lists and archives of its own there, checks signatures as ever, and no daemon is ever
# started. Also there: captures that Debian's source packages bring for their own tests.
#
#   scripts/peers/suricata.sh            Suricata, if it is not there yet
#   scripts/peers/suricata.sh captures   build/peers/captures/ as well
set -euo pipefail

cd "$(dirname "$0")/../.."
root=$PWD/build/peers
prefix=$root/suricata
capture_packages=(tcpdump tcpflow)

say() { printf 'suricata: %s\n' "$*"; }

options=(
    -o "Dir::Etc::SourceList=$root/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$root/apt/lists" -o "Dir::Cache=$root/apt"
    -o "Dir::Cache::Archives=$root/apt/archives" -o Debug::NoLocking=1
    -o "APT::Sandbox::User=$(id -un)" -q -y
)

prepare_apt() {
    local key=/usr/share/keyrings/debian-archive-keyring.gpg
    mkdir -p "$root"/apt/{lists,archives}/partial
    printf '%s [signed-by=%s] http://deb.debian.org/debian %s main\n' \
        deb $key bookworm deb-src $key bookworm deb $key bookworm-backports \
        >"$root/apt/sources.list"
    apt-get "${options[@]}" update
}

unpack_suricata() {
    local archive staged=$root/suricata.new
    rm -rf "$staged" "$root"/apt/archives/*.deb
    apt-get "${options[@]}" install --download-only --no-install-recommends suricata/bookworm-backports
    mkdir -p "$staged"
    for archive in "$root"/apt/archives/*.deb; do
        dpkg-deb -x "$archive" "$staged"
    done
    LD_LIBRARY_PATH=$staged/usr/lib/$(uname -m)-linux-gnu "$staged/usr/bin/suricata" -V
    rm -rf "$prefix"
    mv "$staged" "$prefix"
}

unpack_captures() {
    local archive staged=$root/captures.new
    rm -rf "$staged"
    mkdir -p "$staged" "$root/apt/sources"
    (cd "$root/apt/sources" &&
        apt-get "${options[@]}" source --download-only --tar-only "${capture_packages[@]}")
    for archive in "$root"/apt/sources/*.orig.tar.gz; do
        tar -xzf "$archive" -C "$staged" --wildcards '*cap'
    done
    mv "$staged" "$root/captures"
}

is_wanted_captures() { [ "${1:-}" = captures ] && [ ! -d "$root/captures" ]; }

if [ ! -x "$prefix/usr/bin/suricata" ] || is_wanted_captures "${1:-}"; then
    prepare_apt
fi
if [ ! -x "$prefix/usr/bin/suricata" ]; then
    unpack_suricata
fi
if is_wanted_captures "${1:-}"; then
    unpack_captures
fi
say "$prefix/usr/bin/suricata is ready"
