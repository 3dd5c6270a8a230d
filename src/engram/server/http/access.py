"""Which names a server may be called by, and which pages may call it.

A page on the web can make a browser send requests to a server that only listens on the loopback interface. Its browser
says so in ``Origin``. If the page's own name has been made to stand for the loopback address, the browser takes both
for one site, and only ``Host`` tells that the name is a stranger's. Therefore both are checked on every request.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from engram.errors import InvalidInput, PermissionDenied

_LOOPBACK_NAMES: Final = frozenset({"localhost", "localhost.localdomain"})
_EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - these names are compared with, not listened on.
_PORT_OF_SCHEME: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%25[\w.]+)?\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The names and the origins that requests may have.

    Parameters
    ----------
    listened
        The host that the server listens on.
    hosts
        Further names that are allowed, in lower case.
    origins
        Origins of other sites whose pages may call, such as ``https://notes.example.org``.
    """

    listened: str
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def check_host(self, values: list[str]) -> str:
        """Check the values of the header ``Host``, and return the only one.

        Raises
        ------
        InvalidInput
            If there is not exactly one, or it cannot be a host.
        PermissionDenied
            If the server is not to be called by this name.
        """
        matched = _HOST.fullmatch(values[0]) if len(values) == 1 else None
        if matched is None:
            raise InvalidInput(
                "a request needs one header Host with a name or an address, and perhaps a port",
                code="invalid_host",
                field="Host",
                limit=1,
                value=", ".join(values)[:200],
            )
        name = matched[1].strip("[]").lower().rstrip(".")
        if not self._is_own(name):
            raise PermissionDenied(
                f"this server is not known as {name}; the setting http_hosts names what else it may be called",
                code="host_not_allowed",
                field="Host",
                limit=", ".join(sorted({"localhost", self.listened, *self.hosts})),
                value=name,
            )
        return values[0].lower()

    def check_origin(self, values: list[str], host: str) -> str | None:
        """Check the values of the header ``Origin``; return the origin if it is that of another site.

        Parameters
        ----------
        values
            The values of the header; none from what is no browser.
        host
            What `check_host` returned.

        Raises
        ------
        PermissionDenied
            If pages of this origin may not call.
        """
        if not values:
            return None
        origin = values[0].lower()
        if len(values) == 1 and origin in self.origins:
            return origin
        if len(values) == 1 and _authority(origin) in (host, _without_port(host, origin)):
            return None
        raise PermissionDenied(
            f"pages of {origin[:200]} may not call this server; the setting http_origins names those that may",
            code="origin_not_allowed",
            field="Origin",
            limit=", ".join(sorted({host, *self.origins})),
            value=", ".join(values)[:200],
        )

    def _is_own(self, name: str) -> bool:
        listened = self.listened.strip("[]").lower()
        if name in self.hosts or name in _LOOPBACK_NAMES or name == listened:
            return True
        try:
            address = ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return False
        # No stranger's name can stand behind an address that is written as a number.
        return address.is_loopback or listened in _EVERY_ADDRESS


def parse_hosts(text: str) -> frozenset[str]:
    """Return the names in a list with commas.

    Raises
    ------
    InvalidInput
        If one of them cannot be a name.
    """
    names = _listed(text)
    for name in names:
        matched = _HOST.fullmatch(name)
        if matched is None or matched[2]:
            raise InvalidInput(
                f"http_hosts has {name!r}; it takes names or addresses without a port, such as memory.example.org",
                code="invalid_option",
                field="http_hosts",
                limit="names with commas between them",
                value=name,
            )
    return frozenset(name.strip("[]").rstrip(".") for name in names)


def parse_origins(text: str) -> frozenset[str]:
    """Return the origins in a list with commas.

    Raises
    ------
    InvalidInput
        If one of them is not the origin of a site.
    """
    origins = _listed(text)
    for origin in origins:
        if _authority(origin) is None:
            raise InvalidInput(
                f"http_origins has {origin!r}; it takes what browsers send as Origin, such as https://notes.example.org",
                code="invalid_option",
                field="http_origins",
                limit="origins with commas between them",
                value=origin,
            )
    return frozenset(f"{urlsplit(origin).scheme}://{_authority(origin)}" for origin in origins)


def _listed(text: str) -> list[str]:
    return [part.strip().lower() for part in text.split(",") if part.strip()]


def _authority(origin: str) -> str | None:
    """Return host and port of an origin without a port that its scheme implies; None if it is no origin."""
    scheme, separator, rest = origin.partition("://")
    matched = _HOST.fullmatch(rest)
    if scheme not in _PORT_OF_SCHEME or not separator or matched is None:
        return None
    return matched[1] if matched[2] is None or int(matched[2]) == _PORT_OF_SCHEME[scheme] else rest


def _without_port(host: str, origin: str) -> str:
    """Return `host` without a port that the scheme of `origin` implies."""
    port = _PORT_OF_SCHEME.get(origin.partition("://")[0])
    return host.removesuffix(f":{port}")
