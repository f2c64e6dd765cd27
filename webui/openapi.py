"""GET /openapi.json: the description of the REST interface, made from the routes and the structs that they encode."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import bottle
import msgspec

from webui.endpoints import PREFIX, Ask, Endpoint, encode
from webui.problems import TITLES, Problem

_REF = "#/components/schemas/{name}"


def description(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    structs: list[Any] = [Problem]
    for endpoint in endpoints:
        structs += [one for one in (endpoint.reply, endpoint.body) if one is not None and one not in structs]
    references, components = msgspec.json.schema_components(structs, ref_template=_REF)
    schema_of = dict(zip(structs, references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Linebox",
            "version": version,
            "description": "CTI and records of one box. Times are ISO 8601 in UTC. Problems are RFC 9457 with `code`, "
            "`what` and `remedy`. Make a token with `linebox token`.",
        },
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "linebox_session"},
            },
        },
    }


def _operation(endpoint: Endpoint, schema_of: dict[Any, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 0} if name == "id" else {"type": "string"},
        }
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    parameters += [
        {"name": one.name, "in": "query", "required": False, "schema": one.schema, "description": one.description}
        for one in endpoint.parameters
    ]
    schema = schema_of[endpoint.reply] if endpoint.reply is not None else {"type": "string", "format": "binary"}
    if endpoint.path == "/openapi.json":
        schema = {"type": "object"}
    answers: dict[str, Any] = {"200": {"description": "Done", "content": {endpoint.media_type: {"schema": schema}}}}
    for status in endpoint.also:
        answers[str(status)] = {**answers["200"], "description": TITLES[status]}
    for status in endpoint.problems:
        answers[str(status)] = {
            "description": TITLES[status],
            "content": {"application/problem+json": {"schema": schema_of[Problem]}},
        }
    operation: dict[str, Any] = {
        "operationId": (endpoint.method.lower() + re.sub(r"\W+", "_", endpoint.path)).strip("_"),
        "summary": endpoint.summary,
        "responses": answers,
    }
    if endpoint.description:
        operation["description"] = endpoint.description
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": schema_of[endpoint.body]}}}
    if endpoint.public:
        operation["security"] = []
    return operation


def with_description(endpoints: Sequence[Endpoint], version: str) -> tuple[Endpoint, ...]:
    """The endpoints and, as the last, the one that describes them all."""
    everything: list[Endpoint] = list(endpoints)

    def openapi(_: Ask) -> bottle.HTTPResponse:
        return bottle.HTTPResponse(document, headers={"Content-Type": "application/json"})

    everything.append(Endpoint("GET", "/openapi.json", "This description", openapi, public=True))
    document = encode(description(everything, version))
    return tuple(everything)
