"""The server under load: clients that poll and stream on loopback, while jobs run.

Starts `phosphene serve` with one worker in a folder of its own; half the clients stream all events,
all of them ask once a second for a job, the queue, the gallery, a thumbnail or the figures. Says
how long they wait, and how much memory the server has before and after. It stops by itself.
Run: `python bench/serving.py [--clients 200] [--jobs 1000] [--seconds 120]`.
"""

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

TINY = {"kind": "sample", "model": "digits-cgan", "seed": 7}
PROGRAM = "from phosphene.cli.app import main\nif __name__ == '__main__': main()"
NO_LIMITS = "jobs=0,waiting=0,requests=0"
MAX_WAITING = 200  # jobs in the queue at a time
WARM_SHARE = 0.2  # of the jobs, before memory is looked at


class Load:
    """What is asked of a server, and what was measured."""

    def __init__(self, port: int, pid: int, clients: int, jobs: int) -> None:
        self.port, self.pid, self.clients, self.jobs = port, pid, clients, jobs
        self.waits: dict[str, list[float]] = {}
        self.names: list[str] = []
        self.events = self.done = self.failures = 0
        self.memory: list[tuple[int, float]] = []
        self.cpu = 0.0
        self.over = asyncio.Event()

    async def ask(self, method: str, path: str, data: object = None) -> bytes:
        """Make one request on a connection of its own."""
        body = b"" if data is None else json.dumps(data).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        writer.write(head.encode() + b"\r\n" + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        status, _, content = answer.partition(b"\r\n\r\n")
        if b" 20" not in status[:15]:
            self.failures += 1
        return content

    async def poll(self, dice: random.Random) -> None:
        """Ask for something once a second."""
        await asyncio.sleep(dice.random())
        while not self.over.is_set():
            kinds = ["queue", "gallery?limit=20", "jobs?limit=20", "jobs?state=running"]
            kind = dice.choice(["job"] * 6 + kinds + ["metrics"])
            path = f"/api/{kind}"
            if kind == "job":
                path = f"/api/jobs/{dice.choice(self.names[-50:])}"
            elif kind == "metrics":
                path = "/metrics"
            begun = time.monotonic()
            await self.ask("GET", path)
            self.waits.setdefault(kind, []).append(time.monotonic() - begun)
            await asyncio.sleep(max(0.0, 1 - (time.monotonic() - begun)))

    async def stream(self) -> None:
        """Watch everything."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /api/events?after=0 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        while data := await reader.read(1 << 16):
            self.events += data.count(b"\nevent:")
            if self.over.is_set():
                break
        writer.close()

    async def feed(self) -> None:
        """Keep the queue filled, and look at what is done and at the memory."""
        for _ in range(5):
            self.names.append(await self._submit())
        while self.done < self.jobs:
            figures = (await self.ask("GET", "/metrics")).decode()
            found = dict(re.findall(r'phosphene_jobs\{state="(\w+)"\} (\d+)', figures))
            self.done = int(found["done"])
            self.memory.append((self.done, rss(self.pid)))
            room = min(MAX_WAITING - int(found["queued"]), self.jobs - len(self.names))
            for _ in range(max(0, min(room, 40))):
                self.names.append(await self._submit())
            await asyncio.sleep(0.5)

    async def _submit(self) -> str:
        return str(json.loads(await self.ask("POST", "/api/recipes", TINY))["id"])

    async def run(self, seconds: float) -> None:
        """Everything at once, for as long as jobs run, or until the time is over."""
        feeding = asyncio.create_task(self.feed())
        while len(self.names) < 5:
            await asyncio.sleep(0.05)
            if feeding.done():
                feeding.result()
        used, begun = cpu(self.pid), time.monotonic()
        watching = [asyncio.create_task(self.stream()) for _ in range(self.clients // 2)]
        polling = [asyncio.create_task(self.poll(random.Random(i))) for i in range(self.clients)]
        await asyncio.wait([feeding], timeout=seconds)
        self.cpu = (cpu(self.pid) - used) / (time.monotonic() - begun)
        self.over.set()
        feeding.cancel()
        await asyncio.wait(polling, timeout=30)
        for task in (*watching, *polling):
            task.cancel()

    def report(self) -> dict[str, object]:
        """What was measured."""
        waits = sorted(w for found in self.waits.values() for w in found)
        cuts = quantiles(waits, n=100)
        warm = next((m for done, m in self.memory if done >= WARM_SHARE * self.jobs), 0.0)
        return {
            "clients": self.clients,
            "requests": len(waits),
            "failures": self.failures,
            "events": self.events,
            "jobs": self.done,
            "p50_ms": round(1000 * cuts[49]),
            "p95_ms": round(1000 * cuts[94]),
            "p99_ms": round(1000 * cuts[98]),
            "max_ms": round(1000 * waits[-1]),
            "by_kind_p99_ms": {
                k: round(1000 * quantiles(v, n=100)[98])
                for k, v in self.waits.items()
                if len(v) > 9
            },
            "memory_mb": [round(warm), round(self.memory[-1][1])],
            "cpu_share": round(self.cpu, 2),
            "load": round(os.getloadavg()[0], 1),
        }


def rss(pid: int) -> float:
    """Memory of a process, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu(pid: int) -> float:
    """Time that a process has computed, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description="the server under load")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", PROGRAM, "serve", "--port", "0", "--share-dir", folder]
        server = subprocess.Popen(
            [*command, "--limits", NO_LIMITS], stderr=subprocess.PIPE, text=True
        )
        try:
            assert server.stderr is not None
            said = server.stderr.readline()
            port = int(said.split("serving http://127.0.0.1:")[1].split(",")[0])
            load = Load(port, server.pid, options.clients, options.jobs)
            asyncio.run(load.run(options.seconds))
            print(json.dumps(load.report()))
        finally:
            server.terminate()
            server.communicate(timeout=60)


if __name__ == "__main__":
    main()
