"""Several stages side by side on one input, each with an output channel of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from sptools.errors import Usage
from sptools.record import Item, Start
from sptools.stage import Stage


class Channels:
    """Feeds every stage with every item. Where the output turns from one channel to another, a header says so."""

    def __init__(self, stages: list[Stage]):
        self.stages = stages
        self.starts: dict[str, Start] = {}
        self.told: Stage | None = None  # whose channel the output is in

    def feed(self, item: Item) -> Iterator[Item]:
        return self._all([stage.feed(item) for stage in self.stages])

    def finish(self) -> Iterator[Item]:
        return self._all([stage.finish() for stage in self.stages])

    def _all(self, outputs: list[Iterator[Item]]) -> Iterator[Item]:
        if len(outputs) == 1:  # nothing to mark; dense traffic takes the short way
            return outputs[0]
        return chain.from_iterable(map(self._mark, self.stages, outputs))

    def _mark(self, stage: Stage, items: Iterator[Item]) -> Iterator[Item]:
        for item in items:
            if isinstance(item, Start):
                self.starts[stage.channel] = item
            elif stage is not self.told and self.told is not None:
                # the number of this block; the stage has counted it already
                yield replace(self.starts[stage.channel], first=stage.number - 1)
            self.told = stage
            yield item

    def set(self, settings: dict) -> None:
        """Live settings for all stages; as many frequencies as there are stages."""
        settings = dict(settings)
        freqs = settings.pop("freq", None)
        if freqs is not None and len(freqs) != len(self.stages):
            raise Usage(f"{len(self.stages)} frequencies are running, {len(freqs)} given: restart to change their number")
        for i, stage in enumerate(self.stages):
            stage.set(**settings, **({"freq": freqs[i]} if freqs else {}))
