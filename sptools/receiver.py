"""Opens what `sp-capture` is pointed at: finds the driver, checks keys and flags against its signature."""

from __future__ import annotations

from typing import Any

from sptools import registry, url
from sptools.errors import Usage


def open_receiver(text: str, **flags: Any) -> Any:
    """The receiver of an endpoint such as `rtlsdr:0` or `night.cu8,rate=2M`.

    `flags` are settings of the command line, None where not given; a driver that has no such setting refuses it by name.
    """
    endpoint = url.parse(text, drivers=True)
    name, address = endpoint.driver, endpoint.place
    keys: dict[str, Any] = {}
    if not name:
        name = "file"
        datatype = endpoint.format or registry.format_of(endpoint.place)
        if datatype == "avro":
            raise Usage(f"{text}: an Avro stream is captured already: sp-cat reads it")
        keys["datatype"] = datatype
    description = registry.describe("drivers", name)
    given = url.keys_for(endpoint, description)
    for flag, value in flags.items():
        if value is None or value is False:
            continue
        if flag not in description.valid:
            raise Usage(f"{name} takes no --{flag.replace('_', '-')}; it takes {', '.join(description.valid)}")
        given.setdefault(flag, description.setting(flag).parse(value))
    return getattr(registry.load("drivers", name), name)(address, **keys, **given)


def list_devices() -> list[str]:
    """A line for each device that a driver can see, or for why it can't."""
    lines = []
    for name in registry.names("drivers"):
        module = registry.load("drivers", name)
        if hasattr(module, "devices"):
            lines += module.devices()
    return lines
