"""JetStream, asked over its wire API: streams and consumers as JSON.

Source: NATS ADR-1, JetStream wire API reference; error codes: nats-server, server/errors.json.
"""

from __future__ import annotations

import json
from typing import Any

from sptools import log
from sptools.errors import BadConfig, NoInput, SpError, Unavailable
from sptools.transports._natslink import Place, client_errors

ANSWER_s = 5
S = 10**9  # durations are ns
MAX_AGE_s, MAX_BYTES, DUPLICATES_s = 86_400.0, 10**9, 600.0
NO_CONSUMER, NO_STREAM, TAKEN, OVERLAPS = 10014, 10059, 10058, 10065
NO_ROOM = (10023, 10028, 10047)


class Refused(OSError):
    """What JetStream answers instead of doing it."""

    def __init__(self, error: dict[str, Any]):
        self.code, self.number = error.get("code", 0), error.get("err_code", 0)
        super().__init__(f"{error.get('description', 'no reason given')} ({self.number or self.code})")


async def ask(client: Any, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = json.dumps(body).encode() if body is not None else b""
    try:
        reply = await client.request(f"$JS.API.{what}", data, timeout=ANSWER_s)
    except client_errors().NoRespondersError:
        raise OSError("the server has no JetStream: start it with -js, or give core=true and accept loss") from None
    answer = json.loads(reply.data)
    if "error" in answer:
        raise Refused(answer["error"])
    return answer


async def stream_of(client: Any, subject: str) -> str | None:
    """The stream that keeps a subject."""
    found = (await ask(client, "STREAM.NAMES", {"subject": subject})).get("streams") or []
    return found[0] if found else None


async def for_reading(client: Any, place: Place, wanted: str | None) -> dict[str, Any]:
    """What is known of the stream that is wanted, or keeps the place's subject. Not there: OSError, for it may come."""
    name = wanted or await stream_of(client, place.filter)
    if name is None:
        raise OSError(f"no stream keeps {place.filter}: start a sender first, name a mirror with stream=, or give core=true")
    return await ask(client, f"STREAM.INFO.{name}")


async def for_writing(
    client: Any, place: Place, wanted: str | None, max_age: float | None, max_bytes: int | None
) -> dict[str, Any]:
    """What is known of the stream that keeps the place's subject; it is made where there is none."""
    name = await stream_of(client, place.filter)
    if name is None:
        return await _make(client, place, wanted or place.parts[0], max_age, max_bytes)
    if wanted and name != wanted:
        raise BadConfig(f"{place.name}: {place.filter} is kept by the stream {name}, not by {wanted}: leave stream= out")
    info = await ask(client, f"STREAM.INFO.{name}")
    config = info["config"]
    if (max_age is not None and config["max_age"] != round(max_age * S)) or max_bytes not in (None, config["max_bytes"]):
        log.notice(f"{place.name}: the stream {name} exists and keeps its own limits: change them with nats stream edit {name}")
    return info


async def _make(client: Any, place: Place, name: str, max_age: float | None, max_bytes: int | None) -> dict[str, Any]:
    age = MAX_AGE_s if max_age is None else max_age
    first = place.parts[0]
    config: dict[str, Any] = {
        "name": name,
        "subjects": [first, f"{first}.>"] if name == first else [place.filter],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_age": round(age * S),
        "max_bytes": MAX_BYTES if max_bytes is None else max_bytes,
        "duplicate_window": round(min(DUPLICATES_s, age or DUPLICATES_s) * S),
        "num_replicas": 1,
    }
    subjects = ",".join(config["subjects"])
    command = f"nats stream add {name} --subjects={subjects} --storage=file --discard=new --max-bytes=… --dupe-window=10m"
    try:
        return await ask(client, f"STREAM.CREATE.{name}", config)
    except Refused as e:
        if e.number in (TAKEN, OVERLAPS):
            raise BadConfig(
                f"{place.name}: the stream {name} cannot be made: {e}; add the subject to the one that is there, "
                f"nats stream edit {name} --subjects={subjects}, or name another with stream="
            ) from None
        hint = "give a smaller max_bytes=, or " if e.number in NO_ROOM else ""
        raise BadConfig(f"{place.name}: the stream {name} cannot be made: {e}; {hint}have it made: {command}") from None


async def consumer(client: Any, place: Place, stream: str, name: str, start: int, *, durable: bool) -> dict[str, Any]:
    """Makes a consumer that begins with the message `start`."""
    config: dict[str, Any] = {
        "ack_policy": "explicit",
        "ack_wait": 30 * S,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": max(1, start),
        "filter_subject": place.filter,
        "max_ack_pending": 4096,
        "replay_policy": "instant",
    }
    where = "DURABLE." if durable else ""
    if durable:
        config["durable_name"] = name
    else:
        config["inactive_threshold"] = 60 * S
    path = f"CONSUMER.{where}CREATE.{stream}{'.' + name if durable else ''}"
    try:
        return await ask(client, path, {"stream_name": stream, "config": config})
    except Refused as e:
        raise cannot(place, f"the consumer {name} cannot be made", e) from None


async def durable(client: Any, place: Place, stream: str, name: str, first: int) -> tuple[str, int]:
    """(consumer, last message that it has done with) of a reader that is remembered under `name`.

    What its last life had been given and not done with would come again later than what follows it. So the consumer is
    made anew, at the first message that is not done. Meanwhile a second one, `NAME_resume`, keeps the place: should we
    be killed between the two, the next life finds it.
    """
    spare = f"{name}_resume"
    kept = await _known(client, stream, spare)
    if kept is not None:
        await _remove(client, stream, name)
        info = await consumer(client, place, stream, name, kept["config"]["opt_start_seq"], durable=True)
        await _remove(client, stream, spare)
    else:
        found = await _known(client, stream, name)
        info = found or await consumer(client, place, stream, name, first, durable=True)
    if info["config"].get("filter_subject", place.filter) != place.filter or info["config"].get("deliver_subject"):
        raise BadConfig(f"{place.name}: {name} exists for something else: take another name, or nats consumer rm {stream} {name}")
    done = max(info["ack_floor"]["stream_seq"], info["config"].get("opt_start_seq", 1) - 1)
    if info["num_ack_pending"]:
        await consumer(client, place, stream, spare, done + 1, durable=True)
        await _remove(client, stream, name)
        await consumer(client, place, stream, name, done + 1, durable=True)
        await _remove(client, stream, spare)
    return name, done


async def _known(client: Any, stream: str, name: str) -> dict[str, Any] | None:
    try:
        return await ask(client, f"CONSUMER.INFO.{stream}.{name}")
    except Refused as e:
        if e.number == NO_CONSUMER:
            return None
        raise OSError(str(e)) from None


async def _remove(client: Any, stream: str, name: str) -> None:
    try:
        await ask(client, f"CONSUMER.DELETE.{stream}.{name}")
    except Refused as e:
        if e.number != NO_CONSUMER:
            raise OSError(str(e)) from None


def cannot(place: Place, what: str, e: Refused) -> SpError | OSError:
    if e.code == 503:
        return OSError(str(e))
    if e.number == NO_STREAM:
        return NoInput(f"{place.name}: {what}: {e}")
    return Unavailable(f"{place.name}: {what}: {e}")
