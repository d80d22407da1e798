"""Avro blocks through a pipe, writer and reader on one core, as a share of raw reads and writes."""

import contextlib
import io
import os
from collections.abc import Iterator

import avro_pipe
from figure import Bench, Figure
from measure import pin


def figures(bench: Bench) -> Iterator[Figure]:
    everywhere = os.sched_getaffinity(0)
    said = io.StringIO()
    pin()
    try:
        with contextlib.redirect_stdout(said):
            share = avro_pipe.main(bench.rounds, max(64, round(512 * bench.scale)))
    finally:
        os.sched_setaffinity(0, everywhere)
    yield Figure("avro pipe, 256 KiB IQ blocks, share of a raw pipe", share * 100, "%", 60, 85)
