"""IQ blocks through a pipe: our writer and reader as a share of raw os.write and os.readv, in one run.

One process writes, this one reads; 256 KiB a block, a pipe of 1 MiB. The two ways alternate, so that a busy machine slows
both; the ratio is of the medians. Usage: python bench/avro_pipe.py [rounds [MiB]]
"""

from __future__ import annotations

import os
import statistics
import sys
import time

from sptools import limits, record
from sptools.formats import avro
from sptools.formats.avro import schema
from sptools.transports import file

BLOCK = 256 * limits.KiB


def raw_write(blocks: int) -> None:
    data = bytes(BLOCK)
    for _ in range(blocks):
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]


def raw_read() -> int:
    total = 0
    while got := len(os.read(0, BLOCK)):
        total += got
    return total


def avro_write(blocks: int) -> None:
    sink = avro.write(file.Output("-"))
    sink.put(record.Start(schema.built_in("IQ"), channel="bench"))
    data = bytes(BLOCK)
    for i in range(blocks):
        sink.put(record.IQ(1_700_000_000_000_000_000 + i * 54_613_333, i * BLOCK // 2, 2.4e6, 99.7e6, 20.0, data=data))
    sink.close()


def avro_read() -> int:
    return sum(len(item.data) for item in avro.read(file.Input("-")) if isinstance(item, record.IQ))


def measure(write, read, blocks: int) -> float:
    """Bytes per second, from the first to the last."""
    r, w = os.pipe()
    file._widen(w)
    pid = os.fork()
    if pid == 0:
        os.dup2(w, 1)
        os.close(r)
        os.close(w)
        try:
            write(blocks)
            os._exit(0)
        except BaseException:
            os._exit(70)
    os.close(w)
    os.dup2(r, 0)
    os.close(r)
    begin = time.perf_counter()
    total = read()
    took = time.perf_counter() - begin
    _, status = os.waitpid(pid, 0)
    if status or total != blocks * BLOCK:
        raise SystemExit(f"bench: {total} bytes of {blocks * BLOCK} arrived, the writer ended with {status}")
    return total / took


def main(rounds: int = 9, mib: int = 512) -> float:
    blocks = mib * limits.MiB // BLOCK
    raw, ours = [], []
    for _ in range(rounds):
        raw.append(measure(raw_write, raw_read, blocks))
        ours.append(measure(avro_write, avro_read, blocks))
    ratio = statistics.median(ours) / statistics.median(raw)
    print(
        f"avro pipe, 256 KiB IQ blocks: {statistics.median(ours) / 1e9:.2f} GB/s, raw "
        f"{statistics.median(raw) / 1e9:.2f} GB/s, share {ratio:.0%} (must 60 %, aim 85 %)"
    )
    return ratio


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
