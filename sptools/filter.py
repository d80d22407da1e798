"""What all filters share: the outputs that were asked for, the tally, the last line, live settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sptools import cut, log, stream
from sptools.errors import SpError
from sptools.record import Item
from sptools.run import Run, Step
from sptools.settings import paths
from sptools.tally import Tally


class Pass:
    """The step that changes nothing."""

    def feed(self, item: Item) -> Iterator[Item]:
        yield item

    def finish(self) -> Iterator[Item]:
        yield from ()


class Limit:
    """Ends a run after `n` samples or records of output (-n), by telling the source to stop."""

    def __init__(self, step: Step, n: int):
        self.step, self.left = step, n
        self.full = False

    def feed(self, item: Item) -> Iterator[Item]:
        if not self.full:
            yield from self._cut(self.step.feed(item))

    def finish(self) -> Iterator[Item]:
        if not self.full:
            yield from self._cut(self.step.finish())

    def _cut(self, items: Iterator[Item]) -> Iterator[Item]:
        for item in items:
            kept, used = cut.head(item, self.left)
            self.left -= used
            yield kept
            if not self.left:
                self.full = True
                return


def until_full(items: Iterator[Item], limit: Limit) -> Iterator[Item]:
    """Reads on only while the limit wants more."""
    try:
        for item in items:
            yield item
            if limit.full:
                return
    finally:
        close = getattr(items, "close", None)
        if close:
            close()


def drive(
    common: Any,
    tool: str,
    items: Iterator[Item],
    step: Step,
    *,
    sinks: list[Any] | None = None,
    inputs: Iterable[str] = (),
    stop: Callable[[], None] | None = None,
    change: Callable[[dict], None] | None = None,
    facts: Callable[[], dict] = dict,
) -> None:
    """Runs `items` through `step` into the outputs of the command line (or `sinks`), to the end. `inputs`: what is read.

    `change(settings)` applies live settings that SIGHUP found changed; `facts()` adds to the tally at the end.
    """
    tally = Tally()
    origin = getattr(items, "origin", None)
    if common.stats:
        tally.write(common.stats, tool=tool, state="running")  # a place that cannot be written is found before the work
    sinks = stream.outputs(common, inputs) if sinks is None else sinks
    if common.count is not None:
        step = limit = Limit(step, common.count)
        items = until_full(items, limit)

    opened = list(sinks)

    def report() -> None:
        for sink in opened:
            for key, value in getattr(sink, "notes", {}).items():
                tally.add(key, value)
        for key, value in {**getattr(origin, "notes", {}), **facts()}.items():
            tally.put(key, value)
        if common.stats:
            try:
                tally.write(common.stats, tool=tool, state="ended")
            except SpError as error:  # the samples matter more than their count
                log.error(str(error))
        if tally.losses and not common.quiet:
            log.warning(tally.line())
        elif common.verbose:
            log.info(tally.line())

    def reload() -> None:
        changed = common.reload()
        said = common.said(changed)
        if changed and change:
            change(changed)
            log.info(f"changed {said}")
        if later := common.later():
            log.warning(f"{', '.join(later)}: takes effect at the next start")

    configured = any(map(os.path.exists, paths(common.config)))  # else there is nothing to read again
    counted = stream.Counted(items, tally)
    Run(
        counted, step, sinks, tally, stop=stop, reload=reload if configured else None, say=log.info,
        warn=log.warning, report=report,
    )()  # fmt: skip
