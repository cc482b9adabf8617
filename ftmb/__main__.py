# SPDX-License-Identifier: BSD-3-Clause
"""`python -m ftmb` is the same as the command `ftmb`."""

from ftmb.command_line import main

if __name__ == "__main__":
    main()
