#!/usr/bin/env bash
# `make audit`: docs/licences.md, build/audit/*.cdx.json and what is known against the pinned versions. Nothing is installed but the tools.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/audit/bin
out=build/audit
say() { echo "==> $*" >&2; }

mkdir -p "$out"
reports=()
for list in mock cpu gpu weights uv dev whisper bench examples audit; do
  say "what the packages of requirements/$list.txt say of themselves"
  "$bin/python" -m pip install --quiet --disable-pip-version-check --dry-run --ignore-installed --no-deps --report "$out/$list.json" -r "requirements/$list.txt" \
    || { say "the package index did not answer for requirements/$list.txt: the licence list needs one (PIP_INDEX_URL)"; exit 1; }
  reports+=("$out/$list.json")
done
"$bin/python" scripts/licences.py "${reports[@]}"
say "wrote docs/licences.md"

for list in mock cpu gpu; do
  "$bin/cyclonedx-py" requirements "requirements/$list.txt" --pyproject pyproject.toml --output-reproducible -o "$out/$list.cdx.json"
  say "wrote $out/$list.cdx.json"
done

# --strict: a package that the service does not know, or does not answer for, is no package without vulnerabilities.
failed=()
for list in mock cpu gpu; do
  say "known vulnerabilities of requirements/$list.txt, by PyPI's advisories"
  "$bin/pip-audit" --strict --progress-spinner off --disable-pip --no-deps -r "requirements/$list.txt" || failed+=("$list")
done
if [ ${#failed[@]} -gt 0 ]; then
  say "not clean, or not asked (no network, or a service that does not know the packages): ${failed[*]}. See above; nothing is known of these until it passes"
  exit 1
fi
say "no known vulnerabilities"
