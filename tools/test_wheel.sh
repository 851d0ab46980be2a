#!/bin/sh
# test_wheel.sh [PYTEST ARGUMENTS]: build the wheel, show that it holds every file of the packages unchanged, install it
# where no checkout is in sight, and run the tests that may come out otherwise there: commands as they are installed, and
# every place where the product looks for a file of its own (grep __file__). Code that looks for nothing is the same code,
# and the suite has just run on it. WHEEL_TESTS=tests runs all of them against the wheel.
# The second environment borrows the first one's packages by a .pth file; a .pth that is reached this way does not
# bring in others, so the editable install of the checkout stays out.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

.venv/bin/python -m build --wheel --no-isolation --outdir "$work/dist" . >"$work/build.log" 2>&1 || {
  cat "$work/build.log"
  exit 1
}
git ls-files -z connectors registry schemas shuqiao dags airflow.cfg | .venv/bin/python -c '
import sys, zipfile
from pathlib import Path
packed = zipfile.ZipFile(sys.argv[1])
names = set(packed.namelist())
missing = []
for name in filter(None, sys.stdin.read().split("\0")):
    inside = "shuqiao/" + name if name.startswith(("dags/", "airflow.cfg")) else name
    if Path(name).exists() and (inside not in names or packed.read(inside) != Path(name).read_bytes()):
        missing.append(name)
sys.exit("the wheel lacks, or has otherwise: " + ", ".join(missing) if missing else 0)
' "$work"/dist/*.whl
.venv/bin/python -m venv --without-pip "$work/venv"
.venv/bin/python -m pip --disable-pip-version-check --python "$work/venv/bin/python" install --quiet --no-deps --no-index \
  "$work"/dist/*.whl
there=$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$there/borrowed.pth"

mkdir "$work/project"
git ls-files -z | grep -zvE '^(connectors|registry|schemas|shuqiao|dags)/|^airflow\.cfg$' |
  xargs -0 cp --parents -t "$work/project"
[ ! -d "$root/../shared" ] || ln -s "$(cd "$root/../shared" && pwd -P)" "$work/shared" # real records lie beside the project
cd "$work/project"
where=$("$work/venv/bin/python" -c 'import shuqiao; print(shuqiao.__file__)')
case $where in
  "$root"/*) echo "the checkout's packages are in the way: $where"; exit 1 ;;
esac
looking="tests/acceptance tests/api/test_description.py tests/api/test_pages.py tests/browser tests/cli tests/credit/report
  tests/dags tests/demo tests/docs tests/licences/documents tests/schemas tests/stack"
echo "tests against $(basename "$work"/dist/*.whl)"
# shellcheck disable=SC2086  (several paths)
"$work/venv/bin/python" -m pytest "$@" ${WHEEL_TESTS:-$looking}
