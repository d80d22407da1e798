"""Imports go down, a third-party library has one door, and help imports nothing heavy (L8)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sptools
from sptools import registry

HOME = Path(sptools.__file__).parent

# Each top-level module or folder has its floor. One that is not named here has none yet: give it one.
FLOORS = {
    0: "errors units instant docstring describe settings flags url registry log limits interface slips",
    1: "schemas record codecs clock continuity cut render",
    2: "formats transports drivers dsp",
    3: """stream stage sane progress tally source receiver hop channels spectra lines report signals check places cache spool
          merge pace""",
    4: "run filter relay",
    5: "cli",
    6: "cmd",
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names.split()}

# library → the file or folder that may import it
DOORS = {
    "typer": "cli.py", "fastavro": "formats/avro/", "h5py": "formats/hdf5.py", "rtlsdr": "drivers/rtlsdr.py",
    "scipy": "dsp/", "tqdm": "progress.py", "zstandard": "codecs.py", "zlib": "codecs.py", "isal": "codecs.py",
    "bz2": "codecs.py", "lzma": "codecs.py", "nats": "transports/_natslink.py",
}  # fmt: skip
EVERYWHERE = {"numpy"}
HEAVY = ("numpy", "scipy", "h5py", "fastavro", "rtlsdr", "fastapi", "pydantic", "typer", "zstandard", "tqdm", "nats")
FILES = sorted(path for path in HOME.rglob("*.py"))


def imports(path: Path) -> list[str]:
    """Absolute dotted names of everything that a file imports, wherever the import stands."""
    package = ["sptools", *path.relative_to(HOME).parts[:-1]]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{module}.{alias.name}" for alias in node.names]
    return found


def room(dotted: str) -> str:
    """`sptools.formats.wav.read` → `formats`; the package itself (its version) is errors' equal."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and not parts[1].startswith("__") else "errors"


def ours(path: Path) -> str:
    return path.relative_to(HOME).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOME)))
def test_imports_go_down(path):
    own = ours(path)
    if own == "__init__":
        return
    assert own in FLOOR, f"{own} has no floor: name it in FLOORS"
    for name in imports(path):
        if name.split(".")[0] != "sptools":
            continue
        other = room(name)
        if other == own or other == "errors":
            continue
        assert other in FLOOR, f"{own} imports {name}, which has no floor"
        same_allowed = FLOOR[own] != 2 and path.parent == HOME  # floor 2: siblings never import one another
        assert FLOOR[other] < FLOOR[own] or (same_allowed and FLOOR[other] == FLOOR[own]), f"{own} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOME)))
def test_a_library_has_one_door(path):
    where = str(path.relative_to(HOME))
    for name in imports(path):
        library = name.split(".")[0]
        if library in ("sptools", "__future__"):
            continue
        if library in DOORS:
            door = DOORS[library]
            assert where == door or (door.endswith("/") and where.startswith(door)), f"{where} imports {library}"
            if library == "scipy":
                assert not name.startswith("scipy.signal"), "scipy.signal costs 0.6 s: the tests' oracle only"
        elif library in EVERYWHERE:
            assert FLOOR.get(ours(path), 9) >= 1, f"{where} is on floor 0 and imports {library}"
        else:
            assert library in sys.stdlib_module_names, f"{where} imports {library}, which has no door"


def test_formats_and_drivers_do_not_import_their_siblings():
    """One file adds one thing, so it may not lean on another; what they share starts with `_`."""
    for folder in ("formats", "drivers", "transports", "dsp/demods"):
        names = registry.names("demods" if folder == "dsp/demods" else folder)
        prefix = "sptools." + folder.replace("/", ".")
        for path in (HOME / folder).rglob("*.py"):
            own = path.relative_to(HOME / folder).parts[0].removesuffix(".py")
            for name in imports(path):
                for other in names:
                    lent = name == f"{prefix}.{other}" or name.startswith(f"{prefix}.{other}.")
                    assert other == own or not lent, f"{path} imports {name}"


def helps() -> list[list[str]]:
    """Every `--help` that there is: of each tool, demodulator and receiver."""
    found = [[tool, "--help"] for tool in registry.names("cmd")]
    found += [["demod", mode, "--help"] for mode in registry.names("demods")]
    return found + [["capture", f"{driver}:", "--help"] for driver in registry.names("drivers")]


@pytest.mark.parametrize("words", helps(), ids=" ".join)
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys\n"
        f"from sptools.cmd.{words[0]} import main\n"
        f"try: main({words[1:]!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "[]\n"
    assert done.stdout.startswith(f"sp-{words[0]}") and "Exit status:" in done.stdout


# what a driver and sp-capture both have is one and the same setting
SHARED = {"freq", "rate", "gain", "ppm", "bias_tee"}


@pytest.mark.parametrize("name", registry.names("drivers"))
def test_a_drivers_keys_do_not_take_the_flags_of_capture(name):
    from sptools.interface import of_tool

    flags = {s.name for s in of_tool("capture").known}
    assert set(registry.describe("drivers", name).valid) & flags <= SHARED
