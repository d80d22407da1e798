"""sp-capture: a receiver → IQ blocks."""

from __future__ import annotations

from sptools.cli import entry
from sptools.errors import BadConfig, Usage
from sptools.settings import Common
from sptools.units import PPM, Gain, Hertz, Live, Name, Offset, Range, Rate, Seconds


def capture(
    run: Common,
    source: str = "",
    *,
    freq: Live[Hertz] | None = None,
    rate: Rate | None = None,
    gain: Live[Gain] | None = None,
    ppm: Live[PPM] | None = None,
    offset: Offset = 0.0,
    bias_tee: bool = False,
    sweep: Range | None = None,
    dwell: Seconds = 0.1,
    rounds: int = 0,
    buffer: Seconds = 4.0,
    name: Name | None = None,
    task: Name = "capture",
    latitude: float | None = None,
    longitude: float | None = None,
    list: bool = False,
) -> None:
    """Reads a receiver and writes its samples as framed, timed IQ blocks.

    SOURCE names a driver and what it opens: a dongle, an rtl_tcp server, a recording, or a simulated station.
    Every block carries the frequency, rate, gain and time of its samples and the index of the first one since the start,
    lost ones counted. So a loss, a retune or a step of the clock can be seen in the stream itself.

    What a live receiver delivers is never blocked. Where the next program is too slow, a ring of --buffer drops the
    newest blocks; the index then jumps, and the last line (-v) says how much was lost. A recording, and a simulator with
    pace=0, wait instead and lose nothing.

    Settings:
        freq: frequency to tune to
        rate: sample rate
        gain: tuner gain, or auto
        ppm: correction of the receiver's crystal
        offset: tune so far beside --freq, to keep the receiver's DC spike away; sp-demod still finds --freq by itself
        bias_tee: power the antenna's amplifier through the cable
        sweep: hop over a range of frequencies instead, in these steps
        dwell: stay so long on each frequency of a sweep
        rounds: end after so many rounds of a sweep; 0 goes on for ever
        buffer: how much a slow reader may fall behind before blocks are dropped
        name: name of this node in the channel's name, by default the host's
        task: name of this task in the channel's name
        latitude: where the antenna stands, degrees north; noted in the header
        longitude: where the antenna stands, degrees east; noted in the header
        list: show the devices that can be opened, and end
    Examples:
        sp-capture sim:fm,pace=0 --duration 2s | sp-demod wbfm -o fm.wav
        sp-capture sim:tone,pace=0 -s 1M -n 1000000 -o tone.sigmf-meta
        sp-capture sim:fm,pace=0 --sweep 98M:102M:2M --dwell 20ms --rounds 1 | sp-cat --info
    Memory: does not grow with the length of the input; at most --buffer of samples is held.
    """
    from sptools import receiver

    if list:
        for line in receiver.list_devices():
            print(line)
        return
    if not source:
        raise Usage("which receiver? sp-capture rtlsdr:0, or sim:fm, or --list to see what there is")
    from sptools.drivers._ring import Ring
    from sptools.filter import Pass, drive
    from sptools.hop import Hopper
    from sptools.schemas import built_in
    from sptools.source import Blocks, Stamped, Stoppable, node_name
    from sptools.stream import limited

    settings = dict(run.mode_settings)
    wanted = sweep[0] if sweep else freq
    if wanted is not None:
        settings["freq"] = wanted
    asked = [flag for flag in ("freq", "rate", "gain", "ppm", "bias_tee") if run.given(flag)]
    device = receiver.open_receiver(run.endpoint, settings, asked)
    if offset and not sweep:
        device.set(freq=device.freq + offset)
    if sweep:
        low, high, step = sweep
        hops = [low + i * step for i in range(int((high - low) / step + 1e-9) + 1)]
        device = Hopper(device, hops, dwell, offset=offset, rounds=rounds)
    stamped = Stamped(device)
    ring = Ring(stamped, buffer) if device.live else Stoppable(stamped)
    place = {"latitude": latitude, "longitude": longitude}
    blocks = Blocks(ring, f"{node_name(name)}/{task}", built_in, lambda f: None if sweep else f - offset, **place)

    def change(settings: dict) -> None:
        if gone := [name for name, value in settings.items() if value is None]:
            raise BadConfig(f"{', '.join(gone)} is no longer in the configuration: it stays as it was")
        if "freq" in settings:
            settings["freq"] += offset
        ring.set(**settings)

    def facts() -> dict:
        return {"dropped": ring.dropped, "queue_s": round(ring.queue_s, 3)} if device.live else {}

    try:
        drive(run, "sp-capture", limited(iter(blocks), run), Pass(), stop=ring.stop, change=change, facts=facts)
    finally:
        ring.close()


main = entry(__file__, drivers=True)
