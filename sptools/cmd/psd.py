"""sp-psd: IQ → averaged power spectra."""

from __future__ import annotations

from typing import Annotated, Literal

from sptools.cli import entry
from sptools.settings import Common
from sptools.units import Hertz, Name, Place, Seconds, Within


def psd(
    run: Common,
    inputs: list[Place] = ["-"],  # noqa: B006 - read, never changed
    *,
    bins: Annotated[int, Within(8, 1 << 20)] = 1024,
    rbw: Hertz | None = None,
    interval: Seconds = 1.0,
    window: Literal["hann", "blackmanharris", "flattop", "rect"] = "hann",
    detector: Literal["mean", "peak", "min"] = "mean",
    overlap: Annotated[float, Within(0.0, 0.9)] = 0.0,
    crop: Annotated[float, Within(0.0, 0.9)] = 0.0,
    dc: Literal["keep", "interpolate"] = "keep",
    stitch: bool = False,
    name: Name | None = None,
    task: Name = "psd",
) -> None:
    """Averages power spectra of IQ, like rtl_power.

    Each spectrum covers --interval of samples and says its noise bandwidth, its window, its detector and how many
    transforms went into it. Levels are densities in dBFS/Hz, where a full-scale complex tone has a power of 0 dBFS.

    A gap ends an interval early: no spectrum averages across lost samples. Where the receiver sweeps (sp-capture
    --sweep), each stay on a frequency gives a spectrum of its own; --stitch joins those of one round.

    Settings:
        bins: bins of a spectrum
        rbw: choose the bins for at most this noise bandwidth instead; the number of bins is a power of two
        interval: average so long
        window: window function
        detector: mean power, or the largest or smallest of the interval
        overlap: share of a transform that the next one uses again
        crop: leave out this share of the bins, half at each edge, where the receiver's filter falls off
        dc: replace the receiver's DC spike by what stands beside it
        stitch: join the spectra of one round of a sweep into one
        name: name of this node in the channel's name, by default the host's
        task: name of this task in the channel's name
    Examples:
        sp-capture sim:fm,pace=0 --duration 2s | sp-psd -t
        sp-capture sim:tone,pace=0 -s 1M --duration 2s | sp-psd --bins 4096 --window blackmanharris -o tone.csv
        sp-capture sim:fm,pace=0 --sweep 98M:102M:2M --dwell 20ms --rounds 1 | sp-psd --interval 20ms --crop 0.2 --stitch -t
    Memory: does not grow with the length of the input; with --stitch one round is held.
    """
    from sptools import sane, stream
    from sptools.filter import drive
    from sptools.source import describe_source, node_name
    from sptools.spectra import Spectra

    channel = f"{node_name(name)}/{task}"
    step = Spectra(
        channel, describe_source(channel), bins=bins, rbw=rbw, interval=interval, window=window, detector=detector,
        overlap=overlap, crop=crop, dc=dc, stitch=stitch,
    )  # fmt: skip
    items = sane.finite(stream.limited(stream.read_all(inputs), run, one=True))
    drive(run, "sp-psd", items, step, inputs=inputs)


main = entry(__file__)
