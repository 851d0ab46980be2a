"""What a client's library needs to know to get tokens here (RFC 8414)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from registry.api import models
from registry.api.access.security import Public
from registry.api.clients.credentials import Method
from registry.api.clients.public_keys import ALGORITHMS
from registry.api.representations import answer
from registry.api.state import state_of

router = APIRouter(tags=["token"], dependencies=[Public])


@router.get("/.well-known/oauth-authorization-server", response_model=models.AuthorizationServer)
async def metadata(request: Request) -> Response:
    """How tokens are asked for: addresses, ways to prove who a client is, algorithms. 令牌服务元数据."""
    settings = state_of(request).settings
    methods = ["client_secret_basic", "client_secret_post", Method.KEY.value]
    if settings.access.sees_certificates:
        methods.append(Method.CERTIFICATE.value)
        methods += [Method.PKI.value] if settings.access.client_authorities else []
    content = {
        "issuer": settings.base,
        "token_endpoint": f"{settings.base}/api/v1/token",
        "jwks_uri": f"{settings.base}/.well-known/jwks.json",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": settings.access.sees_certificates,
        "service_documentation": f"{settings.base}/docs",
    }
    return answer(content, headers={"Cache-Control": "public, max-age=300"})
