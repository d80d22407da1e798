"""The simulated station, flat out: the tests live on it."""

from collections.abc import Iterator

from figure import Bench, Figure
from measure import cost, least, own


def figures(bench: Bench) -> Iterator[Figure]:
    seconds = max(5.0, 20 * bench.scale)
    command = [own("sp-capture"), "sim:fm,pace=0", "-s", "2.4M", "--duration", f"{seconds:g}s", "-o", "/dev/null"]
    (used,) = least(bench.rounds, lambda: cost(command))
    yield Figure("sim:fm, 2.4 MS/s", seconds / used, "x RT", 4, 15)
