#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# The same call in a pair without conntrackd: notify_role.sh FOLDER primary|backup|fault
echo "$2" >>"$1/roles"
