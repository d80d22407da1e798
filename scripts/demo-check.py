"""Checks what scripts/demo made and says it in one line; exits 1 with the reason where it is not what it should be.

python scripts/demo-check.py fm.wav|voice.wav|aircraft.jsonl|station.sigmf-meta|spectrum.csv
"""

import csv
import hashlib
import json
import sys
import wave
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
from sinad import sinad


def need(condition: bool, fact: str) -> None:
    if not condition:
        sys.exit(f"demo: not as it should be: {fact}")


def audio(path: Path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as file:
        need(file.getnchannels() == 1 and file.getsampwidth() == 2, "16-bit mono")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()


def fm(path: Path) -> str:
    """The station's programme is a 1 kHz tone."""
    heard, rate = audio(path)
    quality = sinad(heard, rate)
    said = f"{len(heard) / rate:.3f} s of broadcast FM, its 1 kHz tone at a SINAD of {quality:.1f} dB"
    need(len(heard) == 10 * rate and quality >= 70, f"{said}, want 10 s and 70 dB")
    return said


def voice(path: Path) -> str:
    """A voice that pauses; the squelch makes the pauses digital silence."""
    heard, rate = audio(path)
    tenths = heard[: len(heard) // (rate // 10) * (rate // 10)].reshape(-1, rate // 10)
    quiet = np.mean(~tenths.any(axis=1))
    level = np.sqrt(np.mean((tenths[tenths.any(axis=1)] / 32768.0) ** 2)) if quiet < 1 else 0.0
    said = f"{len(heard) / rate:.3f} s of a voice channel 350 kHz off centre, silent for {quiet:.0%} of it"
    need(0.1 < quiet < 0.9 and level > 0.01, f"{said}, level {level:.3f}; want pauses and speech")
    return said


def aircraft(path: Path) -> str:
    """A real recording of 89 ms."""
    with path.open() as file:
        messages = [json.loads(line) for line in file]
    sound = [
        message for message in messages if message["valid"] in ("crc", "inferred")
    ]  # inferred: CRC over the address
    planes = {message["icao"] for message in sound}
    named = {message["callsign"].strip() for message in messages if "callsign" in message}
    said = f"{len(sound)} messages of a real aircraft: {', '.join(planes)}, flight {', '.join(named)}, every CRC good"
    need(
        len(sound) == len(messages) >= 159 and planes == {"4D2023"} and named == {"AMC421"}, f"{said}, want 159 or more"
    )
    return said


def station(path: Path) -> str:
    """A SigMF recording: description, data and its hash."""
    meta = json.loads(path.read_text())
    data = path.with_suffix(".sigmf-data").read_bytes()
    known = meta["global"]
    seconds = len(data) / 2 / known["core:sample_rate"]
    said = f"SigMF, {seconds:.3f} s at {known['core:sample_rate'] / 1e6:g} MS/s, {known['core:datatype']}, hash good"
    need(known["core:datatype"] == "cu8" and seconds == 2, f"{said}, want 2 s of cu8")
    need(hashlib.sha512(data).hexdigest() == known["core:sha512"], "the hash of the data")
    return said


def spectrum(path: Path) -> str:
    """A carrier of −10 dBFS 100 kHz above the centre; a row is date, time, low, high, step, n, dB…"""
    with path.open() as file:
        row = [float(cell) for cell in next(csv.reader(file))[2:]]
    low, high, step, bins = row[0], row[1], row[2], np.array(row[4:])
    peak = int(np.argmax(bins))
    freq = low + peak * step
    level = 10 * np.log10(np.sum(10 ** (bins[peak - 4 : peak + 5] / 10)) * step)
    said = f"{len(bins)} bins from {low / 1e6:g} to {high / 1e6:g} MHz, peak {level:.1f} dBFS at {freq / 1e6:.3f} MHz"
    need(abs(freq - 434.02e6) <= step and abs(level + 10) < 0.2, f"{said}, want -10 dBFS at 434.020 MHz")
    return said


CHECKS = {check.__name__: check for check in (fm, voice, aircraft, station, spectrum)}

if __name__ == "__main__":
    product = Path(sys.argv[1])
    print(f"{product}: {CHECKS[product.name.partition('.')[0]](product)}")
