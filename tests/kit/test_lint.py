# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb lint-element`: what it says of a few lines, which mistakes it does not make, exceptions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from clang.cindex import CursorKind, StorageClass

from ftmb.command_line import ExitStatus, run
from ftmb.kit import HEADERS
from ftmb.kit.lint import LintError, lint
from ftmb.kit.lint.symbols import interface, kind_of
from ftmb.kit.lint.syntax import parse
from tests.kit.building import build

Found = set[tuple[str, str, int]]
Checked = Callable[..., Found]

FRAME = """
#include <stdlib.h>
#include <string.h>
#include "arena/hash_table.h"
#include "ftmb_packet.h"
#include "ftmb_simple.h"
struct shared {{ uint64_t count, slots; }};
FTMB_INIT_GUARDED(init_shared, struct shared)
/* code */
{code}
/* its end */
static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {{
    struct shared *shared = context->shared;
    (void)packets, (void)count, (void)shared;
    {body};
}}
const struct ftmb_element_class it = {{
    .name = "it", .process = process, .init_shared = init_shared, {members}}};
"""


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    """(kind, what, line) of all that is found in some functions, a body of `process`, and further
    members of the class. Lines are counted from the first of the functions."""

    def check(code: str = "", body: str = "", members: str = "") -> Found:
        path = tmp_path / "it.c"
        path.write_text(FRAME.format(code=code, body=body, members=members))
        before = path.read_text().split("/* code */\n")[0].count("\n") + 1
        return {(one.kind, one.what, one.line - before) for one in lint([path])}

    return check


def kinds(found: Found) -> set[tuple[str, str]]:
    return {(kind, what) for kind, what, _ in found}


def test_nothing_wrong_is_nothing_found(checked: Checked) -> None:
    assert checked('static const char *const names[] = {"a", NULL};', "(void)names") == set()


def test_what_cannot_be_compiled_is_told(checked: Checked) -> None:
    ((kind, what, _),) = checked("", "undeclared++")
    assert (kind, what) == ("source", "undeclared")
    ((kind, what, line),) = checked('#include "nowhere.h"')
    assert (kind, line) == ("source", 1) and "nowhere.h" in what


@pytest.mark.parametrize(
    "code",
    [
        "static uint32_t seen; static uint32_t get(void) { return seen++; }",
        "uint32_t seen; static uint32_t get(void) { return seen++; }",
        "static uint32_t get(void) { static uint32_t seen = 7; return seen++; }",
        "static const char *seen[2]; static const char *get(void) { return seen[0]++; }",
    ],
)
def test_variables_that_are_no_constants(checked: Checked, code: str) -> None:
    assert kinds(checked(code, "(void)get()")) == {("static", "seen")}


def test_the_order_of_two_objects(checked: Checked) -> None:
    code = """
        static int order(const void *first, const void *second) {
            return first < second;
        }"""
    assert checked(code, "(void)order(context, shared)") == {("pointer order", "first", 3)}


@pytest.mark.parametrize(
    "code",
    [
        "static int get(const uint8_t *at, uint32_t size) { uint32_t sum = 0;"
        "for (const uint8_t *end = at + size; at < end; at++) { sum += *at; } return (int)sum; }",
        "static int ends(const uint8_t *at, const uint8_t *end) { return at >= end; }"
        "static int get(const uint8_t *data, uint32_t size) { return ends(data, data + size); }",
        "static int get(const uint8_t *data, uint32_t size) { const uint8_t *next = data;"
        "next = memchr(data, 0, size); return next != NULL && next < data + size; }",
    ],
)
def test_the_order_within_one_object_is_the_same_everywhere(checked: Checked, code: str) -> None:
    assert checked(code, "(void)get(packets[0]->data, packets[0]->length)") == set()


def test_pointers_as_numbers(checked: Checked) -> None:
    code = "static uint64_t number(const void *of) {\n return (uintptr_t)of >> 4; }"
    assert checked(code, "count = (uint32_t)number(packets)") == {("pointer order", "of", 2)}


@pytest.mark.parametrize("cast", ["(uint8_t *)", "(uint8_t *)(uintptr_t)"])
def test_what_is_constant_stays_so_but_the_state(checked: Checked, cast: str) -> None:
    """Not even by way of a number; functions that only look at the state may find places in it."""
    code = f"""static void *in(const struct {{0}} *all) {{{{
        return {cast}all + 8; }}}}"""
    assert checked(code.format("shared"), "(void)in(shared)") == set()
    found = checked(code.format("ftmb_packet"), "(void)in(packets[0])")
    assert found == {("const", "all", 2)}


def test_pointers_in_structs_within_the_state(checked: Checked) -> None:
    code = """
        struct inner { uint32_t number; void *where; };
        struct outer { struct inner places[4]; };
        static int init_worker(struct ftmb_arena *arena, const void *config, uint32_t worker,
                               uint32_t workers, void *shared, void **state) {
            (void)config, (void)workers, (void)shared;
            *state = ftmb_allocate_worker(arena, worker, sizeof(struct outer), 64);
            return *state == NULL ? -ENOMEM : 0;
        }"""
    found = checked(code, "", ".init_worker = init_worker")
    assert found == {("pointer in state", "inner.where", 2)}


MEMORY = """
    static int init_scratch(void *config, uint32_t worker, uint32_t workers, void **scratch) {
        (void)config, (void)worker, (void)workers;
        *scratch = get();
        return *scratch == NULL ? -ENOMEM : 0;
    }"""


def test_memory_may_be_allocated_for_scratch_and_nowhere_else(checked: Checked) -> None:
    code = "static void *get(void) {\n return malloc(64); }" + MEMORY
    members = ".init_scratch = init_scratch, .free_scratch = free"
    assert checked(code, "", members) == set()
    code = "static void let_go(void *memory) {\n free(memory); }\n" + code
    assert checked(code, "let_go(get())", members) == {
        ("memory", "malloc", 4),
        ("memory", "free", 2),
    }


HOLD = """
    static void hold(struct ftmb_context *context) {
        ftmb_shared_acquire(context, ftmb_guard_of(context->shared));
    }
    static void let_go(struct ftmb_context *context) {
        ftmb_shared_release(context, ftmb_guard_of(context->shared));
    }"""


@pytest.mark.parametrize(
    ("code", "body", "is_right"),
    [
        ("", "shared->count++", False),
        ("", "ftmb_shared_acquire(context, ftmb_guard_of(shared)); shared->count++;"
             "ftmb_shared_release(context, ftmb_guard_of(shared))", True),
        ("", "ftmb_shared_acquire(context, ftmb_guard_of(shared)); shared->count++;"
             "ftmb_shared_release(context, ftmb_guard_of(shared)); count += shared->count", False),
        ("static void add(struct shared *all) { all->count++; }",
         "ftmb_shared_acquire(context, ftmb_guard_of(shared)); add(shared);"
         "ftmb_shared_release(context, ftmb_guard_of(shared))", True),
        ("static void add(struct shared *all) { all->count++; }",
         "ftmb_shared_acquire(context, ftmb_guard_of(shared)); add(shared);"
         "ftmb_shared_release(context, ftmb_guard_of(shared)); add(shared)", False),
        (HOLD, "hold(context); shared->count++; let_go(context)", True),
        (HOLD, "hold(context); let_go(context); shared->count++", False),
        (HOLD, "shared->count++; hold(context); let_go(context)", False),
        ("", "count += (uint32_t)shared->slots", True),  # written by nobody while the box runs
    ],
)  # fmt: skip
def test_shared_state_is_touched_with_its_variable(
    checked: Checked, code: str, body: str, is_right: bool
) -> None:
    expected = set() if is_right else {("shared state", "shared.count")}
    assert kinds(checked(code, body)) == expected


def test_instructions_are_seen_in_the_object(tmp_path: Path) -> None:
    source = tmp_path / "it.c"
    source.write_text('unsigned get(void) { unsigned a; __asm__("cpuid" : "=a"(a) : : "rbx", "rcx",'
                      '"rdx"); return a; }')  # fmt: skip
    assert ("assembly", "asm") in {(one.kind, one.what) for one in lint([source])}
    (found,) = lint([build(source, tmp_path / "it.so", "-fvisibility=default")])
    assert (found.kind, found.what) == ("identity", "cpuid")


def test_a_constructor_is_seen(tmp_path: Path) -> None:
    source = tmp_path / "it.c"
    source.write_text('__attribute__((constructor)) void early(void) { __asm__("nop"); }')
    assert {one.kind for one in lint([build(source, tmp_path / "it.so")])} == {"constructor"}


def test_the_interface_is_what_the_core_exports() -> None:
    assert {"ftmb_drop", "ftmb_emit", "hash_table_insert", "timer_wheel_add"} <= interface()
    assert kind_of("ftmb_drop") is None and kind_of("memcpy") is None
    assert kind_of("hs_scan") == "unknown" and kind_of("logger_step") == "unknown"


def test_all_that_the_headers_declare_is_exported(tmp_path: Path) -> None:
    """native/host/interface.map names each of them."""
    headers = sorted(path.relative_to(HEADERS) for path in HEADERS.glob("**/*.h"))
    source = tmp_path / "all.c"
    source.write_text("".join(f'#include "{header}"\n' for header in headers))
    sources, problems = parse([source], [])
    declared = {
        cursor.spelling
        for cursor in sources.units[0].cursor.get_children()
        if cursor.kind == CursorKind.FUNCTION_DECL
        and cursor.storage_class != StorageClass.STATIC
        and Path(cursor.location.file.name).is_relative_to(HEADERS)
    }
    assert problems == []
    assert declared == interface()


ALLOWED = '[[allow]]\nkind = "{kind}"\nwhat = "{what}"\nreason = "a test"\n'


@pytest.fixture
def with_clock(tmp_path: Path) -> Path:
    path = tmp_path / "it.c"
    body = "context->now_ns = (uint64_t)clock()"
    path.write_text("#include <time.h>\n" + FRAME.format(code="", body=body, members=""))
    return path


def test_an_exception_has_a_kind_a_name_and_a_reason(with_clock: Path) -> None:
    (found,) = lint([with_clock])
    assert (found.kind, found.what) == ("clock", "clock")
    exceptions = with_clock.parent / "contract.toml"
    exceptions.write_text(ALLOWED.format(kind="clock", what="cl*"))
    assert lint([with_clock]) == []
    exceptions.write_text(ALLOWED.format(kind="chance", what="cl*"))
    kept, unused = lint([with_clock])
    assert (kept.kind, unused.kind) == ("clock", "exception")
    assert "is allowed, but is not there" in unused.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[allow]]\nkind = "clock"\nwhat = "clock"\n', "needs all of kind, what and reason"),
        (ALLOWED.format(kind="weather", what="rain"), "kinds are clock, chance"),
        ("allow = 3\n", r"only \[\[allow\]\]"),
        ("[[", "contract.toml"),
    ],
)
def test_a_list_of_exceptions_that_is_wrong_is_told(
    with_clock: Path, text: str, message: str
) -> None:
    (with_clock.parent / "contract.toml").write_text(text)
    with pytest.raises(LintError, match=message):
        lint([with_clock])


def test_on_the_command_line(with_clock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lint-element", str(with_clock)]) == ExitStatus.GUARANTEE_BROKEN
    assert f"{with_clock}:" in capsys.readouterr().out
    assert run(["lint-element", "--json", str(with_clock)]) == ExitStatus.GUARANTEE_BROKEN
    (found,) = json.loads(capsys.readouterr().out)
    assert found["what"] == "clock" and "packet->time_ns" in found["rule"]
    assert run(["lint-element", str(with_clock.parent / "no.c")]) == ExitStatus.NOT_STARTED
    assert run(["lint-element", str(with_clock.parent.parent)]) == ExitStatus.NOT_STARTED
    nothing = with_clock.parent / "text.so"
    nothing.write_text("text")
    assert run(["lint-element", str(nothing)]) == ExitStatus.NOT_STARTED
