# SPDX-License-Identifier: BSD-3-Clause
"""The binding to the C libraries: the only package that knows cffi.

`elements` describes and configures elements, `logger` and `process` are the two kinds of process,
`memory` holds ports in memory, `dpdk` the ports over DPDK (loaded by the logger process alone).

FTMB_NATIVE names a folder with another build of the core module, such as one with a sanitizer.
"""

import os

if os.environ.get("FTMB_NATIVE"):
    __path__.insert(0, os.environ["FTMB_NATIVE"])
