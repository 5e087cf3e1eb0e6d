"""The OpenAPI 3.1 document, made of the very table that the router is made of, so that it cannot leave one out."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from inference.route import Access, Route
from mvstylizer import __version__

Schema = Mapping[str, Any]

DOCUMENT = web.AppKey("openapi", dict[str, Any])
ID_FORM = "^[0-9a-f]{64}$"
JSON = "application/json"
PICTURES = ("image/jpeg", "image/png", "image/webp")
_ERROR: Schema = {
    "type": "object",
    "required": ["error", "code", "request_id"],
    "properties": {
        "error": {"type": "string", "description": "what is wrong, for people"},
        "code": {"type": "string", "description": "the same for programs"},
        "request_id": {"type": "string"},
        "styles": {"type": "array", "items": {"type": "string"}, "description": "of errors about styles: which"},
    },
    "additionalProperties": False,
}
_ALWAYS = (400, 403, 417, 429, 500, 503)
"""Any request may be malformed, for another host, expect what cannot be, come too often, hit a bug or the end."""
_RETRY = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "seconds"}}
_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    "description": "comes back with the reply and stands in the log; made up if absent",
}


def operation(
    summary: str,
    replies: Mapping[int, Schema],
    *,
    parameters: Sequence[Schema] = (),
    body: Schema | None = None,
    errors: Sequence[int] = (),
) -> dict[str, Any]:
    """An operation: ``replies`` are contents by media type for each status, ``errors`` statuses of the error shape.

    ``body`` is the content of the request by media type.
    """
    described: dict[str, Any] = {
        "summary": summary,
        "parameters": [_REQUEST_ID, *parameters],
        "responses": {str(status): {"description": summary, "content": content} for status, content in replies.items()},
    }
    for status in sorted({*errors, *_ALWAYS} - replies.keys()):
        described["responses"][str(status)] = {"$ref": f"#/components/responses/{_response(status)}"}
    if body is not None:
        described["requestBody"] = {"required": True, "content": body}
    return described


def json_object(**properties: Schema) -> Schema:
    """Content: a JSON object with these properties, all of them required."""
    return {JSON: {"schema": {"type": "object", "required": list(properties), "properties": properties}}}


def pictures(types: Sequence[str] = PICTURES) -> Schema:
    """Content: a picture of one of the types."""
    return {each: {"schema": {"type": "string", "format": "binary"}} for each in types}


def path_id(name: str, pattern: str, description: str) -> Schema:
    """A parameter that is part of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": pattern},
        "description": description,
    }


def query(name: str, schema: Schema, description: str, *, required: bool = False) -> Schema:
    """A parameter of the query."""
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


def header(name: str, schema: Schema, description: str) -> Schema:
    """A request header that may be given."""
    return {"name": name, "in": "header", "schema": schema, "description": description}


def document(routes: Sequence[Route], *, secured: bool) -> dict[str, Any]:
    """The whole document; ``secured`` says whether routes that are not open ask for a token."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        described = dict(route.operation)
        if secured and route.access is not Access.OPEN:
            described["security"] = [{"token": []}]
            described["responses"] = described["responses"] | {"401": {"$ref": "#/components/responses/Error"}}
        paths.setdefault(route.path, {})[route.method.lower()] = described
    error = {"description": "what is wrong", "content": {JSON: {"schema": _ERROR}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "MVStylizer edge",
            "version": __version__,
            "description": "Stylizes key frames of videos. Bodies are raw bytes, never multipart.",
        },
        "paths": paths,
        "components": {
            "responses": {"Error": error, "Busy": error | {"headers": _RETRY}},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _response(status: int) -> str:
    return "Busy" if status in (429, 503) else "Error"
