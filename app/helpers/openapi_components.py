"""The shared parts of the OpenAPI document: headers, parameters, the shape of a problem, and how schemas refer to each
other."""

from typing import Any

from app.helpers.pages import LARGEST_PAGE, PAGE_SIZE

HEADERS = {
    "Location": ("Where the new resource or the job is.", {"type": "string"}),
    "ETag": ("The version of the resource, for `If-Match` and `If-None-Match`.", {"type": "string"}),
    "Retry-After": ("Seconds until it is worth asking again.", {"type": "integer"}),
    "RateLimit": ("What is left of each limit, and the seconds until it is full again.", {"type": "string"}),
    "RateLimit-Policy": ("The limits, and the seconds that they count over.", {"type": "string"}),
    "X-Request-Id": ("The id of this request: yours if it was well formed, else ours.", {"type": "string"}),
    "WWW-Authenticate": ("How to authenticate.", {"type": "string"}),
    "Idempotency-Replayed": ("There, and `true`, if this is the first answer again.", {"type": "string"}),
    "Preference-Applied": ("There if `Prefer` was heeded: `wait=10`.", {"type": "string"}),
    "Content-Range": ("Which bytes these are, and of how many.", {"type": "string"}),
    "Accept-Ranges": ("That a range may be asked for.", {"type": "string"}),
    "Deprecation": ("Since when this version is deprecated (RFC 9745).", {"type": "string"}),
    "Sunset": ("When this version may go (RFC 8594).", {"type": "string"}),
    "Link": ("Where the successor is.", {"type": "string"}),
}
PARAMETERS = {
    "PageSize": {
        "name": "page_size",
        "in": "query",
        "description": f"How many at most; more than {LARGEST_PAGE} counts as {LARGEST_PAGE}.",
        "schema": {"type": "integer", "minimum": 1, "default": PAGE_SIZE},
    },
    "PageToken": {
        "name": "page_token",
        "in": "query",
        "description": "`next_page_token` of the page before, with the same `sort`.",
        "schema": {"type": "string"},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A key of your own for this request: sent again, it gets the first answer. Kept a week.",
        "schema": {"type": "string", "pattern": "^[!#-~][!-~]{0,254}$", "maxLength": 255},
    },
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=N`: answer when the job has moved, or in N seconds; at most 30 (RFC 7240).",
        "schema": {"type": "string"},
    },
    "LastEventId": {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The `id` of the last event that you have: only later ones come.",
        "schema": {"type": "string"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "Change it only if its ETag is still this one.",
        "schema": {"type": "string"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "Answer 304 if its ETag is still this one.",
        "schema": {"type": "string"},
    },
}
PROBLEM = {
    "type": "object",
    "description": "RFC 9457.",
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Leads to a page about this type of problem."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "How to put it right."},
        "instance": {"type": "string"},
        "request_id": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "description": "All that does not fit, at once.",
            "items": {
                "type": "object",
                "properties": {
                    "detail": {"type": "string"},
                    "pointer": {"type": "string", "description": "JSON Pointer into the body."},
                    "parameter": {"type": "string", "description": "Name of a query parameter."},
                },
                "required": ["detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
}
PROBLEM_V0 = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}


def reference(schema: Any, schemas: dict[str, Any]) -> Any:
    """The schema with every part that has a title moved to `schemas` and referred to."""
    if isinstance(schema, list):
        return [reference(part, schemas) for part in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {name: part if name == "examples" else reference(part, schemas) for name, part in schema.items()}
    if not isinstance(schema.get("title"), str):
        return whole
    schemas[schema["title"]] = whole
    return {"$ref": f"#/components/schemas/{schema['title']}"}
