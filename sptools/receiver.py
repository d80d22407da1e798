"""Opens what `sp-capture` is pointed at, with the settings that its driver takes."""

from __future__ import annotations

from typing import Any

from sptools import registry
from sptools.errors import Usage
from sptools.slips import samples
from sptools.url import Endpoint


def open_receiver(endpoint: Endpoint, settings: dict[str, Any], wanted: list[str]) -> Any:
    """The receiver of an endpoint such as `rtlsdr:0` or `night.cu8,rate=2M`.

    `settings` are those of the driver that were given; `wanted` names what the user asked for by flag: a driver that has
    no such setting refuses it.
    """
    name = endpoint.driver or "file"
    valid = registry.describe("drivers", name).valid
    for flag in wanted:
        if flag not in valid:
            raise Usage(f"{name} takes no --{flag.replace('_', '-')}; it takes {', '.join(valid)}")
    if name == "file":
        if (endpoint.format or registry.format_of(endpoint.place)) == "avro":
            raise Usage(f"{endpoint}: an Avro stream is captured already: sp-cat reads it")
        if endpoint.format:
            settings = {"datatype": endpoint.format, **settings}
    return getattr(registry.load("drivers", name), name)(endpoint.place, **settings)


def list_devices() -> list[str]:
    """A line for each device that a driver can see, or for why it can't; of a driver that cannot look, what it opens."""
    lines: list[str] = []
    for name in registry.names("drivers"):
        module = registry.load("drivers", name)
        if hasattr(module, "devices"):
            lines += module.devices()
        else:
            lines.append(f"{samples(name)[0]}  {registry.summary('drivers', name)}")
    return lines
