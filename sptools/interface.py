"""What one program takes: its own settings, the common ones, and those of the mode that the command line names."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any, NamedTuple

from sptools import flags as common_flags
from sptools import registry, url
from sptools.describe import Description, Setting, read_signature
from sptools.errors import Usage, guess
from sptools.settings import Common, Value, check_keys, check_tables, odd_variables, read_files, resolve


class Scan(NamedTuple):
    """A first look at a command line: flags that we know (raw: list of texts, True, or a count), and other words."""

    flags: dict[str, Any]
    words: list[str]


def scan(arguments: list[str], known: list[Setting]) -> Scan:
    """Finds the words that are no flag and no flag's value, before the mode and so all flags are known.

    typer parses the line afterwards; what is odd here is refused there.
    """
    by_flag = {f: s for s in known for f in (s.flag, s.short) if f}
    flags: dict[str, Any] = {}
    words: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        if word == "-" or not word.startswith("-"):
            words.append(word)
        elif word.startswith("--"):
            flag, equals, value = word.partition("=")
            setting = by_flag.get(flag)
            if setting:
                _note(flags, setting, value if equals else None, rest)
        else:
            letters = word[1:]
            while letters and (setting := by_flag.get("-" + letters[0])):
                letters = letters[1:]
                _note(flags, setting, letters or None, rest)
                if setting.takes_value:
                    break
    return Scan(flags, words)


def _note(flags: dict[str, Any], setting: Setting, value: str | None, rest: list[str]) -> None:
    if setting.counts:
        flags[setting.name] = flags.get(setting.name, 0) + 1
    elif setting.switch:
        flags[setting.name] = True
    elif value is not None or rest:
        flags.setdefault(setting.name, []).append(rest.pop(0) if value is None else value)


class Interface:
    """One program. `modes`: the registry's kind that its first argument names; `endpoint`: it does so as an endpoint
    (`sim:fm`), and settings given as its keys count as given. `family`: a function of `flags`."""

    def __init__(self, path: str, *, modes: str | None = None, endpoint: bool = False, family: str = "filters"):
        self.family = family
        self.own: Description = read_signature(path)
        self.tool = self.own.name
        self.program = f"sp-{self.tool.replace('_', '-')}"
        self.modes = modes
        self.endpoint = endpoint
        self.mode: str | None = None
        self.source: url.Endpoint | None = None
        self.special: Description | None = None  # of the mode

    @cached_property
    def common(self) -> Description:
        """The flags of the tool's family; one that the tool declares itself is the tool's."""
        found = read_signature(common_flags.__file__, self.family)
        found.settings = [s for s in found.settings if s.name not in self.own.valid]
        return found

    @property
    def positional(self) -> list[Setting]:
        return self.own.positional

    @property
    def known(self) -> list[Setting]:
        """Settings of the tool itself and of its family."""
        return [*self.own.settings, *self.common.settings]

    @property
    def settings(self) -> list[Setting]:
        """All settings, once each: one that the mode has too is the mode's, with its range and default."""
        special = {s.name: s for s in self.special.settings} if self.special else {}
        return [*(special.get(s.name, s) for s in self.known), *self.only_special]

    @property
    def only_special(self) -> list[Setting]:
        """What the mode adds."""
        names = {s.name for s in self.known}
        return [s for s in self.special.settings if s.name not in names] if self.special else []

    @property
    def shared(self) -> set[str]:
        """Names that the tool and the mode both have."""
        return {s.name for s in self.known} & set(self.special.valid) if self.special else set()

    def mode_names(self) -> list[str]:
        return registry.names(self.modes) if self.modes else []

    def describe_mode(self, name: str) -> Description:
        assert self.modes
        return registry.describe(self.modes, name)

    def choose(self, found: Scan, *, strict: bool = True) -> None:
        """Finds the mode that the command line names. `strict`: none or an unknown one is a usage error."""
        if not self.modes:
            return
        if self.endpoint:
            self._choose_driver(found.words, strict)
        else:
            self._choose_mode(found.words, strict)
        if self.mode:
            self.special = self.describe_mode(self.mode)

    def _choose_mode(self, words: list[str], strict: bool) -> None:
        valid = self.mode_names()
        self.mode = next((word for word in words if word in valid), None)
        if self.mode or not (strict or words):
            return
        if not words:
            raise Usage(f"MODE is missing: there are {', '.join(valid)} (try {self.program} --help)")
        try:
            registry.find(self.modes or "", words[0])  # a plug-in
        except Usage:
            noun = registry.NOUNS.get(self.modes or "", "mode")
            raise Usage(f"no {noun} {words[0]!r}: {guess(words[0], valid)}there are {', '.join(valid)}") from None
        self.mode = words[0]

    def _choose_driver(self, words: list[str], strict: bool) -> None:
        """The word with a driver's prefix; else the first, which is a file. Without any the tool decides."""
        valid = self.mode_names()
        best = [word for word in words if word.partition(":")[0] in valid] or words
        if not best or best[0].partition(":")[0] == "" or best[0] == "":
            return
        self.source = url.parse(best[0], drivers=valid)
        if strict and not self.source.driver:
            from sptools.slips import check_recording

            check_recording(best[0], self.source)
        self.mode = self.source.driver or ("file" if "file" in valid else None)

    def resolve(self, given: dict[str, Any]) -> tuple[Common, dict[str, Any]]:
        """(common, arguments of the function) out of raw flags, environment and files."""
        run = Common(self.tool, self.mode)
        run.endpoint = self.source
        chosen = given.get("config")
        run._values = self.values(given, chosen)
        run._again = lambda: self.values(given, chosen)
        for setting in self.common.settings:
            setattr(run, setting.name, run.values(setting.name))
        run.live = [s.name for s in self.settings if s.live]
        run._settings = {s.name: s for s in self.settings}
        arguments = {s.parameter: run.values(s.name) for s in self.positional}
        for setting in self.own.settings:
            taken = setting.name in self.shared and not run.given(setting.name)
            # the mode's default is the mode's affair: the tool keeps its own
            arguments[setting.parameter] = setting.default if taken else run.values(setting.name)
        for setting in self.special.settings if self.special else ():
            if not self.endpoint or run.given(setting.name):
                run.mode_settings[setting.parameter] = run.values(setting.name)
        return run, arguments

    def values(self, given: dict[str, Any], chosen: str | None) -> dict[str, Value]:
        """Every setting's value and origin."""
        files = read_files(chosen)
        settings = self.settings
        valid = [s.name for s in settings if s.name not in common_flags.ACTIONS]
        tools = sorted({*registry.names("cmd"), self.tool})
        for file in files:
            check_tables(file, tools)
        own = [s.name for s in self.known if s.name in valid]
        check_keys(files, self.tool, self.mode, valid, self.names_of_modes, own)
        keys = url.keys_for(self.source, self.special) if self.source and self.special else {}
        found = {}
        for setting in (*self.positional, *settings):
            outer = not setting.positional and setting.name not in common_flags.ACTIONS
            if setting.parameter in keys and setting.name not in given:
                found[setting.name] = Value(keys[setting.parameter], "key")
            else:
                found[setting.name] = resolve(setting, self.tool, self.mode, flags=given, files=files, outer=outer)
        return found

    def warnings(self) -> list[str]:
        """What the environment says in vain."""
        valid = [s.name for s in self.settings if s.name not in common_flags.ACTIONS]
        return odd_variables(self.tool, registry.names("cmd"), valid, self.names_of_modes)

    def names_of_modes(self) -> dict[str, list[str]]:
        return {name: self.describe_mode(name).valid for name in self.mode_names()}


def of_tool(tool: str, **how: Any) -> Interface:
    """The interface of a program of ours by name; how its first argument is read stands in its `entry(...)` call."""
    path = os.path.join(registry.HOME, "cmd", f"{tool}.py")
    return Interface(path, **(how or read_entry(path)))


def read_entry(path: str) -> dict[str, Any]:
    """The keywords of `main = entry(__file__, …)`, by ast."""
    import ast

    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    for node in tree.body:
        call = node.value if isinstance(node, ast.Assign) else None
        if isinstance(call, ast.Call) and getattr(call.func, "id", getattr(call.func, "attr", "")) == "entry":
            given: dict[str, Any] = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
            if given.pop("drivers", False):
                given |= {"modes": "drivers", "endpoint": True}
            return given
    return {}
