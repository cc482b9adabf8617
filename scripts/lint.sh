#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Everything that is checked without running the code. All checks run; the exit
# status is 1 when any of them found something. With --format: formats in place.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=0
check() {
    local name=$1
    shift
    if "$@"; then echo "lint: $name: fine"; else echo "lint: $name: FAILED" >&2; failed=1; fi
}

# mypy wants the folders as they are imported: recovery/ is ftmb.recovery.
check_types() {
    local tree=build/types/ftmb entry
    rm -rf build/types && mkdir -p $tree
    for entry in ftmb/*; do
        [ "${entry##*/}" = __pycache__ ] || ln -s "$PWD/$entry" "$tree/"
    done
    [ -e recovery/__init__.py ] && ln -s "$PWD/recovery" "$tree/recovery"
    MYPYPATH=build/types .venv/bin/python -m mypy --cache-dir .mypy_cache $tree |
        sed 's,build/types/ftmb/recovery/,recovery/,; s,build/types/,,'
    return "${PIPESTATUS[0]}"
}

clang_format() {
    local files
    mapfile -t files < <(git ls-files -co --exclude-standard -- 'native/*.[ch]' 'elements/*.[ch]' 'tests/fuzz/*.[ch]' \
        'benchmarks/*.[ch]' 'tests/elements/*.[ch]' 'ftmb/kit/*.[ch]')
    [ ${#files[@]} -eq 0 ] || clang-format "$@" "${files[@]}"
}

# Whatever an element must not do; an exception stands with its reason in contract.toml beside it.
elements() {
    printf '%s\n' elements/*/ ftmb/kit/templates/ |
        xargs -P "$(nproc)" -I {} .venv/bin/ftmb lint-element --quiet {} -I native -I elements
}

python_folders=(ftmb scripts tests setup.py)
for folder in recovery benchmarks; do
    [ -d $folder ] && python_folders+=("$folder")
done

if [ "${1:-}" = --format ]; then
    .venv/bin/python -m ruff format --quiet "${python_folders[@]}"
    .venv/bin/python -m ruff check --quiet --fix "${python_folders[@]}"
    clang_format -i
    exit
fi

check "ruff" .venv/bin/python -m ruff check --quiet "${python_folders[@]}"
check "ruff format" .venv/bin/python -m ruff format --check --quiet "${python_folders[@]}"
check "mypy" check_types
check "clang-format" clang_format --dry-run -Werror
check "elements' contract" elements
check "house rules" .venv/bin/python scripts/check_house_rules.py
exit $failed
