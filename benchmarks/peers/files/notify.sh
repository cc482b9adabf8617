#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Called by keepalived when a router's role changes: notify.sh FOLDER primary|backup|fault
# What each role has to tell its conntrackd, as in that program's manual.
folder=$1
tell() { conntrackd -C "$folder/conntrackd.conf" "$@" >>"$folder/notify.log" 2>&1; }

case "$2" in
primary)
    tell -c # what the other router knew becomes entries of this kernel
    tell -f # both caches are out of date now
    tell -R # what this kernel has is what is to be synchronised from here on
    tell -B # and all of it at once to the other, should it be there
    ;;
backup)
    tell -t # entries of a former role are to end soon
    tell -n # asks the other router for all that it has
    ;;
fault)
    tell -t
    ;;
esac
# Appended: two of these may run at once, and the later role may be the first to be done.
echo "$2" >>"$folder/roles"
