"""The description of the REST interface says what the interface does: routes, replies, problems."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.webui.scripted_office import Site
from webui import VERSION

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"/", "/desk", "/wall", "/calls", "/calls/{number}", "/sign-in", "/sign-out", "/static/{name}"}


@pytest.fixture
def document(site: Site) -> dict[str, Any]:
    answer = site.get("/api/v1/openapi.json")
    assert answer.status == 200
    return dict(answer.json)


def test_every_route_is_described_and_every_description_has_a_route(site: Site, document: dict[str, Any]) -> None:
    routes = {(route.method, re.sub(r"<(\w+)[^>]*>", r"{\1}", route.rule)) for route in site.application.routes}
    described = {
        (method.upper(), "/api/v1" + path) for path, methods in document["paths"].items() for method in methods
    }

    assert {route for route in routes if route[1].startswith("/api/")} == described
    assert {path for _, path in routes if not path.startswith("/api/")} == PAGES
    assert len(described) >= 17


def test_every_schema_that_is_referred_to_is_there(document: dict[str, Any]) -> None:
    referred = set(re.findall(r"'#/components/schemas/(\w+)'", str(document)))

    assert referred
    assert referred <= set(document["components"]["schemas"])
    assert document["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    ("path", "described"),
    [
        ("/health", "/health"),
        ("/state", "/state"),
        ("/calls", "/calls"),
        ("/calls/4", "/calls/{id}"),
        ("/calls/4/segments", "/calls/{id}/segments"),
        ("/agents/801/history", "/agents/{agent}/history"),
    ],
)
def test_an_answer_has_exactly_the_fields_of_its_schema(
    site: Site, document: dict[str, Any], path: str, described: str
) -> None:
    answer = site.get("/api/v1" + path, token="token-admin").json
    schema = document["paths"][described]["get"]["responses"]["200"]["content"]["application/json"]["schema"]

    fits(answer, schema, document["components"]["schemas"])


def test_a_problem_has_exactly_the_fields_of_its_schema(site: Site, document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    fits(site.get("/api/v1/calls/99", token="token-admin").json, schemas["Problem"], schemas)


def fits(value: Any, schema: dict[str, Any], schemas: dict[str, Any], where: str = "$") -> None:
    """Fails unless a value is what its schema says (the parts of JSON Schema that msgspec writes)."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, where)
    if "anyOf" in schema:
        kinds = {"null": type(None), "integer": int, "number": float, "string": str}
        for one in schema["anyOf"]:
            if ("$ref" in one and isinstance(value, dict)) or isinstance(value, kinds.get(one.get("type"), ())):
                return fits(value, one, schemas, where)
        raise AssertionError(f"{where}: {value!r} is none of {schema['anyOf']}")
    kind = schema.get("type")
    if kind == "object" and "properties" not in schema:
        for name, part in value.items():
            fits(part, schema["additionalProperties"], schemas, f"{where}.{name}")
    elif kind == "object":
        assert set(value) == set(schema["properties"]), where
        for name, part in schema["properties"].items():
            fits(value[name], part, schemas, f"{where}.{name}")
    elif kind == "array":
        for index, item in enumerate(value):
            fits(item, schema["items"], schemas, f"{where}[{index}]")
    elif kind == "string":
        assert isinstance(value, str), where
        if schema.get("format") == "date-time":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value), f"{where}: {value}"
    elif kind in ("integer", "number", "boolean"):
        assert isinstance(value, {"integer": int, "number": (int, float), "boolean": bool}[kind]), where
    return None


def test_each_operation_names_the_problems_that_it_answers(site: Site, document: dict[str, Any]) -> None:
    asked = [
        ("get", "/calls", site.get("/api/v1/calls?limit=0", token="token-admin")),
        ("get", "/calls", site.get("/api/v1/calls")),
        ("get", "/calls", site.get("/api/v1/calls", token="token-guest")),
        ("get", "/calls/{id}", site.get("/api/v1/calls/99", token="token-admin")),
        ("get", "/calls/{id}/recording", site.get("/api/v1/calls/5/recording", token="token-admin")),
        ("post", "/agents/{agent}/ready", site.post("/api/v1/agents/801/ready", token="token-li")),
        ("post", "/agents/{agent}/sign-in", site.post("/api/v1/agents/801/sign-in", {}, token="token-wang")),
    ]
    for method, path, answer in asked:
        assert str(answer.status) in document["paths"][path][method]["responses"], (path, answer.status)
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_version_is_that_of_the_package() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
