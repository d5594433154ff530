#!/usr/bin/env bash
# Fetches anew, by npm, what web/vendor/ and tests/vendor/ hold: bash scripts/vendor.sh
# Versions are in the package.json beside them.
set -euo pipefail
cd "$(dirname "$0")/.."

# vendor FOLDER PACKAGE FILE TARGET
vendor() {
  local work
  work=$(mktemp -d)
  cp "$1/package.json" "$work"
  npm install --prefix "$work" --ignore-scripts --no-audit --no-fund --silent
  cp "$work/node_modules/$2/$3" "$4"
  rm -rf "$work"
  echo "$4"
}

vendor web marked lib/marked.esm.js web/vendor/marked.js
vendor tests/vendor axe-core axe.min.js tests/vendor/axe.min.js
