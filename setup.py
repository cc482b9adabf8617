# SPDX-License-Identifier: BSD-3-Clause
"""The list of packages; everything else about the distribution is in pyproject.toml.

The folder recovery/ stands beside ftmb/ and is imported as ftmb.recovery.
"""

from setuptools import find_packages, setup

recovery = ["ftmb.recovery", *("ftmb.recovery." + name for name in find_packages("recovery"))]

setup(
    packages=[*find_packages(include=["ftmb", "ftmb.*"]), *recovery],
    package_dir={"ftmb": "ftmb", "ftmb.recovery": "recovery"},
    package_data={
        "ftmb": [
            "_native/*.so",
            "_native/ftmb-simulator",
            "_native/include/*.h",
            "_native/include/arena/*.h",
            "kit/templates/*",
        ]
    },
)
