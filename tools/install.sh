#!/bin/sh
# install.sh GROUP...: make .venv hold exactly what the lock says for these groups, and this checkout (editable).
# Does nothing when that is so already: .venv/installed notes the groups and what they were installed from.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
note=$venv/installed

origin="$(cat constraints.txt pyproject.toml tools/locked.py tools/install.sh | cksum) $(pwd -P)"
if [ -f "$note" ] && [ "$(head -n 1 "$note")" = "$origin" ] && [ -x $venv/bin/python ]; then
  have=" $(sed -n 2p "$note") "
  all=yes
  for group in "$@"; do case $have in *" $group "*) ;; *) all=no ;; esac; done
  [ $all = no ] || exit 0
  for group in $have; do case " $* " in *" $group "*) ;; *) set -- "$@" "$group" ;; esac; done
else
  have=
fi

# A venv that was moved, or whose Python has gone, is made anew. One that was made otherwise (no note) is kept if it works.
if [ -z "$have" ] && ! grep -qs "$(pwd -P)/$venv" $venv/bin/pip; then rm -rf $venv; fi
if ! $venv/bin/python -c 'import pip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
  python=$(tools/find_python.sh)
  echo "创建 / creating .venv ($("$python" -V 2>&1))"
  rm -rf $venv
  "$python" -m venv $venv
fi

list=$venv/locked.txt
$venv/bin/python tools/locked.py "$@" install >$list
echo "安装 / installing $(grep -c == $list) packages for: $* (from constraints.txt; once)"
pip="$venv/bin/python -m pip --disable-pip-version-check"
$pip install --quiet --no-deps --require-hashes --progress-bar off -r $list
$pip install --quiet --no-deps --no-build-isolation -e .
printf '%s\n%s\n' "$origin" "$*" >$note
