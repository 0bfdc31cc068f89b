#!/bin/sh
# Makes the virtual environment that every make target uses. Says one clear sentence when it cannot.
set -eu
python=$1
venv=$2

if ! command -v "$python" >/dev/null 2>&1; then
  echo "Maraude needs Python 3.11 or newer, and '$python' is not here: install it (Debian: apt-get install python3 python3-venv), or name another with make PYTHON=/path/to/python3." >&2
  exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "Maraude needs Python 3.11 or newer, and '$python' is $("$python" --version 2>&1): name a newer one with make PYTHON=/path/to/python3." >&2
  exit 1
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  echo "Python's venv module is missing: install it (Debian: apt-get install python3-venv) and run this again." >&2
  exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "setting up $venv (about a minute, once)" >&2
if ! { "$python" -m venv --clear "$venv" &&
  "$venv/bin/python" -m pip install --disable-pip-version-check --quiet -r requirements-desk.txt -c constraints.txt &&
  "$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .; } >"$log" 2>&1; then
  cat "$log" >&2
  echo "The packages could not be installed; the lines above say why. Check that PyPI can be reached, then run this again." >&2
  exit 1
fi
