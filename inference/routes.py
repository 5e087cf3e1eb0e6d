"""The handlers behind every route of the edge."""

import dataclasses
import hashlib
from functools import partial
from time import perf_counter

from aiohttp import web

from inference import MODEL, codec
from inference.edge import EDGE
from inference.errors import ApiError, error_body, expect
from inference.parameters import StylizeParameters, deadline_of
from inference.styles import is_style_id
from mvstylizer import __version__
from mvstylizer.styles import blended


def add_routes(app: web.Application) -> None:
    """Give the application all its routes."""
    router = app.router
    router.add_get("/v2/health/live", live, expect_handler=expect)
    router.add_get("/v2/health/ready", ready, expect_handler=expect)
    router.add_get("/v2", server_metadata, expect_handler=expect)
    router.add_get(f"/v2/models/{MODEL}", model_metadata, expect_handler=expect)
    router.add_get("/v1/styles", list_styles, expect_handler=expect)
    router.add_put("/v1/styles/{id}", put_style, expect_handler=expect)
    router.add_post("/v1/stylize", stylize, expect_handler=expect)


async def live(request: web.Request) -> web.Response:
    """200 as long as the process answers at all."""
    return web.json_response({"live": True})


async def ready(request: web.Request) -> web.Response:
    """200 if work is welcome, 503 with the reason if not."""
    if not request.app[EDGE].draining:
        return web.json_response({"ready": True})
    body = error_body(request, "draining", "the edge is shutting down")
    return web.json_response({"ready": False, "reason": "draining", **body}, status=503)


async def server_metadata(request: web.Request) -> web.Response:
    """Name and version of the server, in the form of the Open Inference Protocol v2."""
    return web.json_response({"name": "mvstylizer", "version": __version__, "extensions": []})


async def model_metadata(request: web.Request) -> web.Response:
    """The release that runs, what goes in and out, and the limits that requests must keep."""
    edge = request.app[EDGE]
    return web.json_response(
        {
            "name": MODEL,
            "version": edge.stylizer.version,
            "versions": [edge.stylizer.version],
            "platform": "onnxruntime_onnx",
            "sha256": edge.stylizer.sha256,
            "code_size": edge.stylizer.code_size,
            "inputs": [{"name": "frame", "datatype": "UINT8", "shape": [-1, -1, 3]}],
            "outputs": [{"name": "stylized", "datatype": "UINT8", "shape": [-1, -1, 3]}],
            "limits": dataclasses.asdict(edge.limits),
        }
    )


async def list_styles(request: web.Request) -> web.Response:
    """What can be asked for without sending a photo: ids of styles, and names of the release's presets."""
    edge = request.app[EDGE]
    presets = list(edge.stylizer.presets)
    return web.json_response({"styles": edge.styles.ids(), "presets": presets})


async def put_style(request: web.Request) -> web.Response:
    """Make a style known: the body is the photo, the id its sha256. 201 if it is new, 200 if known before."""
    edge, style, deadline = request.app[EDGE], request.match_info["id"], deadline_of(request)
    if not is_style_id(style):
        raise ApiError(422, "style-id", "a style's id is the lower-case hex sha256 of its photo's bytes")
    async with edge.bodies.picture(request, edge.limits.max_style_bytes) as data:
        if await edge.off_loop(_sha256, data) != style:
            raise ApiError(422, "style-id", "the id is not the sha256 of the body that came with it")
        if edge.styles.get(style) is not None:
            return web.json_response({"id": style}, headers={"Model-Version": edge.stylizer.version})
        await edge.off_loop(codec.check_header, data, edge.limits.max_style_pixels)
        stylizer = edge.stylizer
        # Decoded in the worker too: of all waiting photos only one is ever in memory with all its pixels.
        done = await edge.worker.run(
            lambda: stylizer.encode_style(codec.decode(data, edge.limits.max_style_pixels)),
            deadline,
            typical=False,
        )
    edge.styles.put(style, done.value)
    headers = {
        "Model-Version": stylizer.version,
        "Server-Timing": server_timing(queue=done.queued, infer=done.took),
    }
    return web.json_response({"id": style}, status=201, headers=headers)


async def stylize(request: web.Request) -> web.Response:
    """Stylize the key frame in the body; the reply is a picture of r times its size."""
    edge = request.app[EDGE]
    asked = StylizeParameters.of(request, edge.limits)
    deadline = deadline_of(request)
    stylizer = edge.stylizer
    code = blended(edge.styles.codes(asked.styles, stylizer), asked.weights)
    edge.worker.check(deadline)
    async with edge.bodies.picture(request, edge.limits.max_frame_bytes) as data:
        came = perf_counter()
        frame = await edge.off_loop(codec.decode, data, edge.limits.max_frame_pixels, asked.r)
        decoded = perf_counter()
        done = await edge.worker.run(partial(stylizer.stylize, frame, code, asked.r), deadline)
    stylized = perf_counter()
    body = await edge.off_loop(codec.encode, done.value, asked.form, asked.quality)
    timing = server_timing(decode=decoded - came, queue=done.queued, infer=done.took, encode=perf_counter() - stylized)
    headers = {"Model-Version": stylizer.version, "Server-Timing": timing}
    return web.Response(body=body, content_type=f"image/{asked.form}", headers=headers)


def server_timing(**seconds: float) -> str:
    """The value of a Server-Timing header, durations in milliseconds as the standard has it."""
    return ", ".join(f"{name};dur={1000 * value:.1f}" for name, value in seconds.items())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
