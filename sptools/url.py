"""Endpoints: one grammar for every place that bytes come from or go to, free of quotes in any shell.

    endpoint = [format ":"] place *("," key "=" value)          place = "-" | PATH | scheme ":" rest

A comma starts a key only before `[a-z_]+=`. A prefix counts only if it is a registered format, scheme or driver (or
stands before `//`); what begins with `/`, `./` or `../` is a path.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from sptools import registry
from sptools.describe import Description
from sptools.errors import BadConfig, Usage

# Schemes of the grammar; the transports folder tells which of them this installation can open.
SCHEMES = ("file", "udp", "tcp", "tls", "unix", "nats", "rtltcp", "sds")
KEYS = re.compile(r",(?=[a-z_]+=)")
PREFIX = re.compile(r"([a-z][a-z0-9_+]*):")
# user:password@host, the password not empty
PASSWORD = re.compile(r"//[^/@,]*:[^/@]+@")
SECRETS = frozenset(("password", "passwd", "secret", "token", "apikey", "api_key"))


class Endpoint(NamedTuple):
    """`place` is what follows the prefixes: `-`, a path, `//host:port`. `keys` keep their order."""

    format: str | None = None
    scheme: str | None = None
    place: str = ""
    keys: dict[str, str] = {}  # never changed in place
    driver: str | None = None

    def __str__(self) -> str:
        keys = ",".join(f"{name}={value}" for name, value in self.keys.items())
        comma = "," if keys and self.address else ""
        return f"{f'{self.driver}:' if self.driver else ''}{self.address}{comma}{keys}"

    @property
    def address(self) -> str:
        """What stands behind the driver's name and before the keys: `0`, `fm`, `//host:1234`, `cu8:x.cu8`."""
        return "".join(f"{part}:" for part in (self.format, self.scheme) if part) + self.place

    @property
    def is_path(self) -> bool:
        """A file's path: no scheme, no driver, not `-`."""
        return self.scheme in (None, "file") and self.driver in (None, "file") and self.place != "-"

    @property
    def kind(self) -> str:
        """The format: named by the prefix, else by the suffix, else Avro."""
        return self.format or (registry.format_of(self.place) if self.is_path else None) or "avro"


def parse(
    text: str,
    *,
    drivers: bool | Collection[str] = False,
    formats: Collection[str] | None = None,
    schemes: Collection[str] | None = None,
) -> Endpoint:
    """Takes an endpoint apart. With `drivers` a receiver's name is a prefix too; a file leaves `driver` None."""
    if not text:
        raise Usage("an endpoint may not be empty: - is standard input or output")
    if "\0" in text:
        raise Usage("an endpoint holds a NUL byte")
    if PASSWORD.search(text):
        raise BadConfig("an endpoint may not hold a password, other users can see it: put it into a file, creds=FILE")
    formats = registry.names("formats") if formats is None else formats
    schemes = SCHEMES if schemes is None else schemes
    receivers = (registry.names("drivers") if drivers is True else drivers) if drivers else ()
    driver = form = scheme = None
    rest = text
    while (found := PREFIX.match(rest)) and not scheme and driver in (None, "file"):
        name, after = found[1], rest[found.end() :]
        if name in receivers and not form and not driver:
            driver = name
        elif name in formats and not form:
            form = name
        elif name in schemes or after.startswith("//"):
            scheme = name
        else:
            break
        rest = after
    pieces = KEYS.split("," + rest if driver not in (None, "file") and re.match(r"[a-z_]+=", rest) else rest)
    keys: dict[str, str] = {}
    for piece in pieces[1:]:
        key, _, value = piece.partition("=")
        if key in keys:
            raise Usage(f"{text}: {key} is given twice")
        if key in SECRETS:
            raise BadConfig(f"an endpoint may not hold a {key}, other users can see it: put it into a file, creds=FILE")
        keys[key] = value
    if not pieces[0] and not driver:
        raise Usage(f"{text}: the place is missing; - is standard input or output, ./NAME a file")
    return Endpoint(form, scheme, pieces[0], keys, driver)


def keys_for(endpoint: Endpoint, description: Description) -> dict[str, Any]:
    """The keys as arguments of whoever takes them. An unknown one: Usage, naming the valid ones."""
    return split_keys(endpoint, description.name, description)[0]


def split_keys(endpoint: Endpoint, who: str, *descriptions: Description) -> list[dict[str, Any]]:
    """The keys as arguments of several, say a format and a transport: each key goes to the first that has it."""
    found: list[dict[str, Any]] = [{} for _ in descriptions]
    for key, text in endpoint.keys.items():
        for arguments, description in zip(found, descriptions, strict=True):
            if key in description.valid:
                setting = description.setting(key)
                arguments[setting.parameter] = setting.parse(text, f"{endpoint}: {key}")
                break
        else:
            valid = ", ".join(name for d in descriptions for name in d.valid) or "none"
            raise Usage(f"{endpoint}: {who} has no key {key!r}; it has {valid}")
    return found
