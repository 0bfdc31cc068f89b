#!/bin/sh
# One of the two stages of the virtual environment that the make targets use: `run`, what the `maraude` command and the
# local system need, or `test`, what tests, benches and the audit need besides. Says one clear sentence when it cannot.
set -eu
stage=$1
python=$2
venv=$3

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
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }
# Steps of ours have a line, and so has what is large when its download begins; how many there are is known when all
# have come.
told() {
  while IFS= read -r line; do
    case $line in
    "step: "*) echo "  ${line#step: }" ;;
    *Downloading*.whl\ \(*" MB)" | *"Using cached"*.whl\ \(*" MB)")
      file=${line#*Downloading } file=${file#*Using cached } file=${file##*/}
      rest=${file#*-}
      echo "  downloading ${file%%-*} ${rest%%-*} (${file##*\(}"
      ;;
    "Installing collected packages: "*)
      # shellcheck disable=SC2086  # one word a package
      set -- ${line#*: }
      echo "  installing $# packages"
      ;;
    esac
  done >&2
}
run() {
  # What installs the others comes first: an older pip knows no hashes of constraints, and the one package that is
  # only there as source (geohash2) is built by this setuptools instead of whichever is the newest.
  sed -n -e '/^pip==/,/[^\\]$/p' -e '/^setuptools==/,/[^\\]$/p' constraints.txt >"$first"
  echo "step: making a virtual environment" &&
    "$python" -m venv --clear "$venv" &&
    echo "step: renewing pip" &&
    pip install --quiet --require-hashes --no-deps --only-binary :all: -r "$first" &&
    packages requirements-desk.txt &&
    pip install --quiet --no-deps --no-build-isolation -e .
}
# Python compiles what it imports when it first does: all of it at once takes half as long again.
packages() { pip install --no-compile --require-hashes --no-build-isolation -r "$1" -c constraints.txt; }

case $stage in
run) echo "setting up $venv, 1 of 2: what the system needs to run (200 MB, about half a minute, once)" >&2 ;;
test) echo "setting up $venv, 2 of 2: what tests, benches and the audit need (500 MB, about a minute, once)" >&2 ;;
esac
if ! { case $stage in run) run ;; test) packages requirements-test.txt ;; esac && echo done; } 2>&1 |
  tee "$log" | told || [ "$(tail -n 1 "$log")" != done ]; then
  tail -n 15 "$log" >&2
  echo "The packages could not be installed; the lines above say why. Check that PyPI can be reached, then run this again." >&2
  exit 1
fi
