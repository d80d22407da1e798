"""sp-send: any endpoints → the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sptools.cli import entry
from sptools.settings import Common
from sptools.units import File, Place, Size


def send(
    run: Common,
    places: list[Place],
    *,
    spool: File | None = None,
    spool_max: Size = 1_000_000_000,
    when_full: Literal["block", "drop-oldest", "drop-newest"] = "block",
    max_rate: Size | None = None,
    realtime: bool = False,
    print_schema: bool = False,
    fail_fast: bool = False,
) -> None:
    """Sends streams: SRC… DST, like cp; with one place, standard input goes there.

    tcp, tls and unix lose nothing while the peer is there; without a spool its loss ends the program (69). With --spool,
    blocks wait on the disk until the peer says that it has them on its own; it is called again and again, after half
    a second at first, every half a minute at most, and gets everything in order. What a full spool had to drop shows at
    the peer as a gap. A peer that never answers gets the stream as it is. udp delivers at most once, and counts.

    A source of lines needs no schema (jsonl:-): it is inferred from the first object, each field may be null.

    Settings:
        spool: folder that keeps what the peer has not acknowledged, also over a restart; one folder for one program
        spool_max: how much the spool may hold
        when_full: what a full spool does: hold up the source, or drop the oldest or the newest blocks and count them
        max_rate: bytes a second, at most
        realtime: send records when their time has come, counted from the first
        print_schema: print the schema of the source as JSON and stop
        fail_fast: with a spool, end when the peer is not there (69) rather than wait for it
    Examples:
        sp-capture sim:telemetry,pace=0 --duration 1s | sp-send udp://127.0.0.1:26000
        echo '{"time": 1, "pressure_kPa": 101.3}' | sp-send jsonl:- udp://127.0.0.1:26000 --print-schema
        sp-capture sim:fm,pace=0 --duration 0.2s -o x.avro && sp-send x.avro udp://127.0.0.1:26000 --max-rate 10MB
    Memory: streams; the spool is on the disk.
    """
    from sptools import stream
    from sptools.errors import Usage
    from sptools.filter import Pass, drive
    from sptools.pace import Paced, Realtime
    from sptools.spool.sink import Deliver, spooled

    *sources, target = places
    if print_schema:
        show_schema(stream.read_all(sources or ["-"]))
        return
    items = stream.limited(stream.read_all(sources or ["-"]), run)
    step = Realtime() if realtime else Pass()
    if spool:
        sink = spooled(target, spool, spool_max, when_full, fail_fast=fail_fast, rate=max_rate)
        drive(run, "sp-send", Deliver(items, sink), step, sinks=[sink])
        return
    if fail_fast:
        raise Usage("--fail-fast is for --spool: without one the loss of the peer always ends the program")
    output = stream.write(target, through=(lambda o: Paced(o, max_rate)) if max_rate else None)
    drive(run, "sp-send", items, step, sinks=[output])


def show_schema(items: Iterator) -> None:
    """The schema that the source has, or that its first row makes."""
    import json

    from sptools.cli import tell
    from sptools.record import Start

    for item in items:
        if isinstance(item, Start):
            tell(json.dumps(item.schema, indent=1, ensure_ascii=False) + "\n")
            return


main = entry(__file__, family="movers")
