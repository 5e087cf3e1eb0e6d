"""Clients that ask an edge for key frames: as fast as it answers, or at a rate that it does not choose."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import numpy as np

_JPEG = {"Content-Type": "image/jpeg"}


@dataclass(frozen=True)
class Answer:
    """Of one request: when it was begun and how long it took in seconds, its status, and what the edge says of it."""

    began: float
    took: float
    status: int
    version: str
    inferring: float
    """Seconds in ONNX Runtime, by Server-Timing."""
    body: bytes


@dataclass(frozen=True)
class Run:
    """All answers of a run and how long it lasted in seconds."""

    answers: list[Answer]
    seconds: float

    @property
    def accepted(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == 200]

    @property
    def rate(self) -> float:
        """Key frames a second."""
        return len(self.accepted) / self.seconds

    @property
    def outside(self) -> float:
        """Share of the time in which ONNX Runtime did nothing."""
        return 1 - sum(answer.inferring for answer in self.accepted) / self.seconds

    def percentile(self, percent: float) -> float:
        """Seconds in which so many percent of what was accepted was answered."""
        return float(np.percentile([answer.took for answer in self.accepted], percent)) if self.accepted else 0.0


async def put_style(http: aiohttp.ClientSession, photo: bytes) -> str:
    """Make a photo (JPEG) known; gives its id."""
    style = hashlib.sha256(photo).hexdigest()
    async with http.put(f"/v1/styles/{style}", data=photo, headers=_JPEG) as reply:
        reply.raise_for_status()
    return style


async def ask(http: aiohttp.ClientSession, style: str, frame: bytes) -> Answer:
    """One key frame (JPEG), there and back; status 0 if the connection broke."""
    began = time.perf_counter()
    try:
        async with http.post("/v1/stylize", params={"style": style}, data=frame, headers=_JPEG) as reply:
            body = await reply.read()
            told = reply.headers
            return Answer(
                began,
                time.perf_counter() - began,
                reply.status,
                told.get("Model-Version", ""),
                _inferring(told.get("Server-Timing", "")),
                body,
            )
    except aiohttp.ClientError:
        return Answer(began, time.perf_counter() - began, 0, "", 0.0, b"")


async def closed_loop(url: str, photo: bytes, frames: Sequence[bytes], clients: int, seconds: float) -> Run:
    """Each client asks again as soon as it is answered."""
    async with _session(url) as http:
        style = await put_style(http, photo)
        await ask(http, style, frames[0])
        began, answers = time.perf_counter(), list[Answer]()

        async def client(number: int) -> None:
            turn = number
            while time.perf_counter() - began < seconds:
                answers.append(await ask(http, style, frames[turn % len(frames)]))
                turn += clients

        await asyncio.gather(*map(client, range(clients)))
        return Run(answers, time.perf_counter() - began)


async def open_loop(url: str, photo: bytes, frames: Sequence[bytes], rate: float, seconds: float, seed: int = 0) -> Run:
    """Requests come at random moments, ``rate`` a second on average, whether or not those before are answered."""
    rng = np.random.default_rng(seed)
    async with _session(url) as http:
        style = await put_style(http, photo)
        await ask(http, style, frames[0])
        began, tasks = time.perf_counter(), list[asyncio.Task[Answer]]()
        due = 0.0
        while due < seconds:
            await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
            tasks.append(asyncio.create_task(ask(http, style, frames[len(tasks) % len(frames)])))
            due += rng.exponential(1 / rate)
        answers = await asyncio.gather(*tasks)
        return Run(answers, time.perf_counter() - began)


def _session(url: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0))


def _inferring(timing: str) -> float:
    return float(timing.partition("infer;dur=")[2].partition(",")[0] or 0) / 1000
