"""GET / and /web/...: what is served of the page, and under which rules."""

from __future__ import annotations

import re

import httpx
import pytest

from api import page
from tests.browsing import chromium
from tests.servers import ROOT, Server

SOURCES = sorted(path for path in (ROOT / "web").glob("**/*") if path.suffix in page.TYPES)


def test_the_page_is_at_the_root_with_its_policy(server: Server) -> None:
    answer = server.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_file_of_it_is_served_as_it_is(server: Server, path: str) -> None:
    name = path.relative_to(ROOT / "web").as_posix()
    answer = server.get("/" if name == "index.html" else f"/web/{name}")
    assert answer.content == path.read_bytes()
    assert answer.headers["content-type"].startswith(page.TYPES[path.suffix])


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
def test_what_the_browser_has_is_not_sent_again(server: Server, form: str) -> None:
    tag = server.get("/web/main.js").headers["etag"]
    answer = httpx.get(f"{server.url}/web/main.js", headers={"If-None-Match": form.format(tag)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert (answer.headers["etag"], answer.headers["cache-control"]) == (tag, "no-cache")


def test_another_version_is_sent(server: Server) -> None:
    assert httpx.get(f"{server.url}/web/main.js", headers={"If-None-Match": '"old"'}).status_code == 200


@pytest.mark.parametrize("path", ["/web/package.json", "/web/vendor/README.md", "/web/../settings.py", "/web/nothing.js"])
def test_nothing_else_is_served(server: Server, path: str) -> None:
    assert server.get(path).status_code == 404


def test_the_page_asks_no_other_server_for_anything() -> None:
    ours = [path for path in SOURCES if path.parent.name != "vendor"]
    found = [(path.name, url) for path in ours for url in re.findall(r"(?:https?|wss?):\\?//[^\s\"'`)]+", path.read_text())]
    assert {url for _, url in found} <= {
        "http://www.w3.org/2000/svg",
        "https://html.spec.whatwg.org/multipage/server-sent-events.html",
    }


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_without_chromium_its_tests_are_skipped_but_not_on_ci(monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[Exception]) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="apt-get install chromium"):
        chromium()
