"""The edge's work: a key frame comes in, the stylized one goes out."""

import asyncio
from functools import partial
from time import perf_counter

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from inference import codec
from inference.contributions import CONTRIBUTOR, contributor_of
from inference.edge import EDGE, Edge
from inference.frame_store import OfferedFrame
from inference.openapi import operation, pictures
from inference.parameters import STYLIZE_PARAMETERS, StylizeParameters, deadline_of
from inference.replies import Reply, fingerprint_of, key_of
from inference.route import Access, Route
from inference.stylizer import Stylizer
from inference.timing import server_timing
from mvstylizer.styles import blended


async def stylize(request: web.Request) -> web.Response:
    """Stylize the key frame in the body; the reply is a picture of r times its size."""
    edge = request.app[EDGE]
    asked = StylizeParameters.of(request, edge.limits)
    deadline, contributor = deadline_of(request), contributor_of(request)
    # Held from here to the end: a reply is of one release, whatever is swapped in meanwhile.
    stylizer = edge.stylizer
    code = blended(edge.styles.codes(asked.styles, stylizer), asked.weights)
    edge.check(request, deadline)
    key = key_of(request)
    async with edge.bodies.picture(request, edge.limits.max_frame_bytes) as data:

        async def computed() -> Reply:
            return await _computed(request, stylizer, data, code, asked, deadline, contributor)

        fingerprint = b"" if key is None else await edge.off_loop(fingerprint_of, request, data)
        reply, replayed = await edge.replies.once(key, fingerprint, computed)
    if replayed:
        edge.metrics.replayed.inc()
    return reply.response(replayed)


async def _computed(
    request: web.Request,
    stylizer: Stylizer,
    data: bytes,
    code: NDArray[np.float32],
    asked: StylizeParameters,
    deadline: float | None,
    contributor: str | None,
) -> Reply:
    edge, came = request.app[EDGE], perf_counter()
    frame = await edge.off_loop(codec.decode, data, edge.limits.max_frame_pixels, asked.r)
    decoded = perf_counter()
    done = await edge.run(request, partial(stylizer.stylize, frame, code, asked.r), deadline)
    stylized = perf_counter()
    height, width, _ = frame.shape
    offered = OfferedFrame(data, width, height, code, stylizer.version, stylizer.encoder_sha256)
    body, contribution = await asyncio.gather(
        edge.off_loop(codec.encode, done.value, asked.form, asked.quality),
        _contribution(edge, contributor, offered),
    )
    stages = {
        "decode": decoded - came,
        "queue": done.queued,
        "infer": done.took,
        "encode": perf_counter() - stylized,
    }
    for stage, seconds in stages.items():
        edge.metrics.stages.labels(stage).observe(seconds)
    headers = {"Model-Version": stylizer.version, "Server-Timing": server_timing(**stages)}
    return Reply(body, f"image/{asked.form}", headers | contribution)


async def _contribution(edge: Edge, contributor: str | None, offered: OfferedFrame) -> dict[str, str]:
    """The reply's header that says what became of the key frame, if it was offered."""
    return {} if contributor is None else {"Contribution": (await edge.contributions.offer(contributor, offered)).value}


ROUTES = (
    Route(
        "POST",
        "/v1/stylize",
        stylize,
        Access.CLIENT,
        operation(
            "Stylize a key frame",
            {200: pictures(("image/jpeg", "image/png"))},
            parameters=(*STYLIZE_PARAMETERS, CONTRIBUTOR),
            body=pictures(),
            errors=[404, 408, 409, 413, 415, 422],
        ),
    ),
)
