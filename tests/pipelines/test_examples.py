"""Every example of README, docstrings and man pages runs as it stands, unquoted, under bash and zsh.

An example is a line of a ```sh block in README.md or docs/, of an `Examples:` section in a docstring, or of EXAMPLES in
a man page. Lines that stand together run one after the other in one folder, which also holds the recordings of
tests/data. What needs a dongle, a network or a sound card is prose: a ```text block.
"""

import ast
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"
SHELLS = {"bash": "PIPESTATUS", "zsh": "pipestatus"}
HARDWARE = re.compile(r"\b(rtlsdr|rtltcp):|\b(aplay|sudo|systemctl|pip|pipx|apt)\b")
TROFF = {
    r"\e": "\\",
    r"\-": "-",
    r"\&": "",
    r"\(ti": "~",
    r"\(aq": "'",
    r"\(dq": '"',
    r"\(ha": "^",
    r"\(ga": "`",
    r"\ ": " ",
}
Group = tuple[str, ...]


def commands(text: str) -> Group:
    """The lines of a piece of shell, continued lines joined, comments and blank lines left out."""
    lines = textwrap.dedent(text).replace("\\\n", " ").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))


def from_markdown(text: str) -> Iterator[Group]:
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield commands(block)


def from_python(text: str) -> Iterator[Group]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            found = re.search(
                r"^( *)Examples:\n((?:\1 +.*\n|\s*\n)+)", (ast.get_docstring(node) or "") + "\n", re.MULTILINE
            )
            if found:
                yield commands(found[2])


def from_mdoc(text: str) -> Iterator[Group]:
    section = re.search(r"^\.Sh EXAMPLES\n(.*?)(?=^\.Sh |\Z)", text, re.MULTILINE | re.DOTALL)
    if not section:
        return
    body = re.sub(r"\\(?:\(..|.)", lambda found: TROFF[found[0]], section[1])
    for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", body, re.MULTILINE | re.DOTALL):
        yield commands(block)
    for line in re.findall(r"^\.Dl (.*)", body, re.MULTILINE):
        yield commands(line)


def collect() -> dict[Group, str]:
    """Group of commands → where it stands. The same group, or one whose lines all ran elsewhere, runs once."""
    sources = [
        (from_python, sorted((ROOT / "sptools").rglob("*.py"))),
        (from_markdown, [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]),
        (from_mdoc, sorted((ROOT / "man").glob("*.1"))),
    ]
    found: dict[Group, str] = {}
    for parse, paths in sources:
        for path in paths:
            for group in parse(path.read_text()):
                seen = {line for other in found for line in other}
                if not seen.issuperset(group):
                    found[group] = f"{path.relative_to(ROOT)}:{len(found)}"
    return found


EXAMPLES = collect()


def run(shell: str, line: str, folder: Path) -> tuple[list[int], str]:
    """Runs one line; gives the status of each stage of its (last) pipeline, and what it said on stderr."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SP_")}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb"}
    script = f"{line}\nprintf '%s ' \"${{{SHELLS[shell]}[@]}}\" > .status"
    done = subprocess.run(
        [shell, "-c", script], cwd=folder, env=environment, timeout=30,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    status = folder / ".status"
    assert status.exists(), f"{shell} cannot read: {line}\n{done.stderr}"
    stages = [int(word) for word in status.read_text().split()]
    status.unlink()
    return stages, done.stderr


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("group", [pytest.param(group, id=where) for group, where in EXAMPLES.items()])
def test_example_runs(group: Group, shell: str, tmp_path: Path):
    for recording in DATA.iterdir():
        (tmp_path / recording.name).symlink_to(recording)
    for line in group:
        stages, said = run(shell, line, tmp_path)
        # 141: `… | head` ends its supplier by SIGPIPE
        assert set(stages) <= {0, 141} and stages[-1] == 0, (line, stages, said)


@pytest.mark.parametrize("line", sorted({line for group in EXAMPLES for line in group}))
def test_example_needs_no_hardware(line: str):
    assert not HARDWARE.search(line), "write it as prose (a ```text block): it cannot run everywhere"


def test_every_tool_has_an_example():
    tools = {f"sp-{path.stem}" for path in (ROOT / "sptools/cmd").glob("[a-z]*.py")}
    used = {word for group in EXAMPLES for line in group for word in line.split()}
    assert tools <= used
