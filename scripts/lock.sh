#!/bin/sh
# Writes requirements/{dev,runtime,build}.txt: exact versions, sha256 of every wheel, no index address.
# The files fit every platform and every Python from 3.11 on; installing from them needs pip only.
# UPGRADE= sh scripts/lock.sh keeps the versions that are pinned already, and adds or removes what pyproject.toml says.
set -eu
cd "$(dirname "$0")/.."
[ -x .lock-venv/bin/uv ] || { python3 -m venv .lock-venv && .lock-venv/bin/python -m pip install --quiet uv; }
lock() {
    out=$1
    shift
    # shellcheck disable=SC2086
    .lock-venv/bin/uv pip compile --quiet ${UPGRADE---upgrade} --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
        --output-file "requirements/$out.txt" "$@"
    printf 'requirements/%s.txt: %s packages\n' "$out" "$(grep -c == "requirements/$out.txt")"
}
lock dev pyproject.toml requirements/build.in --extra postgres --extra telemetry --group dev --group docs
# What the product runs with is exactly what the tests ran with.
lock runtime pyproject.toml --constraint requirements/dev.txt
lock build requirements/build.in --constraint requirements/dev.txt
