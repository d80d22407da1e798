"""sp-demod: IQ → audio, messages or IQ."""

from __future__ import annotations

from typing import Literal

from sptools.cli import entry
from sptools.settings import Common
from sptools.units import Hertz, Live, Name, Place


def demod(
    run: Common,
    mode: str,
    inputs: list[Place] = ["-"],  # noqa: B006 - read, never changed
    *,
    freq: Live[list[Hertz]] = [],  # noqa: B006
    fill: Literal["none", "zero"] = "none",
    name: Name | None = None,
    task: Name = "demod",
) -> None:
    """Demodulates IQ: to audio, to messages, or to narrower IQ.

    MODE is one of the demodulators below; each has settings of its own (sp-demod MODE --help).
    A frequency is absolute and may lie anywhere inside the captured band. Given several times, each gets its own output
    channel, named after the frequency.

    A gap in the input resets the demodulator and stays a gap: the output's sample index jumps by as much.

    Settings:
        freq: frequency to listen to; by default what the receiver was tuned for
        fill: what stands in the output for lost input: nothing (the index jumps), or zeros for gaps of up to a minute
        name: name of this node in the channel's name, by default the host's
        task: name of this task in the channel's name
    Examples:
        sp-capture sim:fm,pace=0 --duration 2s | sp-demod wbfm -o fm.wav
        sp-capture sim:nbfm,pace=0 -f 145M -s 1M --duration 2s | sp-demod nbfm -f 145.35M -l 20 -o voice.wav
        sp-capture sim:adsb,pace=0 --duration 1s | sp-demod adsb -t
        sp-capture sim:fm,pace=0 --duration 1s | sp-demod raw -r 240k -o narrow.sigmf-meta
    Memory: does not grow with the length of the input.
    """
    from sptools import registry, sane, stream
    from sptools.channels import Channels
    from sptools.filter import drive
    from sptools.schemas import built_in
    from sptools.source import describe_source, node_name
    from sptools.stage import Stage

    factory = getattr(registry.load("demods", mode), mode)
    settings = dict(run.mode_settings)

    def make(rate: float, datatype: str, offset: float):  # type: ignore[no-untyped-def]
        return factory(rate, datatype, offset, **settings)

    wishes: list[float | None] = [*freq] or [None]
    base = f"{node_name(name)}/{task}"
    stages = [
        Stage(
            make,
            channel=base if len(freq) < 2 else f"{base}/{wanted:.0f}",
            schema=built_in,
            source=describe_source(base, mode=mode),
            freq=wanted,
            fill=fill == "zero",
        )
        for wanted in wishes
    ]
    channels = Channels(stages)

    def change(new: dict) -> None:
        channels.set(new)
        settings.update({k: v for k, v in new.items() if k != "freq"})

    items = sane.finite(stream.limited(stream.read_all(inputs), run, one=True))
    drive(run, "sp-demod", items, channels, inputs=inputs, change=change)


main = entry(__file__, modes="demods")
