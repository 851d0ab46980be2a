#!/bin/sh
# test_wheel.sh [PYTEST ARGUMENTS]: build the wheel, install it where no checkout is in sight, run the suite against it.
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
echo "suite against $(basename "$work"/dist/*.whl)"
"$work/venv/bin/python" -m pytest "$@"
