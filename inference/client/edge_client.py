"""The device's way to one edge over HTTP, for asyncio; ``edge_stylizer`` is for everybody else."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from inference import MODEL
from inference.client.access import Access
from inference.client.answers import Answer, RunningRelease, Stylized, max_bytes_of, picture_of
from inference.client.asking import Asker, new_key
from inference.client.failures import Garbage, Refused, garbage
from inference.client.retry import Patience
from mvstylizer.errors import EdgeError, InputError, UsageError
from mvstylizer.pictures import encode_jpeg, encode_png
from mvstylizer.release import output_shape

_REFUSED_PICTURE = (413, 415, 422)
_LONGEST_DEADLINE_MS = 3_600_000


class EdgeClient:
    """Asks one edge, patiently. Use as ``async with``; one event loop, any number of tasks.

    ``connections`` is how many requests are under way at a time, ``timeout`` the seconds one try may take,
    ``patience`` the seconds after which no further try is begun. While patience lasts, an edge that is busy
    (429, 503) or away is asked again, later and later, and not before its Retry-After. ``token``, ``ca`` and
    ``contributor`` are as in ``Access``.

    Raises UsageError for what is no http or https URL, for a token that would travel unprotected, and for a file
    of certificates that cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int = 4,
        timeout: float = 60.0,
        patience: float = 30.0,
        token: str | None = None,
        ca: Path | None = None,
        contributor: str | None = None,
    ) -> None:
        self._asker = Asker(url, connections, timeout, Access(token, ca, contributor))
        self.url = self._asker.url
        self._timeout, self._patience = timeout, patience
        self._has_token, self._contributor = token is not None, contributor
        self._photos: dict[str, tuple[bytes, str]] = {}
        self._uploading = asyncio.Lock()
        self._uploads = Counter[str]()

    async def __aenter__(self) -> Self:
        await self._asker.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._asker.__aexit__(kind, error, trace)

    async def ready(self) -> None:
        """Return when the edge says that it is ready; raises EdgeError if patience ends before that."""
        answer = await self._asker.ask(Patience(self._patience), "GET", "/v2/health/ready")
        if answer.status != 200 or b'"ready"' not in answer.body:
            raise garbage(self.url, f"{answer.text} when asked whether it is ready")

    async def release(self) -> RunningRelease:
        """The release that the edge runs. Raises EdgeError."""
        answer = await self._told("GET", f"/v2/models/{MODEL}")
        digest = answer.text_of("sha256")
        if not digest:
            raise self._unexpected(answer)
        return RunningRelease(answer.text_of("version"), digest)

    async def presets(self) -> list[str]:
        """Names of the presets of the edge's release. Raises EdgeError."""
        return (await self._told("GET", "/v1/styles")).texts("presets")

    async def put_style(self, photo: bytes, content_type: str = "image/png", *, key: str | None = None) -> str:
        """Make a style known by the bytes of its photo; gives the id to ask for it.

        The bytes are kept, for an edge that forgets. ``key`` is as for ``stylize``. Raises InputError if the edge
        refuses the picture, EdgeError if it cannot be reached or makes no sense.
        """
        style = hashlib.sha256(photo).hexdigest()
        headers = {"Content-Type": content_type}
        answer = await self._asker.ask(
            Patience(self._patience), "PUT", f"/v1/styles/{style}", body=photo, headers=headers, key=key
        )
        if answer.status in _REFUSED_PICTURE and answer.code:
            raise InputError(f"the edge at {self.url} refuses the style photo: {answer.text}; choose another photo")
        if answer.status not in (200, 201):
            raise self._unexpected(answer)
        self.remember(style, photo, content_type)
        return style

    def remember(self, style: str, photo: bytes, content_type: str) -> None:
        """Keep a style's photo for an edge that turns out not to know it."""
        self._photos[style] = photo, content_type

    async def stylize(
        self, proxy: NDArray[np.uint8], style: str, *, r: float = 1.0, quality: int = 95, form: str = "jpeg"
    ) -> NDArray[np.uint8]:
        """Stylize a key frame ``(H, W, 3)`` uint8 RGB to ``(round(r·H), round(r·W), 3)``.

        ``style`` is an id that ``put_style`` gave, a preset's name, or a blend as ``style_query`` writes it.
        ``form`` is how the pictures travel both ways: ``jpeg`` with ``quality`` 1 to 100, or ``png``, exact.
        Styles that the edge has forgotten since ``put_style`` are given to it again. Raises EdgeError.
        """
        return (await self.stylized(proxy, style, r=r, quality=quality, form=form)).picture

    async def stylized(
        self,
        proxy: NDArray[np.uint8],
        style: str,
        *,
        r: float = 1.0,
        quality: int = 95,
        form: str = "jpeg",
        key: str | None = None,
    ) -> Stylized:
        """As ``stylize``, with what the edge said about the answer.

        ``key`` is the Idempotency-Key, 32 hex digits; the same one again asks for the same result, of this edge or
        another. It is drawn if it is not given.
        """
        height, width = output_shape(proxy.shape[0], proxy.shape[1], r)
        body = await asyncio.to_thread(_encoded, proxy, form, quality)
        params = {"style": style, "quality": str(quality), "format": form, "r": repr(float(r))}
        answer = await self._with_styles(body, params, max_bytes_of(height, width), key or new_key())
        if answer.status != 200:
            raise self._unexpected(answer)
        picture = await asyncio.to_thread(picture_of, answer, height, width, self.url)
        return Stylized(picture, answer.version, answer.contribution)

    async def contributions(self) -> dict[str, int]:
        """What the edge keeps of this contributor: how many ``frames``, and their ``bytes``.

        Raises UsageError without a contributor's id, EdgeError.
        """
        answer = await self._told("GET", self._contributions_path())
        frames, size = answer.count_of("frames"), answer.count_of("bytes")
        if frames is None or size is None:
            raise garbage(self.url, "no counts when asked what it keeps")
        return {"frames": frames, "bytes": size}

    async def delete_contributions(self) -> int:
        """Have the edge delete all that it keeps of this contributor; gives how many frames there were.

        Raises UsageError without a contributor's id, EdgeError.
        """
        deleted = (await self._told("DELETE", self._contributions_path())).count_of("deleted")
        if deleted is None:
            raise garbage(self.url, "no count when asked to delete")
        return deleted

    def _contributions_path(self) -> str:
        if self._contributor is None:
            raise UsageError("contributions are known by their contributor's id; name one")
        return f"/v1/contributions/{self._contributor}"

    async def _told(self, method: str, path: str) -> Answer:
        answer = await self._asker.ask(Patience(self._patience), method, path)
        if answer.status != 200:
            raise self._unexpected(answer)
        return answer

    async def _with_styles(self, body: bytes, params: dict[str, str], max_bytes: int, key: str) -> Answer:
        deadline_ms = min(int(1000 * self._timeout), _LONGEST_DEADLINE_MS)
        headers = {"Content-Type": f"image/{params['format']}", "X-Deadline-Ms": str(deadline_ms)}
        if self._contributor is not None:
            headers["Contributor"] = self._contributor
        patience, is_first = Patience(self._patience), True
        while True:
            uploads = self._uploads.copy()
            answer = await self._asker.ask(
                patience,
                "POST",
                "/v1/stylize",
                body=body,
                headers=headers,
                params=params,
                key=key,
                max_bytes=max_bytes,
            )
            forgotten = [style for style in answer.texts("styles") if style in self._photos]
            if answer.code != "unknown-style" or not forgotten:
                return answer
            delay = 0.0 if is_first else patience.next_delay()
            if delay is None:
                return answer
            await self._upload_again(forgotten, uploads)
            await asyncio.sleep(delay)
            # The old key may stand for the old answer, which is no longer true.
            key, is_first = new_key(), False

    async def _upload_again(self, styles: Iterable[str], uploads: Counter[str]) -> None:
        async with self._uploading:
            for style in styles:
                if self._uploads[style] == uploads[style]:  # else another task has just done it
                    try:
                        await self.put_style(*self._photos[style])
                    except InputError as error:  # another edge took it: this one is at fault
                        raise Refused(str(error)) from error
                    self._uploads[style] += 1

    def _unexpected(self, answer: Answer) -> EdgeError:
        if not answer.code:
            return garbage(self.url, answer.text)
        if answer.status >= 500:
            return Garbage(f"the edge at {self.url} is not well ({answer.text}); its log tells why")
        if answer.status == 401:
            what = "does not accept the token; check" if self._has_token else "wants a token; give it with"
            return Refused(f"the edge at {self.url} {what} --edge-token or MVSTYLIZER_EDGE_TOKEN")
        return Refused(
            f"the edge at {self.url} refuses: {answer.text}; check that it has the same version of mvstylizer"
        )


def style_query(ids: Sequence[str], weights: Sequence[float]) -> str:
    """What ``/v1/stylize`` is asked for: an id, or a blend of several by weight."""
    if len(ids) == 1:
        return ids[0]
    return ",".join(f"{style}:{weight!r}" for style, weight in zip(ids, weights, strict=True))


def _encoded(proxy: NDArray[np.uint8], form: str, quality: int) -> bytes:
    return encode_png(proxy) if form == "png" else encode_jpeg(proxy, quality)
