"""Where values come from: flag > environment > configuration file > default, and each value keeps its origin.

One parser (`Setting.parse`) reads them all, so a bad value is refused the same way everywhere: on the command line
it is a usage error (2), in the environment or a file a configuration error (78).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sptools.describe import MISSING, Description, Setting
from sptools.describe import read_signature as describe
from sptools.errors import BadConfig, Usage, guess

__all__ = ["MISSING", "Common", "Description", "Setting", "Value", "describe", "read_files", "resolve"]

SYSTEM_FILE = "/etc/sptools.toml"


class Value(NamedTuple):
    """A setting's value and where it stood: `flag`, `key`, a variable's name, a file's, or `default`."""

    value: Any
    origin: str


class File(NamedTuple):
    path: str
    tables: dict[str, Any]


def paths(chosen: str | None) -> list[str]:
    """The configuration files, first wins."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return [*([chosen] if chosen else []), os.path.join(home, "sptools.toml"), SYSTEM_FILE]


def read_files(chosen: str | None) -> list[File]:
    """Reads those that exist; the chosen one must."""
    found = []
    for path in paths(chosen):
        try:
            with open(path, "rb") as file:
                import tomllib

                found.append(File(path, tomllib.load(file)))
        except FileNotFoundError:
            if path == chosen:
                raise BadConfig(f"{path}: there is no such configuration file") from None
        except NotADirectoryError:
            continue
        except OSError as error:
            raise BadConfig(f"{path}: {error.strerror}") from None
        except ValueError as error:  # tomllib's own, and bytes that are not UTF-8
            raise BadConfig(f"{path}: not TOML: {error}") from None
    return found


def table(file: File, tool: str, mode: str | None) -> list[tuple[str, dict]]:
    """(title, table) of a tool in one file, the mode's before the tool's."""
    own = file.tables.get(tool, {})
    if not isinstance(own, dict):
        raise BadConfig(f"{file.path}: {tool} must be a table: [{tool}]")
    special = own.get(mode, {}) if mode else {}
    if mode and not isinstance(special, dict):
        raise BadConfig(f"{file.path}: {tool}.{mode} must be a table: [{tool}.{mode}]")
    return [(f"{tool}.{mode}", special), (tool, own)] if mode else [(tool, own)]


def check_tables(file: File, tools: list[str]) -> None:
    """Refuses a table that no tool reads."""
    for title, content in file.tables.items():
        if title in tools:
            continue
        if not isinstance(content, dict):
            raise BadConfig(f"{file.path}: {title} stands in no table: write it under [{tools[0]}], or another tool's")
        tables = ", ".join(f"[{tool}]" for tool in tools)
        raise BadConfig(f"{file.path}: no tool reads [{title}]: {guess(title, tools)}there are {tables}")


def check_keys(
    files: list[File], tool: str, mode: str | None, valid: list[str], of_modes: Callable, own: list[str] | None = None
) -> None:
    """Refuses a key that means nothing. `valid`: names of all settings, `own`: of those that any mode has too.
    `of_modes()` gives mode → names of its settings: asked only on a miss."""
    for file in files:
        for title, keys in table(file, tool, mode):
            for key in keys:
                if key in valid:
                    continue
                modes = of_modes()
                allowed = set(valid)
                if title == tool:
                    if key in modes and isinstance(keys[key], dict):
                        continue
                    allowed |= {name for names in modes.values() for name in names}
                if key not in allowed:
                    meant = guess(key, [*allowed, *modes] if isinstance(keys[key], dict) else allowed)
                    known = ", ".join(sorted((own or valid) if title == tool else modes.get(mode) or valid))
                    raise BadConfig(f"{file.path}: [{title}] has no key {key!r}: {meant}there are {known}")


def variables(tool: str, mode: str | None, name: str) -> list[str]:
    """The environment variables of a setting, first wins: SP_DEMOD_WBFM_SQUELCH, SP_DEMOD_SQUELCH."""
    parts = [(tool, mode, name)] if mode else []
    return ["_".join(("SP", *(str(p) for p in each))).upper().replace("-", "_") for each in [*parts, (tool, name)]]


def odd_variables(tool: str, tools: list[str], valid: list[str], of_modes: Callable) -> list[str]:
    """A sentence for each environment variable that begins like the tool's and sets nothing."""
    said = []
    own, prefix = {variables(tool, None, name)[0] for name in valid}, variables(tool, None, "")[0]
    longer = tuple(p for p in (variables(other, None, "")[0] for other in tools) if p != prefix and p.startswith(prefix))
    for name in sorted(os.environ):
        if not name.startswith(prefix) or name in own or not os.environ[name] or (longer and name.startswith(longer)):
            continue
        modes = of_modes()
        known = own | {v for mode, names in modes.items() for each in names for v in variables(tool, mode, each)}
        if name not in known:
            meant = guess(name.removeprefix(prefix), [each.removeprefix(prefix) for each in known], prefix)
            said.append(f"{name} sets nothing: {meant or f'sp-{tool} has no such setting'}".rstrip())
    return said


def written(value: Any) -> str:
    """A raw value of a file, as TOML has it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def resolve(
    setting: Setting,
    tool: str,
    mode: str | None = None,
    *,
    flags: Mapping[str, Any],
    files: list[File],
    outer: bool = True,
) -> Value:
    """The value of one setting by precedence. `flags` holds raw texts; `outer=False` asks the command line alone."""
    if setting.name in flags:
        raw = flags[setting.name]
        shown = "" if setting.many or not setting.takes_value else f" {raw}"
        return Value(setting.parse(raw, (setting.flag + shown) if not setting.positional else setting.name), "flag")
    if outer:
        for variable in variables(tool, mode, setting.name):
            if raw := os.environ.get(variable):
                return Value(setting.parse(raw, f"{variable}={raw}", BadConfig), variable)
        for file in files:
            for title, keys in table(file, tool, mode):
                if setting.name in keys:
                    raw = keys[setting.name]
                    where = f"{file.path}: [{title}] {setting.name} = {written(raw)}"
                    return Value(setting.parse(raw, where, BadConfig), file.path)
    if setting.required:
        raise Usage(f"{setting.name.upper() if setting.positional else setting.flag} is missing")
    value = setting.default
    return Value(list(value) if isinstance(value, list) else value, "default")


class Common:
    """What `cli` hands to a command as its first argument: the common flags, and where every value came from.

    `mode`: the demodulator or driver that the command line names, `mode_settings` its settings (of a demodulator all
    of them; of a driver those that were given, keys of the endpoint included). `endpoint`: the source of sp-capture.
    """

    # the common flags, as `flags.filters` declares them; a test compares
    output: list[str]
    text: bool
    json: bool
    channel: list[str]
    duration: float | None
    count: int | None
    since: int | None
    until: int | None
    last: float | None
    stats: str | None
    verbose: int
    quiet: bool
    config: str | None

    def __init__(self, tool: str, mode: str | None = None):
        self.tool = tool
        self.mode = mode
        self.mode_settings: dict[str, Any] = {}
        self.endpoint: Any = None
        self.live: list[str] = []  # names of the live settings, own and the mode's
        self._values: dict[str, Value] = {}
        self._settings: dict[str, Setting] = {}
        self._later: list[str] = []
        self._again: Callable[[], dict[str, Value]] = dict

    def values(self, name: str) -> Any:
        """The value of any setting: own, common or the mode's."""
        return self._values[name].value

    def origin(self, name: str) -> str:
        """`flag`, `key`, the name of a variable or of a file, or `default`."""
        return self._values[name].origin

    def given(self, name: str) -> bool:
        """Did the user say it, anywhere?"""
        return name in self._values and self.origin(name) != "default"

    def reload(self) -> dict[str, Any]:
        """Reads environment and files again (SIGHUP): the live settings that changed, name → new value.

        Flags keep their word. A bad file raises BadConfig and changes nothing.
        """
        changed = {}
        self._later = []
        for name, new in self._again().items():
            old = self._values.get(name)
            if old and (old.value == new.value or (old.value != old.value and new.value != new.value)):
                continue
            if name not in self.live:
                self._later.append(name)
            else:
                self._values[name] = new
                changed[name] = new.value
                if name in self.mode_settings:
                    self.mode_settings[name] = new.value
        return changed

    def later(self) -> list[str]:
        """Names of the settings that the last `reload` found changed, but that only a new start can change."""
        return self._later

    def said(self, changed: dict[str, Any]) -> str:
        """Changed settings in words: `freq 99M, squelch off`."""
        return ", ".join(f"{k} {'off' if v is None else self._settings[k].format(v)}" for k, v in changed.items())
