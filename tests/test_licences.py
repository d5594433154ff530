"""docs/licences.md has what is pinned, and a note for all that asks for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import licences

MIT = {"name": "Some.Thing", "version": "1.0+cpu", "classifier": ["License :: OSI Approved :: MIT License"]}


def rows() -> list[list[str]]:
    lines = licences.PAGE.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")][1:]


def test_the_list_has_every_pinned_package_and_no_other() -> None:
    listed = {(name, version): lists.split() for name, version, lists, *_ in rows()}
    assert listed == licences.pins(), "run `make audit`"


def test_no_list_is_forgotten() -> None:
    assert {path.stem for path in licences.REQUIREMENTS.glob("*.txt")} - {"overrides"} == set(licences.LISTS)
    audited = (licences.REQUIREMENTS.parent / "scripts" / "audit.sh").read_text()
    assert f"for list in {' '.join(licences.LISTS)}; do" in audited


def test_what_is_not_plainly_free_has_its_note() -> None:
    assert len(rows()) > 300
    for name, _, _, told, *noted in rows():
        assert " ".join(noted) == licences.note(name, told)


def test_a_licence_is_read_from_pip_s_report(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"install": [{"metadata": MIT}]}))
    assert licences.read([tmp_path / "r.json"]) == {("some-thing", "1.0"): "MIT"}
    assert licences.licence({"license_expression": "ISC", **MIT}) == "ISC"
    assert licences.licence({"license": "Apache 2.0"}) == "Apache 2.0"
    assert licences.licence({"license": "A long text " * 20}) == "unknown"


def test_an_unknown_licence_is_not_passed_over() -> None:
    with pytest.raises(KeyError, match="write into NOTES why"):
        licences.note("new-package", "unknown")
