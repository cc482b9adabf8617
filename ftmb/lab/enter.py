# SPDX-License-Identifier: BSD-3-Clause
"""Becomes a program inside a network namespace: enter.py NAMESPACE PARENT_PID COMMAND...

Started by path, with no site packages, so that it costs a few milliseconds. The
program dies with its parent, also when the parent is killed.
"""

import ctypes
import os
import signal
import sys

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1


def main() -> None:
    namespace, parent, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("enter: the parent is gone")
    descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        sys.exit(f"enter: {namespace}: {os.strerror(ctypes.get_errno())}")
    os.close(descriptor)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"enter: {command[0]}: {error.strerror}; run scripts/setup.sh")


if __name__ == "__main__":
    main()
