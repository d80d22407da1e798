"""A link to a NATS server, made anew whenever it breaks, on a loop in a thread of its own.

The client library's own reconnecting is not used: it sends what it had gathered before anybody can repeat what came
before that. Here every link is a new client, and who uses it repeats in order.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import re
import select
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any

from sptools import log
from sptools.errors import BadConfig, Bug, NoInput, NoPermission, SpError, Unavailable, Usage
from sptools.transports._block import blocking

PLACE = re.compile(r"//(?P<host>\[[0-9A-Fa-f:.%]+\]|[^/:\[\]@]+)(?::(?P<port>[0-9]+))?/(?P<subject>.+)")
TOKEN = re.compile(r"[^\s.*>\x00-\x1f\x7f/]+")
CONNECT_s = 3
PING_s = 5  # a server that vanished is noticed after three
PAUSE_s, LONGEST_PAUSE_s = 0.1, 2.0
CLOSE_s = 1.0


class Place:
    """What an endpoint says: where the server is, the subject, and how to be let in."""

    def __init__(self, place: str, creds: str | None, tls: bool, ca: str | None, wait: float):
        found = PLACE.fullmatch(place)
        if not found:
            raise Usage(f"nats:{place}: write nats://HOST/SUBJECT/PARTS, for example nats://hub/sptools/site-01/iq")
        self.tree = found["subject"].endswith("/")
        parts = found["subject"].rstrip("/").split("/")
        for part in parts:
            if not TOKEN.fullmatch(part):
                raise Usage(f"nats:{place}: {part!r} cannot be a part of a subject: no dots, spaces, * or >; parts end with /")
        port = int(found["port"] or 4222)
        if not 0 < port < 65536:
            raise Usage(f"nats:{place}: port {port} is not between 1 and 65535")
        self.parts = parts
        self.subject = ".".join(parts)
        self.filter = self.subject + ".>" if self.tree else self.subject
        self.server = f"{'tls' if tls else 'nats'}://{found['host']}:{port}"
        self.name = f"nats:{place}"
        self.wait = wait
        if ca and not tls:
            raise Usage(f"{self.name}: ca= goes with tls=true")
        self.options = {**credentials(creds), **(_tls(ca) if tls else {})}


def credentials(path: str | None) -> dict[str, str]:
    """How to be let in, as options of the client; the environment is asked where no file is named."""
    env = os.environ
    path = path or env.get("NATS_CREDS")
    if not path:
        if env.get("NATS_TOKEN"):
            return {"token": env["NATS_TOKEN"]}
        if env.get("NATS_USER"):
            return {"user": env["NATS_USER"], "password": env.get("NATS_PASSWORD", "")}
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(65536).strip()
    except (OSError, ValueError) as error:
        raise NoInput(f"creds={path}: {getattr(error, 'strerror', None) or error}") from None
    if "BEGIN NATS USER JWT" in text:
        _can_sign(path)
        return {"user_credentials": path}
    if re.fullmatch(r"SU[A-Z2-7]{56}", text):
        _can_sign(path)
        return {"nkeys_seed_str": text}
    if not text or "\n" in text:
        raise BadConfig(f"creds={path} holds no credentials: those of nsc, an NKey seed, user:password, or a token")
    user, colon, password = text.partition(":")
    return {"user": user, "password": password} if colon else {"token": text}


def _tls(ca: str | None) -> dict[str, Any]:
    import ssl

    try:
        return {"tls": ssl.create_default_context(cafile=ca)}
    except (OSError, ValueError) as error:
        raise BadConfig(f"ca={ca}: {getattr(error, 'strerror', None) or error}") from None


def client_errors() -> Any:
    """What the client raises. It is imported where it is needed, since that takes 80 ms."""
    import nats.errors

    return nats.errors


class Bell:
    """One thread rings, another waits. A wait in the main thread can be ended by a signal's deadline."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def ring(self) -> None:
        if self.fd >= 0:
            os.eventfd_write(self.fd, 1)

    def wait(self, seconds: float | None = None) -> None:
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        with blocking() if threading.current_thread() is threading.main_thread() else nullcontext():
            poll.poll(None if seconds is None else max(0, seconds) * 1000)
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            pass

    def close(self) -> None:
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)


class Connection:
    """A client, and whether its server is still there. `wake` is set whenever something may have to be done."""

    def __init__(self, client: Any):
        self.client, self.lost, self.wake = client, False, asyncio.Event()

    async def pause(self, seconds: float) -> None:
        """Until something has to be done, at most so long."""
        try:
            await asyncio.wait_for(self.wake.wait(), seconds)
        except TimeoutError:
            pass
        self.wake.clear()


class Link:
    """`session(connection)` runs once a connection: it returns, or raises, when that is lost or `closing`.

    It calls `opened` when it has what it needs; the first time must come within `wait` seconds.
    """

    def __init__(self, place: Place, session: Callable[[Connection], Awaitable[None]]):
        self.place, self.name, self._session = place, place.name, session
        self.bell = Bell()
        self.problem: SpError | None = None
        self.ready = False
        self.closing = False
        self.links = 0
        self._why = ""
        self._told = False
        self._since = time.monotonic()
        self._connection: Connection | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name="nats", daemon=True)

    def open(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Returns when the first session has begun, or it is `stopped`; raises what keeps it from that."""
        self._thread.start()
        try:
            while not self.ready and not stopped():
                self.check()
                self.bell.wait(1)
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        if self.problem:
            raise self.problem

    def wake(self) -> None:
        """Has the session look at what it shares with the caller. Any thread, and a signal's handler."""
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            pass  # closed

    def close(self) -> None:
        """Ends the session, which has a second for its last words."""
        self.closing = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join(2 * CLOSE_s)
        if not self._thread.is_alive():
            self.bell.close()

    # ------------------------------------------------------------ in the loop's thread
    def opened(self) -> None:
        self.links += 1
        if self._told:
            log.notice(f"{self.name}: connected again")
        self.ready, self._told = True, False
        self.bell.ring()

    def fail(self, problem: SpError) -> None:
        self.problem = self.problem or problem
        self._wake()
        self.bell.ring()

    def broke(self, why: str) -> None:
        """The session must begin anew, though the server is there."""
        self._why = why
        if self._connection:
            self._connection.lost = True
        self._wake()

    def _wake(self) -> None:
        if self._connection:
            self._connection.wake.set()

    def _turn(self) -> None:
        import logging

        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it warns of every TLS connection that ends
        try:
            self._loop.run_until_complete(self._run())
        except Exception as error:
            self.problem = self.problem or Bug(f"{self.name}: {error!r}")
        finally:
            self._loop.close()
            self.bell.ring()

    async def _run(self) -> None:
        pause = PAUSE_s
        while not self.closing and not self.problem:
            links = self.links
            await self._once()
            pause = PAUSE_s if self.links > links else min(2 * pause, LONGEST_PAUSE_s)
            if self.closing or self.problem:
                break
            self._missed()
            until = time.monotonic() + pause * (0.5 + random.random())
            while (left := until - time.monotonic()) > 0 and not self.closing:
                await asyncio.sleep(min(left, 0.05))
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _once(self) -> None:
        """One connection, from its beginning to its end."""
        from nats.aio.client import Client

        errors = client_errors()
        connection = self._connection = Connection(Client())

        async def gone() -> None:
            connection.lost = True
            connection.wake.set()

        async def error(e: Exception) -> None:
            self._why = str(e)
            text = str(e).lower()
            if "permissions violation" in text:
                self.fail(NoPermission(f"{self.name}: the server does not allow it: {e}"))
            elif "maximum" in text or "payload" in text:
                self.fail(BadConfig(f"{self.name}: {e}"))

        try:
            await asyncio.wait_for(
                connection.client.connect(
                    self.place.server, allow_reconnect=False, connect_timeout=CONNECT_s, error_cb=error,
                    disconnected_cb=gone, closed_cb=gone, ping_interval=PING_s, max_outstanding_pings=2, name="sptools",
                    max_reconnect_attempts=1, reconnect_time_wait=0.02, **self.place.options,
                ),
                2 * CONNECT_s,
            )  # fmt: skip
            await self._session(connection)
        except SpError as problem:
            self.fail(problem)
        except errors.NoServersError:
            pass  # `error` knows why
        except (TimeoutError, OSError, ValueError, errors.Error) as e:
            self._why = str(e) or "the server does not answer"
            refused = _refusal(e)
            if refused:
                self.fail(NoPermission(f"{self.name}: {refused}"))
        finally:
            self._connection = None
            try:
                await asyncio.wait_for(connection.client.close(), CLOSE_s)
            except Exception:
                pass

    def _missed(self) -> None:
        if self.ready:
            if not self._told:
                self._told = True
                log.notice(f"{self.name}: the connection is lost{': ' + self._why if self._why else ''}; trying again")
        elif time.monotonic() - self._since > self.place.wait:
            self.fail(Unavailable(f"{self.name}: {self._why} (tried for {self.place.wait:g} s)"))


def _refusal(e: Exception) -> str:
    """Why the server, or we, will not have it, however often it is tried."""
    import ssl

    text = str(e)
    if isinstance(e, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {e.verify_message}; name its authority with tls=true,ca=FILE"
    if "authorization" in text.lower() or "authentication" in text.lower():
        return f"the server refuses us: {text.strip()}; give credentials with creds=FILE"
    return ""


def _can_sign(path: str) -> None:
    """A seed proves itself by a signature, for which the client needs a package of its own."""
    if importlib.util.find_spec("nkeys") is None:
        raise Unavailable(f"creds={path} holds a key, which needs the package nkeys: pip install 'sptools-sdr[nkeys]'")
