"""Reads a signature as an interface, by `ast` alone: no module is imported, so help of a demodulator needs no numpy.

Keyword-only parameters are settings; positional ones are arguments. Units, ranges, `Live` and choices stand in the
annotations, help in the docstring's `Settings:` section.
"""

from __future__ import annotations

import ast
import re
from keyword import iskeyword
from typing import Any

from sptools import docstring, units
from sptools.errors import Bug, SpError, Usage

# The short flags of the field, by the name of the setting: the same in every tool.
SHORT = {
    "freq": "f", "rate": "s", "gain": "g", "ppm": "p", "count": "n", "squelch": "l", "output": "o", "verbose": "v",
    "quiet": "q", "text": "t", "json": "j", "bias_tee": "T", "audio": "r", "output_rate": "r", "interval": "i",
    "window": "w", "crop": "c", "help": "h", "version": "V",
}  # fmt: skip
MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING"})()


class Setting:
    """One parameter: a flag, an environment key, a configuration key, an endpoint key and perhaps a live setting."""

    __slots__ = ("choices", "default", "help", "live", "many", "name", "optional", "positional", "unit", "within")

    def __init__(
        self,
        name: str,
        unit: units.Unit = units.TEXT,
        default: Any = MISSING,
        help: str = "",
        *,
        many: bool = False,
        optional: bool = False,
        choices: tuple = (),
        live: bool = False,
        within: units.Within | None = None,
        positional: bool = False,
    ):
        self.name, self.unit, self.default, self.help = name, unit, default, help
        self.many, self.optional, self.choices = many, optional, choices
        self.live, self.within, self.positional = live, within, positional

    def __repr__(self) -> str:
        return f"Setting({self.name!r}, {self.unit.name}, {self.default!r})"

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def short(self) -> str:
        return "-" + SHORT[self.name] if self.name in SHORT else ""

    @property
    def parameter(self) -> str:
        """Its name in the signature."""
        return self.name + "_" if iskeyword(self.name) else self.name

    @property
    def required(self) -> bool:
        return self.default is MISSING

    @property
    def switch(self) -> bool:
        """A flag without a value: --json."""
        return self.unit is units.SWITCH

    @property
    def counts(self) -> bool:
        """A flag that counts: -vv."""
        return self.unit is units.LEVEL

    @property
    def takes_value(self) -> bool:
        return not (self.switch or self.counts)

    @property
    def negative(self) -> str:
        """--no-x of a switch that is on by default."""
        return "--no-" + self.name.replace("_", "-") if self.switch and self.default is True else ""

    @property
    def metavar(self) -> str:
        return "|".join(map(str, self.choices)) if self.choices else self.unit.metavar

    def parse(self, value: Any, where: str = "", error: type[SpError] = Usage) -> Any:
        """The value of a text or number; one that does not fit raises `error`, saying `where` it stood."""
        try:
            if not self.many:
                return self._one(value)
            values = value if isinstance(value, list | tuple) else str(value).split(",")
            return [self._one(v.strip() if isinstance(v, str) else v) for v in values]
        except Usage as fault:
            raise error(f"{where or self.name}: {fault}") from None

    def _one(self, value: Any) -> Any:
        if isinstance(value, list | tuple | dict) and self.unit is not units.RANGE:
            raise Usage(f"{value!r} is more than one value")
        if isinstance(value, bool):
            value = str(value).lower()  # as TOML writes it
        if self.choices:
            for choice in self.choices:
                if value == choice or str(value) == str(choice):
                    return choice
            raise Usage(f"{value!r} is not one of {', '.join(map(str, self.choices))}")
        parsed = self.unit.parse(value)
        if self.within and parsed == parsed and not self.within.lo <= parsed <= self.within.hi:
            lo, hi = map(self.unit.format, self.within)
            raise Usage(f"{self.unit.format(parsed)} is outside {lo} to {hi}")
        return parsed

    def format(self, value: Any) -> str:
        """The text that `parse` takes back."""
        if isinstance(value, list | tuple) and self.unit is not units.RANGE:
            return ",".join(map(self.format, value))
        return str(value) if self.choices else self.unit.format(value)


class Description:
    """What a function says of itself: summary, text, positional arguments, settings, examples, other sections."""

    __slots__ = ("examples", "name", "path", "positional", "sections", "settings", "summary", "text")

    def __init__(self, name: str, path: str = ""):
        self.name, self.path = name, path
        self.summary = self.text = ""
        self.positional: list[Setting] = []
        self.settings: list[Setting] = []
        self.examples: list[str] = []
        self.sections: dict[str, str] = {}  # lower-case title → text: source, memory, caveats

    @property
    def source(self) -> str:
        return self.sections.get("source", "")

    def setting(self, name: str) -> Setting:
        for setting in self.settings:
            if setting.name == name:
                return setting
        raise KeyError(name)

    @property
    def valid(self) -> list[str]:
        """The names of all settings."""
        return [s.name for s in self.settings]


def _segment(source: str, function: str) -> str:
    """The text of one top-level function: parsing that alone takes a fifth of the time of a whole file."""
    found = re.search(rf"^(?:async )?def {re.escape(function)}\(", source, re.M)
    if not found:
        return ""
    end = re.compile(r"^(?![\s)#])", re.M).search(source, source.find("\n", found.start()) + 1)
    return source[found.start() : end.start() if end else None]


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _function(source: str, path: str, name: str) -> ast.FunctionDef:
    for text in (_segment(source, name), source):
        try:
            tree = ast.parse(text, path)
        except SyntaxError as error:
            if text is source:
                raise Bug(f"{path}: {error}") from None
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return node
    raise Bug(f"{path} has no function {name}: it must be named like its file")


def read_summary(path: str, function: str) -> str:
    """The first line of a function's docstring."""
    return _docstring(_function(_read(path), path, function)).partition("\n")[0].strip()


def _docstring(node: ast.FunctionDef) -> str:
    """Without its indentation; ast's own cleaning would import inspect (3 ms)."""
    return docstring.dedent(ast.get_docstring(node, clean=False) or "")


def read_signature(path: str, function: str | None = None) -> Description:
    """Describes a function of a file; by default the one that is named like the file."""
    import os

    if function is None:
        function = os.path.splitext(os.path.basename(path))[0]
        if function == "__init__":
            function = os.path.basename(os.path.dirname(path))
    source = _read(path)
    node = _function(source, path, function)
    names = _Names(source, path)
    description = Description(function, path)
    description.summary, description.text, sections = docstring.split(_docstring(node))
    told = docstring.settings_help(sections.pop("settings", ""))
    description.examples = docstring.commands(sections.pop("examples", ""))
    description.sections = sections
    positional = node.args.posonlyargs + node.args.args
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(node.args.defaults))
    for parameter, default in zip(positional, [*defaults, *node.args.defaults], strict=True):
        if isinstance(parameter.annotation, ast.Name) and parameter.annotation.id == "Common":
            continue
        setting = _setting(parameter, default, names, told)
        setting.positional = True
        description.positional.append(setting)
    for parameter, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        description.settings.append(_setting(parameter, default, names, told))
    return description


def _setting(parameter: ast.arg, default: ast.expr | None, names: _Names, told: dict[str, str]) -> Setting:
    name = parameter.arg.removesuffix("_")  # from_: a keyword of Python's stands with an underscore
    setting = Setting(name, help=told.get(name, ""))
    if parameter.annotation is not None:
        names.annotate(setting, parameter.annotation)
    if default is not None:
        setting.default = names.value(default)
        setting.optional = setting.optional or setting.default is None
    return setting


class _Names:
    """Resolves the names of annotations and defaults: of `units`, and constants of the file itself."""

    def __init__(self, source: str, path: str):
        self.source, self.path = source, path
        self.constants: dict[str, ast.expr] | None = None

    def constant(self, name: str) -> ast.expr | None:
        if self.constants is None:
            self.constants = {}
            for node in ast.parse(self.source).body:
                if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                    self.constants[node.targets[0].id] = node.value
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                    self.constants[node.target.id] = node.value
        return self.constants.get(name)

    def annotate(self, setting: Setting, node: ast.expr) -> None:
        """Writes what an annotation says into the setting."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = ast.parse(node.value, mode="eval").body
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            for side in (node.left, node.right):
                if isinstance(side, ast.Constant) and side.value is None:
                    setting.optional = True
                else:
                    self.annotate(setting, side)
        elif isinstance(node, ast.Subscript):
            self._subscript(setting, node)
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in units.UNITS:
                setting.unit = units.UNITS[name]
            elif isinstance(node, ast.Name) and (alias := self.constant(name)) is not None:
                self.annotate(setting, alias)

    def _subscript(self, setting: Setting, node: ast.Subscript) -> None:
        name = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name == "Literal":
            setting.choices = tuple(self.value(part) for part in parts)
            return
        if name == "Live":
            setting.live = True
        if name in ("list", "List", "Sequence", "tuple"):
            setting.many = True
        self.annotate(setting, parts[0])
        for extra in parts[1:] if name == "Annotated" else ():
            if isinstance(extra, ast.Call) and getattr(extra.func, "id", getattr(extra.func, "attr", "")) == "Within":
                lo, hi = [self.value(a) for a in extra.args] + [self.value(k.value) for k in extra.keywords]
                setting.within = units.Within(lo, hi)

    def value(self, node: ast.expr) -> Any:
        """A constant expression: literals, signs, arithmetic, float("inf") and constants of the file."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List | ast.Tuple):
            values = [self.value(part) for part in node.elts]
            return values if isinstance(node, ast.List) else tuple(values)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            return -self.value(node.operand) if isinstance(node.op, ast.USub) else self.value(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            return ARITHMETIC[type(node.op)](self.value(node.left), self.value(node.right))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "float" and len(node.args) == 1:
            return float(self.value(node.args[0]))
        if isinstance(node, ast.Name):
            if node.id == "NAN":
                return float("nan")
            if (known := self.constant(node.id)) is not None:
                return self.value(known)
        raise Bug(f"{self.path}:{node.lineno}: a default must be a constant, not {ast.unparse(node)}")


ARITHMETIC = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
    ast.LShift: lambda a, b: a << b,
}
