#!/bin/sh
# Print a Python that can run the hub (3.11, 3.12 or 3.13, with venv and pip), or say what is missing and exit 1.
# Each candidate is tried by running it: a shim of pyenv or asdf may be there and yet point nowhere.
# PYTHON=... overrides the search.
set -u

usable() {
  "$1" -c 'import sys, ssl, venv, ensurepip, ctypes
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
  if usable "$PYTHON"; then echo "$PYTHON"; exit 0; fi
  echo "PYTHON=$PYTHON cannot be used: it must run and be Python 3.11, 3.12 or 3.13 with venv and pip." >&2
  exit 1
fi

pyenv=${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}
for version in 3.11 3.12 3.13; do
  for candidate in "python$version" "/usr/bin/python$version" "/usr/local/bin/python$version" \
    "$pyenv"/versions/"$version".*/bin/python "/opt/homebrew/bin/python$version"; do
    if usable "$candidate"; then command -v "$candidate"; exit 0; fi
  done
done
if usable python3; then command -v python3; exit 0; fi
if usable python; then command -v python; exit 0; fi

cat >&2 <<'SENTENCE'
没有找到可用的 Python: 需要 3.11、3.12 或 3.13 (含 venv)。
No usable Python found: Shuqiao needs Python 3.11, 3.12 or 3.13 with venv (on Debian and Ubuntu: apt install python3 python3-venv).
Another place can be named: make run PYTHON=/path/to/python3.12
SENTENCE
exit 1
