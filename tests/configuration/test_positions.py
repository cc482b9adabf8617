# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

from ftmb.configuration.positions import key_lines, line_of

TEXT = '''\
name = "a # not a comment"  # one
list = [
  1,  # two ]
  { x = 1, "y.z" = "}" },
]
text = """
[not.a.table]
key = 1
"""
after = \'\'\'it''s\'\'\'

[one.two]
a.b = 1979-05-27 07:32:00

[[many]]
k = 1
[[many]]
k = "\\"]\\\\"
[many.inner]
deep = true
'''


def test_lines_of_keys() -> None:
    lines = key_lines(TEXT)
    assert lines[("name",)] == 1
    assert lines[("list",)] == 2
    assert lines[("list", 0)] == 3
    assert lines[("list", 1, "y.z")] == 4
    assert lines[("after",)] == 10
    assert lines[("one", "two", "a", "b")] == 13
    assert lines[("many", 0, "k")] == 16
    assert lines[("many", 1, "k")] == 18
    assert lines[("many", 1, "inner", "deep")] == 20
    assert not any("not" in path for path in lines)


def test_the_closest_enclosing_line_is_used() -> None:
    lines = key_lines(TEXT)
    assert line_of(lines, ("many", 1, "missing")) == 17
    assert line_of(lines, ("nowhere",)) == 1
