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
first=$(mktemp)
trap 'rm -f "$log" "$first"' EXIT
# What installs the others comes first: an older pip knows no hashes of constraints, and the one package that is
# only there as source (geohash2) is built by this setuptools instead of whichever is the newest.
sed -n -e '/^pip==/,/[^\\]$/p' -e '/^setuptools==/,/[^\\]$/p' constraints.txt >"$first"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }
echo "setting up $venv (about a minute, once)" >&2
if ! { "$python" -m venv --clear "$venv" &&
  pip install --require-hashes --no-deps --only-binary :all: -r "$first" &&
  pip install --require-hashes --no-build-isolation -r requirements-desk.txt -c constraints.txt &&
  pip install --no-deps --no-build-isolation -e .; } >"$log" 2>&1; then
  cat "$log" >&2
  echo "The packages could not be installed; the lines above say why. Check that PyPI can be reached, then run this again." >&2
  exit 1
fi
