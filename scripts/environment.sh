#!/bin/sh
# Create or refresh the virtual environment that the Makefile works in.
#
#   sh scripts/environment.sh DIRECTORY run|dev
#
# `run` installs Vernal and what it needs, `dev` also what tests, checks and documentation need; both at the exact
# versions of constraints.txt. The interpreter is $PYTHON when that is set, else the first suitable one on the path.
set -eu

directory=$1
kind=$2
supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'

if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3 python3.13 python3.12 python3.11 python
fi
chosen=
for candidate in "$@"; do
    if "$candidate" -c "$supported" >/dev/null 2>&1; then
        chosen=$candidate
        break
    fi
done
if [ -z "$chosen" ]; then
    echo "Python: looked for 3.11, 3.12 or 3.13 and none of these is one: $*" >&2
    echo "Hint: install one of them, or name yours: make PYTHON=/path/to/python3.12 ..." >&2
    exit 1
fi

if ! "$directory/bin/python" -c "$supported" >/dev/null 2>&1; then
    if [ -e "$directory" ] && [ ! -e "$directory/pyvenv.cfg" ]; then
        echo "$directory: exists and is no virtual environment; it is left alone." >&2
        echo "Hint: name another place: make VENV=.venv-vernal ..." >&2
        exit 1
    fi
    echo "==> Creating $directory with $("$chosen" --version)"
    rm -rf "$directory"
    if ! "$chosen" -m venv "$directory"; then
        rm -rf "$directory"
        echo "Python: '$chosen -m venv $directory' failed; see the lines above." >&2
        echo "Hint: on Debian and Ubuntu the module comes with the package python3-venv." >&2
        exit 1
    fi
fi

echo "==> Installing into $directory (a minute or two the first time)"
pip_install() {
    "$directory/bin/python" -m pip --disable-pip-version-check install -qq --constraint constraints.txt "$@"
}
# The pip that comes with Python may be older than dependency groups and build constraints.
pip_install --upgrade pip
case $kind in
    run) pip_install --build-constraint constraints.txt --editable . ;;
    dev) pip_install --build-constraint constraints.txt --editable '.[postgres]' --group dev ;;
esac
