"""The one shape of every error that the edge answers: ``{"error": text, "code": slug, "request_id": id}``.

Only one about styles has a fourth field, ``"styles": [id, …]``.
"""

import logging
import math
import re
import secrets
from collections.abc import Mapping, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

from mvstylizer.errors import InputError

log = logging.getLogger(__name__)

REQUEST_ID = web.RequestKey("request_id", str)
ERROR_CODE = web.ResponseKey("error_code", str)
"""The slug of a refusal, for the log and the metrics."""
_REQUEST_ID_FORM = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ApiError(Exception):
    """A refusal that the client is told about.

    ``text`` is for people, ``code`` for programs. ``retry_after`` is in seconds. ``close`` ends the
    connection, for when the rest of a body is not worth reading. ``styles`` are the ids that it is about,
    if it is about styles; the reply lists them for programs. ``headers`` go with the reply.
    """

    def __init__(
        self,
        status: int,
        code: str,
        text: str,
        *,
        retry_after: float | None = None,
        close: bool = False,
        styles: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text
        self.retry_after, self.close, self.styles = retry_after, close, list(styles)
        self.headers = dict(headers or {})


def error_body(request: web.Request, code: str, text: str) -> dict[str, str]:
    """The error shape as a dictionary that is ready for JSON."""
    return {"error": text, "code": code, "request_id": request.get(REQUEST_ID, "")}


def error_response(request: web.Request, error: ApiError) -> web.Response:
    """The reply that tells of ``error``."""
    about = {"styles": error.styles} if error.styles else {}
    response = web.json_response(
        error_body(request, error.code, error.text) | about, status=error.status, headers=error.headers
    )
    response[ERROR_CODE] = error.code
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.close:
        response.force_close()
    return response


@web.middleware
async def one_error_shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every failure of a handler, foreseen or not, in the one shape; internals stay in the log."""
    try:
        request[REQUEST_ID] = _request_id(request)
        return await handler(request)
    except ApiError as error:
        return error_response(request, error)
    except web.HTTPException as error:
        return _from_aiohttp(request, error)
    except InputError as error:
        if type(error) is not InputError:  # a damaged release is the operator's concern, not the client's
            return _internal(request)
        return error_response(request, ApiError(422, "unprocessable", str(error)))
    except Exception:
        return _internal(request)


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Leave ``Expect: 100-continue`` to the body reader, so that what is refused is never sent."""
    if request.headers["Expect"].lower() == "100-continue":
        return None
    request[REQUEST_ID] = _new_id()
    text = "the only expectation that can be met is 100-continue"
    return error_response(request, ApiError(417, "expectation-failed", text, close=True))


def _request_id(request: web.Request) -> str:
    given = request.headers.get("X-Request-Id")
    if given is None:
        return _new_id()
    if _REQUEST_ID_FORM.fullmatch(given) is None:
        request[REQUEST_ID] = _new_id()
        text = "X-Request-Id must be 1 to 64 letters, digits, dots, dashes or underscores"
        raise ApiError(400, "bad-request-id", text)
    return given


def _new_id() -> str:
    return secrets.token_hex(8)


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    code = error.reason.lower().replace(" ", "-")
    response = error_response(request, ApiError(error.status, code, f"{error.reason}; GET /v2 tells what is here"))
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _internal(request: web.Request) -> web.Response:
    # The route's pattern: a path may hold a contributor's id, with which frames can be deleted.
    resource = request.match_info.route.resource
    route = "unknown" if resource is None else resource.canonical
    log.exception("request %s failed: %s %s", request.get(REQUEST_ID), request.method, route)
    text = "the edge failed to answer; its log tells why under this request id"
    return error_response(request, ApiError(500, "internal", text))
