"""sp-cat: any endpoints → any endpoint or format."""

from __future__ import annotations

from sptools.cli import entry
from sptools.settings import Common
from sptools.units import Place


def cat(
    run: Common,
    inputs: list[Place] = ["-"],  # noqa: B006 - read, never changed
    *,
    info: bool = False,
    gaps: bool = False,
    check: bool = False,
) -> None:
    """Copies streams: from any endpoints, one after the other, to any endpoint or format.

    A cache, as sp-relay fills it, is an endpoint too: sp-cat cache/ reads it, or with --since, --until, --last and --channel
    only the blocks that hold what is asked for.

    What a stream is, --info says; what it lost, --gaps lists; whether its bytes are sound, --check tells. With -j these
    reports are JSON lines.

    Settings:
        info: say of each channel what it holds: records, rate, frequency, time range, losses
        gaps: list the losses, one a line: channel, sample, time, how much
        check: read every block of a container, or of a cache against its checksums, and report damage by place; exit 65 if
            there is any
    Examples:
        sp-capture sim:fm,pace=0 --duration 1s -o fm.avro && sp-cat fm.avro --info
        sp-capture sim:fm,pace=0,lose=2 --duration 1s | sp-cat --gaps
        sp-capture sim:tone,pace=0 -s 1M --duration 1s | sp-cat -o tone.cu8
        sp-capture sim:telemetry,pace=0 --duration 2s | sp-cat -j
    Memory: does not grow with the length of the input.
    """
    from sptools import log, stream
    from sptools.filter import Pass, drive

    if check:
        from sptools.check import check as lines_of
        from sptools.cli import tell

        for line in lines_of(inputs, run.json):
            tell(f"{log.escape(line)}\n")
        return
    items = stream.limited(stream.read_all(inputs), run)
    if info or gaps:
        from sptools.lines import Lines
        from sptools.report import Report

        report = Report(info=info, gaps=gaps, as_json=run.json)
        drive(run, "sp-cat", items, report, sinks=[Lines()])  # type: ignore[arg-type]
        return
    drive(run, "sp-cat", items, Pass(), inputs=inputs)


main = entry(__file__)
