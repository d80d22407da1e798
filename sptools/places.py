"""Slips in naming inputs and outputs, found before anything is opened: a wrong suffix, one name twice, no input at all."""

from __future__ import annotations

import os
from collections.abc import Iterable

from sptools import registry, url
from sptools.errors import Usage


def check_outputs(places: list[str], inputs: Iterable[str]) -> None:
    """Raises Usage for outputs that cannot be meant: see `_check_name`; one twice; one that is an input."""
    seen: set[str] = set()
    for text in places:
        endpoint = url.parse(text)
        if endpoint.is_path:
            _check_name(text, endpoint)
        real = os.path.realpath(endpoint.place) if endpoint.is_path else text
        if endpoint.place == "-":
            real = "-"
        if real in seen:
            raise Usage(f"{text} is named twice as an output")
        if not endpoint.place.startswith("/dev/"):
            seen.add(real)
        for source in inputs:
            given = url.parse(source)
            if given.is_path and endpoint.is_path and _same(given.place, endpoint.place):
                raise Usage(f"{text} is an input too, and would be replaced: choose another name")


def _check_name(text: str, endpoint: url.Endpoint) -> None:
    """A file whose suffix or prefix names no format would silently become Avro."""
    if endpoint.format:
        return
    place = endpoint.place
    valid = ", ".join(registry.names("formats"))
    prefix, colon, _ = place.partition(":")
    if colon and prefix.isidentifier() and "/" not in prefix:
        raise Usage(f"{text}: no format {prefix!r}, there are {valid}; a file of that name is ./{place}")
    if place in registry.names("formats"):
        raise Usage(f"{text}: {place}:- is {place} on standard output, x.{place} a file; a file of that name is ./{place}")
    suffix = os.path.splitext(place)[1]
    if suffix and not registry.format_of(place) and not _special(place):
        raise Usage(f"{text}: no format writes {suffix}, there are {valid}; for Avro under that name write avro:{place}")


def _special(place: str) -> bool:
    """A device, a FIFO, a descriptor of the shell's."""
    return os.path.exists(place) and not os.path.isfile(place)


def _same(a: str, b: str) -> bool:
    try:
        return os.path.isfile(a) and os.path.samefile(a, b)
    except OSError:
        return False


def check_input(endpoint: url.Endpoint) -> None:
    """Nobody types samples: an input from the keyboard is a forgotten pipe."""
    if endpoint.place == "-" and not endpoint.scheme and os.isatty(0):
        raise Usage("no input: pipe sp-capture into it, or name a file")
