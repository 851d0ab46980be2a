"""The OpenAPI 3.1 description: the shapes of answers, every problem a route may answer with, examples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from registry.api import answer_headers, examples, links, models, problems
from registry.api.access import security
from registry.api.access_log import models as access_models
from registry.api.access_log.logged import UNLOGGED
from registry.api.bulk import models as bulk_models
from registry.api.catalogue import models as catalogue_models
from registry.api.credit import case_models as credit_case_models
from registry.api.credit import consent_models, exchange_models
from registry.api.credit import match_models as credit_match_models
from registry.api.credit import models as credit_models
from registry.api.credit import report_models as credit_report_models
from registry.api.grants import models as grant_models
from registry.api.idempotency import HEADER, LONGEST, NO_WRITES
from registry.api.licences import models as licence_models
from registry.api.models import ProblemDetails
from registry.api.problems import ProblemType, body
from registry.api.representations import AGE, AS_OF
from registry.api.subscriptions import models as subscription_models

_COMMON = (
    problems.INVALID_REQUEST,
    problems.UNKNOWN_PARAMETER,
    problems.INVALID_PARAMETER,
    problems.TOO_LONG,
    problems.INTERNAL,
)
_DATABASE = (problems.DATABASE_UNAVAILABLE, problems.BUSY, problems.TOOK_TOO_LONG)
_IDENTIFIED = (problems.TOO_MANY_REQUESTS, problems.ISSUER_UNAVAILABLE, *_DATABASE)
_SECURED = (problems.UNAUTHENTICATED, problems.NOT_GRANTED, *_IDENTIFIED)


def describe(app: FastAPI) -> dict[str, Any]:
    """The description of an application, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    found = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        summary=app.summary,
        description=app.description,
        routes=app.routes,
    )
    components = found["components"]["schemas"]
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(problem.pop("$defs", {}))
    components["Problem"] = problem
    for model in [
        *vars(models).values(),
        *vars(licence_models).values(),
        *vars(credit_models).values(),
        *vars(consent_models).values(),
        *vars(exchange_models).values(),
        *vars(credit_case_models).values(),
        *vars(credit_match_models).values(),
        *vars(credit_report_models).values(),
        *vars(access_models).values(),
        *vars(grant_models).values(),
        *vars(bulk_models).values(),
        *vars(catalogue_models).values(),
        *vars(subscription_models).values(),
    ]:
        # FastAPI drops members that are null, also from examples: put them back as they were written
        if isinstance(model, type) and issubclass(model, models.Answer) and model.__name__ in components:
            extra = model.model_config.get("json_schema_extra")
            components[model.__name__] |= extra if isinstance(extra, dict) else {}
    components.pop("HTTPValidationError", None)
    components.pop("ValidationError", None)
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods:
                operation = found["paths"][route.path_format][method.lower()]
                _describe_operation(operation, route)
                _say_of_when(operation, found["components"]["schemas"])
    found["components"]["headers"] = answer_headers.components()
    links.add(found)
    examples.add(found)
    app.openapi_schema = found
    return found


def _describe_operation(operation: dict[str, Any], route: APIRoute) -> None:
    operation["responses"].pop("422", None)
    operation["summary"] = summary(operation["description"])
    if is_named_write(route):
        operation["parameters"] = [*operation.get("parameters", ()), _IDEMPOTENCY_KEY]
    by_status: dict[int, list[ProblemType]] = {}
    possible = list(_problems_of(route))
    for kind in possible:
        by_status.setdefault(kind.status, []).append(kind)
    for status, kinds in sorted(by_status.items()):
        operation["responses"][str(status)] = _response(kinds, route)
    has_versions = problems.VERSION_ENDED in possible
    answer_headers.add(operation, route, is_named_write=is_named_write(route), has_versions=has_versions)


def _say_of_when(operation: Mapping[str, Any], shapes: Mapping[str, Any]) -> None:
    """An answer in JSON that has no ``as_of`` of its own has it above, unless it is a document, kept by its ETag."""
    for status, answer in operation["responses"].items():
        shape = answer.get("content", {}).get("application/json", {}).get("schema")
        if status < "300" and shape and "ETag" not in answer["headers"]:
            members = shapes.get(shape.get("$ref", "").rpartition("/")[2], {}).get("properties", {})
            if "as_of" not in members:
                answer.setdefault("headers", {}).setdefault(AS_OF, AGE[AS_OF])


def summary(description: str) -> str:
    """The first sentence of a description, and its Chinese words, which stand at its end."""
    text = " ".join(description.split())
    first = _SENTENCE.match(text)
    chinese = _CHINESE.search(text)
    english = (first[1] if first else text).rstrip(". ")
    return english if chinese is None or chinese[1] in english else f"{english} {chinese[1]}"


_SENTENCE = re.compile(r"(.+?)[.:;]\s")
_CHINESE = re.compile(r"[.)]\s([^.]*[\u4e00-\u9fff][^.]*?)[.。]?$")


def is_named_write(route: APIRoute) -> bool:
    """Whether it changes something for a known client, who may name the request so that it is done once."""
    changes = bool(set(route.methods) - {"GET", "HEAD"})
    return changes and route.path not in NO_WRITES and security.rule_of(route) is not security.public


_IDEMPOTENCY_KEY: dict[str, Any] = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": (
        "Names the request, so that sending it again within 24 hours does nothing again and gets the same answer."
        " 为请求命名：24小时内重发不会重复执行，并得到同一答复。"
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}


def _problems_of(route: APIRoute) -> Iterable[ProblemType]:
    rule: Callable[..., Any] | None = security.rule_of(route)
    yield from _COMMON
    if rule is security.sharing_client:
        yield from _IDENTIFIED
    elif rule is security.public and _TRUST & set(route.tags):
        yield from _DATABASE
    elif rule is not security.public:
        yield from _SECURED
    if route.path not in UNLOGGED:
        yield problems.NOT_LOGGED
    if set(route.methods) - {"GET", "HEAD"}:
        yield problems.TOO_SLOW
    if is_named_write(route):
        yield from (problems.IDEMPOTENCY_KEY_REUSED, problems.ALREADY_DONE, problems.STILL_UNDER_WAY)
    names = {field.alias for field in route.dependant.query_params} | {
        field.alias for inner in route.dependant.dependencies for field in inner.query_params
    }
    if "after" in names:
        yield problems.INVALID_CURSOR
    for pattern, kinds in _BY_PATH:
        if pattern.search(route.path):
            yield from kinds


_TRUST = {"trust", "credentials (VC API)", "catalogue"}
"""Routes that anyone may ask and that read the database."""
_BY_PATH: tuple[tuple[re.Pattern[str], tuple[ProblemType, ...]], ...] = tuple(
    (re.compile(pattern), kinds)
    for pattern, kinds in (
        (r"\{|/changes$|\.(json|pem)$", (problems.NOT_FOUND,)),
        (r"/changes$", (problems.CURSOR_TOO_OLD, problems.NOT_ACCEPTABLE)),
        (
            r"/changes$|/entities/|/datasets/\{dataset\}/|/exports",
            (problems.PURPOSE_NOT_GRANTED, problems.QUOTA_USED_UP, problems.VERSION_ENDED, problems.NOT_READY),
        ),
        (r"/changes$|/entities/|/datasets/\{dataset\}/|/exports|/quarantine/", (problems.PERSONAL_UNAVAILABLE,)),
        (r"/credit/|/licences|\{copy\}|^/credentials/issue|^/elssp/", (problems.PERSONAL_UNAVAILABLE,)),
        (r"/grants/requests$|/grants/.*\}/", (problems.INVALID_BODY, problems.GRANT_REFUSED)),
        (r"/subscriptions$", (problems.SUBSCRIPTION_REFUSED, problems.NOT_FOUND)),
        (
            r"/subscriptions$|/\{subscription\}/(replay|dead-letters)",
            (problems.PURPOSE_NOT_GRANTED, problems.VERSION_ENDED),
        ),
        (r"/dead-letters$", (problems.NOT_READY,)),
        (
            r"/subscriptions$|/(replay|redeliver|secret)$",
            (problems.INVALID_BODY, problems.INVALID_CURSOR, problems.CURSOR_TOO_OLD, problems.SIGNING_UNAVAILABLE),
        ),
        (r"/\{subscription\}/", (problems.SUBSCRIPTION_REFUSED,)),
        (r"\{entity\}", (problems.INVALID_ENTITY_CODE,)),
        (r"\{enterprise\}", (problems.INVALID_ENTITY_CODE, problems.AMBIGUOUS_IDENTIFIER)),
        (r"\{identifier\}", (problems.MALFORMED_IDENTIFIER, problems.WRONG_CHECK_CHARACTER)),
        (r"/(licences|copies)/\{\w+\}$", (problems.NOT_ACCEPTABLE,)),
        (r"^/api/v1/licences$", (problems.NOT_FOUND,)),
        (r"/(licences|copies)", (problems.NOT_READY,)),
        (r"/copies$", (problems.INVALID_BODY, problems.LICENCE_NOT_VALID)),
        (r"^/credentials|^/presentations", (problems.INVALID_BODY, problems.DOCUMENT_REFUSED)),
        (r"/verify$", (problems.UNSUPPORTED_MEDIA_TYPE, problems.NOT_READY)),
        (r"^/credentials/(issue|status)$", (problems.CREDENTIAL_REFUSED,)),
        (r"^/credentials/(issue|status)$|\{identifier\}|\{copy\}|trust-list", (problems.SIGNING_UNAVAILABLE,)),
        (r"\{enterprise\}/(lending|credit|report)$", (problems.CONSENT_REQUIRED,)),
        (r"/double-publicity/", (problems.NOT_ACCEPTABLE,)),
        (r"\{enterprise\}/report$", (problems.NOT_ACCEPTABLE, problems.SIGNING_UNAVAILABLE)),
        (r"/credit/consents$", (problems.INVALID_BODY, problems.CREDIT_REFUSED)),
        (r"/credit/cases$|/credit/cases/\{case\}/", (problems.INVALID_BODY, problems.CREDIT_REFUSED)),
        (r"/credit/cases", (problems.NOT_READY,)),
        (r"/credit/matches/\{match\}/", (problems.INVALID_BODY, problems.CREDIT_REFUSED)),
        (r"/audit/checkpoint$", (problems.SIGNING_UNAVAILABLE,)),
        (r"/audit/proof/", (problems.NOT_FOUND,)),
        (r"/exports$", (problems.INVALID_BODY, problems.TOO_MANY_EXPORTS)),
        (r"/exports/\{export\}/parts/", (problems.EXPORT_ENDED, problems.NOT_ACCEPTABLE)),
        (r"/records/lookup$", (problems.INVALID_BODY,)),
        (r"/token$", (problems.INVALID_CLIENT, problems.INVALID_SCOPE, problems.TOO_MANY_ATTEMPTS, *_DATABASE)),
        (r"^/readyz$", (problems.NOT_READY,)),
    )
)


def _response(kinds: list[ProblemType], route: APIRoute) -> dict[str, Any]:
    media_type = "application/json" if route.path.endswith("/token") else problems.MEDIA_TYPE
    shown = {
        kind.name: {"value": body(problems.Problem(kind), route.path, "4f0c2f6f3bb7443f9a0e6c1d2b3a4958")}
        for kind in kinds
    }
    response: dict[str, Any] = {
        "description": "; ".join(f"{kind.en} {kind.zh}" for kind in kinds),
        "content": {media_type: {"schema": _only(kinds), "examples": shown}},
    }
    if any(kind.retry_after for kind in kinds):
        response["headers"] = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}
    return response


def _only(kinds: list[ProblemType]) -> dict[str, Any]:
    """The shape of problem details of one of these types."""
    types = sorted({kind.address for kind in kinds})
    return {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"type": {"enum": types}}}]}
