#!/bin/sh
# Makes or refreshes the virtual environment from the lock files: sh scripts/venv.sh runtime|dev
#
# A stamp inside the environment names the lock files it was made from, so a second run costs a few milliseconds
# and a changed lock is noticed. The stamp also names this folder: an environment that was moved is set up anew.
# Settings: PYTHON (which Python to use), VENV (where; default .venv).
set -eu
cd "$(dirname "$0")/.."
kind=${1:?usage: sh scripts/venv.sh runtime|dev}
venv=${VENV:-.venv}
is_new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$is_new_enough" >/dev/null 2>&1; then
            command -v "$candidate"
            return
        elif [ "$candidate" = "${PYTHON:-}" ]; then
            say "PYTHON=$PYTHON is not a Python 3.11 or newer."
            return 1
        fi
    done
    say "Callout needs Python 3.11 or newer, and found $(python3 --version 2>&1 || echo none)."
    say "Install one (Debian 12, Ubuntu 24.04 or newer: apt-get install python3 python3-venv),"
    say "or name one: make PYTHON=/path/to/python3.12 ..."
    return 1
}

locks_of() {
    case $1 in
        runtime) echo requirements/runtime.txt requirements/build.txt ;;
        dev) echo requirements/dev.txt ;;
        *) say "unknown environment '$1': runtime or dev"; exit 2 ;;
    esac
}
locks=$(locks_of "$kind")

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c "$is_new_enough" >/dev/null 2>&1; then
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        say "$python cannot make virtual environments: its venv module is missing."
        say "On Debian and Ubuntu, as root: apt-get install python3-venv   Then run this again."
        exit 1
    fi
    say "Making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

# What an environment of kind $1 has to look like: lock files, metadata, Python and folder in one digest.
# The lists of lock files are our own names, none with a space.
digest_of() {
    # shellcheck disable=SC2046
    "$venv/bin/python" -c '
import hashlib, os, sys, tomllib
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)
digest = hashlib.sha256(repr((sys.version, os.getcwd(), project["project"], project["build-system"])).encode())
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        digest.update(file.read())
print(digest.hexdigest())' $(locks_of "$1")
}
is_fresh() { [ -e "$venv/.callout-$1" ] && [ "$(cat "$venv/.callout-$1")" = "$(digest_of "$1")" ]; }

# The development environment holds everything that the runtime one does.
if is_fresh "$kind" || { [ "$kind" = runtime ] && is_fresh dev; }; then
    exit 0
fi

say "Installing what $kind needs into $venv from the lock (once; a minute or so) ..."
arguments=
for lock in $locks; do arguments="$arguments -r $lock"; done
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input --quiet "$@"; }
# A pinned and hashed set needs no resolving (--no-deps), and nothing outside the lock can slip in.
# shellcheck disable=SC2086
if ! pip install --require-hashes --no-deps $arguments ||
    ! pip install --no-deps --no-build-isolation --editable .; then
    say "The installation failed; the words above say why."
    say "It needs the Python package index (or a mirror that pip is configured for), and nothing else."
    exit 1
fi
rm -f "$venv"/.callout-*
digest_of "$kind" >"$venv/.callout-$kind"
