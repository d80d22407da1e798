"""sp-relay: datagrams of any number of channels → a cache, and on to other groups."""

from __future__ import annotations

from typing import Annotated, Literal

from sptools.cli import entry
from sptools.settings import Common
from sptools.units import File, Place, Seconds, Size, Within


def relay(
    run: Common,
    inputs: list[Place],
    cache: Place,
    *,
    rotate: Size = 64_000_000,
    rotate_time: Seconds = 3600.0,
    keep: Seconds | None = None,
    quota: Size | None = None,
    min_free: Size | None = None,
    publish: list[Place] = [],  # noqa: B006 - read, never changed
    decimated: Place | None = None,
    every: Annotated[int, Within(1, 65536)] | None = None,
    how: Literal["pick", "mean", "minmax", "rms"] = "pick",
    tick: Annotated[Seconds, Within(0, 1)] = 0.002,
    duration: Seconds | None = None,
    stats: File | None = None,
) -> None:
    """Stores what arrives as datagrams, every channel in a folder of its own, and sends it on.

    Senders need not be known: they announce what they send. Blocks are appended as they come, undecoded, to segments that
    any Avro library reads; publishing goes first and never waits for the disk. Lost, repeated, late and malformed
    datagrams are counted for each channel (--stats, -v, SIGUSR1), those that the kernel dropped for each socket.

    A second sender that is alive on a channel is stored as CHANNEL~BOOT. Frames that nobody announces within two seconds
    are kept raw, as CHANNEL.unknown; of datagrams that are no frames ten a second are kept, in relay.bad.

    A full disk does not stop publishing; what could not be stored is counted, and the exit status is 74 at the end.

    Settings:
        rotate: begin a new segment before this one gets longer
        rotate_time: begin a new segment when this one is so old
        keep: delete segments that are older
        quota: keep the cache below this size, by deleting the oldest segments
        min_free: keep so much room free on the disk, by deleting the oldest segments
        publish: send every frame and announcement on to this udp endpoint, unchanged; repeat it for several
        decimated: send fewer rows to this udp endpoint: every so many become one, in streams of their own
        every: how many rows become one
        how: the first of them, their mean, two rows with the minima and maxima, or the root mean square; of text the last
        tick: nap between two looks at the sockets, so that datagrams gather; 0 for the least latency
        duration: stop after this time
        stats: write the final tally, with that of every channel, as JSON into this file
    Examples:
        sp-relay udp://239.255.80.1:26000,iface=lo cache/ --rotate 64MB --keep 2d --duration 0.2s
        sp-relay udp://239.255.80.1:26000,iface=lo cache/ --decimated udp://127.0.0.1:6001 --every 50 --how mean --duration 0.2s
    Memory: streams; 64 MiB may wait for a slow disk.
    """
    from sptools.relay.command import Command

    Command(
        inputs, cache, rotate=rotate, rotate_time=rotate_time, keep=keep, quota=quota, min_free=min_free,
        publish=publish, tick=tick, decimated=decimated, every=every, how=how,
    ).run(duration, stats, run.verbose, run.quiet)  # fmt: skip


main = entry(__file__, family="every")
