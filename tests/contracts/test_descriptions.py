"""Whatever the registry names describes itself: a summary, help for each setting, examples for what has a command line."""

import pytest

from sptools import registry
from sptools.errors import Usage

THINGS = [
    (kind, name, function)
    for kind in ("cmd", "demods", "drivers", "drivers/sim", "formats")
    for name in registry.names(kind)
    for function in (("read", "write") if kind == "formats" else (name,))
]


def offered(kind, name, function):
    return kind != "formats" or f"\ndef {function}(" in open(registry.find(kind, name)).read()


THINGS = [thing for thing in THINGS if offered(*thing)]


def describe(kind, name, function):
    return registry.describe(kind, name, function)


@pytest.mark.parametrize("kind, name, function", THINGS)
def test_says_what_it_is(kind, name, function):
    description = describe(kind, name, function)
    assert description.summary
    if kind in ("cmd", "demods", "drivers"):  # stands in a list, in one line
        assert description.summary.endswith("."), description.summary
    for setting in description.settings if kind != "drivers/sim" else ():  # stations: sim itself tells
        assert setting.help, f"{setting.name} has no help"
        assert not setting.help.endswith("."), setting.name


@pytest.mark.parametrize("kind, name, function", [t for t in THINGS if t[0] in ("cmd", "demods")])
def test_has_an_example(kind, name, function):
    examples = describe(kind, name, function).examples
    assert examples and all("sp-" in line for line in examples)
    assert kind == "cmd" or any(f"sp-demod {name}" in line for line in examples)


@pytest.mark.parametrize("kind, name, function", THINGS)
def test_a_default_is_what_its_own_parser_gives(kind, name, function):
    """The default in the signature, written as text and parsed, is itself: one parser for everything."""
    for setting in describe(kind, name, function).settings:
        value = setting.default
        if value is None or setting.required or value == [] or not setting.takes_value:
            continue
        again = setting.parse(setting.format(value))
        assert again == value or (again != again and value != value), setting.name


@pytest.mark.parametrize("kind, name, function", THINGS)
def test_a_value_outside_its_range_is_refused_by_name(kind, name, function):
    for setting in describe(kind, name, function).settings:
        if setting.within:
            with pytest.raises(Usage, match=f"{setting.name}.*outside"):
                setting.parse(setting.within.hi * 2 + 1)
        if setting.choices:
            with pytest.raises(Usage, match=f"{setting.name}.*not one of"):
                setting.parse("nosuchchoice")
