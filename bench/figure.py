"""What a figure is, and what its file in `figures/` gets to work with."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Figure(NamedTuple):
    """One row of the table. `must` and `aim` as the project's list of figures has them; 0: no bound."""

    what: str
    value: float
    unit: str
    must: float = 0.0
    aim: float = 0.0
    less_is_better: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        def reaches(bound: float) -> bool:
            return self.value <= bound if self.less_is_better else self.value >= bound

        if not self.must:
            return ""
        return "aim" if reaches(self.aim) else "must" if reaches(self.must) else "SHORT"


@dataclass
class Bench:
    """`folder`: scratch space for signals, gone afterwards. `rounds`: how often own and peer take turns.

    `scale`: length of the signals, 1 for a full run.
    """

    folder: Path
    rounds: int
    scale: float
