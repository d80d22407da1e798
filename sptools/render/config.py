"""`--print-config`: a configuration file with every setting, those left at their default commented out."""

from __future__ import annotations

from typing import Any

from sptools.describe import MISSING, Setting
from sptools.flags import ACTIONS
from sptools.interface import Interface
from sptools.render import span, wrap
from sptools.settings import Value


def render(interface: Interface, flags: dict[str, Any] | None = None) -> str:
    """The tables of a tool: its own and one for each mode, or for the one that the command line names.

    `flags`: raw values as `scan` gives them; None leaves environment and files aside (the reference configuration).
    """
    values: dict[str, Value] = {}
    if flags is not None:
        given = {k: v[-1] if isinstance(v, list) and not _many(interface, k) else v for k, v in flags.items()}
        needed = {s.name: "" for s in interface.positional if s.required}
        values = interface.values({**needed, **given}, given.get("config"))
    rows = table(interface.tool, interface.own.summary, [s for s in interface.known if s.name not in ACTIONS], values)
    names = [interface.mode] if interface.mode else interface.mode_names()
    for name in names:
        special = interface.describe_mode(name)
        if special.settings:
            shown = values if interface.mode else {}
            rows += table(f"{interface.tool}.{name}", special.summary, special.settings, shown)
    return "\n".join(rows).rstrip("\n") + "\n"


def _many(interface: Interface, name: str) -> bool:
    return any(s.name == name and s.many for s in interface.known)


def table(title: str, summary: str, settings: list[Setting], values: dict[str, Value]) -> list[str]:
    rows = [f"[{title}]", *(f"# {row}" for row in wrap(summary, 98)), ""]
    for setting in settings:
        facts = [span(setting, setting.within)] if setting.within else []
        facts += ["one of " + ", ".join(map(str, setting.choices))] if setting.choices else []
        facts += ["live"] if setting.live else []
        rows += [f"# {row}" for row in wrap(setting.help + (f" ({', '.join(facts)})" if facts else ""), 98)]
        known = values.get(setting.name)
        if known and known.origin != "default":
            rows.append(f"{setting.name} = {literal(setting, known.value)}  # {known.origin}")
        elif setting.default is None or setting.default is MISSING:
            rows.append(f"#{setting.name} = {setting.metavar if setting.takes_value else ''}")
        else:
            rows.append(f"#{setting.name} = {literal(setting, setting.default)}")
    return [*rows, ""]


def literal(setting: Setting, value: Any) -> str:
    """A value as TOML that `Setting.parse` takes back."""
    if setting.many:
        return "[" + ", ".join(_quoted(setting, v) for v in value) + "]"
    return _quoted(setting, value)


def _quoted(setting: Setting, value: Any) -> str:
    text = setting.format(value)
    if setting.switch or setting.counts or (setting.unit.name == "int" and not setting.choices):
        return text
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in text)
    return f'"{escaped}"'
