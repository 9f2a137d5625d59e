#!/bin/sh
# Run `make test` on every supported Python that is on the path, each in an environment of its own.
set -eu

found=
for version in 3.11 3.12 3.13; do
    if ! command -v "python$version" >/dev/null 2>&1; then
        echo "==> Python $version: not on the path, left out"
        continue
    fi
    found="$found $version"
    echo "==> Python $version"
    make test PYTHON="python$version" VENV=".venv-$version"
done
if [ -z "$found" ]; then
    echo "Python: found none of python3.11, python3.12 and python3.13 on the path." >&2
    exit 1
fi
echo "Passed on:$found"
