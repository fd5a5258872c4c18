"""Which web pages may call the API from a browser: those of the origins that `CORS_ORIGINS` names, and by default none.

The operators' pages are never among what is shared, and no answer allows credentials: tokens travel in a header.
"""

from flask import Flask, Response, request

from app.config import Settings

PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-Request-Id"
    ),
    "Access-Control-Max-Age": "7200",  # seconds; browsers keep it no longer anyway
}
EXPOSED = (
    "Location, ETag, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, Idempotency-Replayed, Link, Deprecation, "
    "Sunset"
)


def init(app: Flask, settings: Settings) -> None:
    """Before auth.py, since a browser asks for permission without a token."""
    if not settings.cors_origins:
        return
    origins = frozenset(settings.cors_origins)

    @app.before_request
    def answer_preflight() -> Response | None:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204, headers=PREFLIGHT) if asks and _is_shared_with(origins) else None

    @app.after_request
    def share(response: Response) -> Response:
        response.vary.add("Origin")  # on every answer, or a cache gives one site's answer to another
        if _is_shared_with(origins):
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response


def _is_shared_with(origins: frozenset[str]) -> bool:
    return request.headers.get("Origin") in origins and not request.path.startswith("/internal")
