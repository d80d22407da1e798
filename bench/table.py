"""Runs the figures and prints the table. Each file in `figures/` yields `Figure`s from `figures(bench)`."""

import argparse
import importlib
import os
import platform
import tempfile
from pathlib import Path

from figure import Bench, Figure
from measure import Missing

FILES = sorted(path.stem for path in (Path(__file__).parent / "figures").glob("[a-z]*.py"))
COLUMNS = "{:<58} {:>9} {:<7} {:>6} {:>6}  {:<6} {}"


def row(figure: Figure) -> str:
    bounds = [f"{bound:g}" if bound else "" for bound in (figure.must, figure.aim)]
    value = f"{figure.value:.3g}" if figure.value < 100 else f"{figure.value:.0f}"
    return COLUMNS.format(figure.what, value, figure.unit, *bounds, figure.verdict, figure.note).rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench/run", description="Measure the project's figures in one run.")
    parser.add_argument("names", nargs="*", choices=[*FILES, []], help=f"only these: {' '.join(FILES)}", metavar="NAME")
    parser.add_argument(
        "--quick", action="store_true", help="two rounds on signals a tenth as long: shows the way, not the figure"
    )
    given = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}", flush=True)
    print(COLUMNS.format("figure", "measured", "", "must", "aim", "", ""))
    with tempfile.TemporaryDirectory(prefix="sptools-bench-") as folder:
        bench = Bench(Path(folder), rounds=2 if given.quick else 5, scale=0.1 if given.quick else 1.0)
        for name in given.names or FILES:
            try:
                for figure in importlib.import_module(f"figures.{name}").figures(bench):
                    print(row(figure), flush=True)
            except (Missing, RuntimeError) as reason:
                print(f"{name}: not measured, {reason}", flush=True)


if __name__ == "__main__":
    main()
