"""From where a request comes, as far as a server without keys has to know: which machine, by which name, from which web page."""

from __future__ import annotations

import ipaddress
import re
import socket
from fnmatch import fnmatchcase
from functools import lru_cache

from models.errors import Forbidden
from settings.access import Access

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d+)?")


@lru_cache(1024)
def is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    inner = getattr(found, "ipv4_mapped", None) or found
    return bool(inner.is_loopback)


def check_machine(client: tuple[str, int] | None, access: Access) -> None:
    """Through a socket file (None) comes only who is on this machine."""
    if client and not access.open and not is_loopback(client[0]):
        raise Forbidden(
            "this server has no API keys, and without them it serves its own machine alone: make one there with `fireside keys add NAME`, "
            "or let everybody in with access.open (FIRESIDE_ACCESS__OPEN=true)."
        )


def check_host(host: str, access: Access) -> None:
    """A page may let its name point to this machine (DNS rebinding), and is the browser's same origin then: its name gives it away."""
    name = _name(host)
    if not (_is_own(name) or any(fnmatchcase(name, wanted.lower()) for wanted in access.hosts)):
        raise Forbidden(f"this server does not go by the name {name!r}: add it to access.hosts, or use its address.")


def check_origin(origin: str, host: str, access: Access) -> None:
    """Browsers let any page open sockets and post forms to anywhere, and say only which one it is."""
    page = origin.partition("://")[2].lower()
    same = page == host.lower() or _is_here(_name(page))
    if not (same or "*" in access.origins or origin in access.origins):
        raise Forbidden(f"pages of {origin!r} may not use this server: add it to access.origins.")


def _name(host: str) -> str:
    """Without its port; HTTP/1.0 has none, and no browser speaks it."""
    if not host:
        return ""
    found = _HOST.fullmatch(host)
    if found is None:
        raise Forbidden(f"{host!r} is no host and port.")
    return found[1].strip("[]").rstrip(".").lower()


def _is_own(name: str) -> bool:
    """What no page from elsewhere can have for a name: addresses, names without a dot, and this machine's."""
    return "." not in name or _is_here(name) or _is_address(name) or name == socket.gethostname().lower()


def _is_here(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
