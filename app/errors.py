"""What can go wrong, as exceptions. The docstring is the message unless one is given; `status` is the HTTP code
and `slug` names the problem type (`/problems/<slug>`). `helpers/problems.py` gives them their shape.

    AppError ── BadInput ── MalformedJson, MalformedRequest, ValidationFailed, EmailInUse …
             ── Unauthenticated, Forbidden, NotFound, Conflict, …
"""

from typing import Any


class ConfigError(Exception):
    """A setting is missing or bad. The message names it, in one line."""


class AppError(Exception):
    """Something went wrong."""

    status = 500
    slug = "internal-error"
    title = "Internal server error"

    def __init__(self, detail: str | None = None, *, headers: dict[str, str] | None = None, **extras: Any):
        """`extras` become members of the problem object beside the standard ones."""
        self.detail = detail or (self.__doc__ or "").strip()
        self.headers = headers or {}
        self.extras = extras
        super().__init__(self.detail)

    def to_problem(self, public_url: str) -> dict[str, Any]:
        """This error as a problem object (RFC 9457), without what only a request knows."""
        return {
            "type": f"{public_url}/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extras,
        }


class MalformedJson(AppError):
    """The body is not valid JSON."""

    status, slug, title = 400, "malformed-json", "Malformed JSON"


class MalformedRequest(AppError):
    """The request can't be understood."""

    status, slug, title = 400, "malformed-request", "Malformed request"


class Unauthenticated(AppError):
    """Send a valid token in the Authorization header: `Authorization: Bearer <token>`."""

    status, slug, title = 401, "unauthenticated", "Authentication needed"

    def __init__(self, detail: str | None = None, **extras: Any):
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="accepted"'}, **extras)


class Forbidden(AppError):
    """This account may not do that."""

    status, slug, title = 403, "forbidden", "Forbidden"


class NotFound(AppError):
    """There is nothing here under that address, or it is not yours."""

    status, slug, title = 404, "not-found", "Not found"


class MethodNotAllowed(AppError):
    """This address does not take that method."""

    status, slug, title = 405, "method-not-allowed", "Method not allowed"


class Conflict(AppError):
    """The request does not fit the present state of the resource."""

    status, slug, title = 409, "conflict", "Conflict"


class EmailInUse(Conflict):
    """An account with this e-mail address exists already."""

    slug, title = "email-in-use", "E-mail address in use"


class GuestExists(Conflict):
    """The event has a guest with this e-mail address already."""

    slug, title = "guest-exists", "Guest exists"


class JobNotFinished(Conflict):
    """The job has not finished yet."""

    slug, title = "job-not-finished", "Job not finished"


class JobNotCancelable(Conflict):
    """The job has finished: there is nothing left to cancel."""

    slug, title = "job-not-cancelable", "Job not cancelable"


class JobExpired(AppError):
    """The job finished so long ago that what it knew was deleted. Its `expires_at` had announced it."""

    status, slug, title = 410, "job-expired", "Job expired"


class JobFailed(AppError):
    """The job failed for a reason inside the server. The operators have been told."""

    slug, title = "job-failed", "Job failed"


class JobCrashed(JobFailed):
    """The job's worker died in the middle of it, again and again. The operators have been told."""

    slug, title = "job-crashed", "Job crashed"


class JobCanceled(AppError):
    """The job was canceled before it was finished."""

    status, slug, title = 409, "job-canceled", "Job canceled"


class ContentLost(AppError):
    """The bytes of this file are not there any more. The operators have been told; to upload them again mends it."""

    status, slug, title = 410, "content-lost", "Content lost"


class IdempotencyKeyInvalid(AppError):
    """`Idempotency-Key` must be 1 to 255 visible characters, bare or in double quotes."""

    status, slug, title = 400, "idempotency-key-invalid", "Idempotency key invalid"


class IdempotencyInProgress(Conflict):
    """The first request with this idempotency key has not been answered yet. Ask again."""

    slug, title = "idempotency-in-progress", "First request still in progress"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class IdempotencyKeyReused(AppError):
    """This idempotency key was used with another body before. A new request needs a new key."""

    status, slug, title = 422, "idempotency-key-reused", "Idempotency key reused"


class PreconditionFailed(AppError):
    """The resource was changed since you read it: its ETag is another one than `If-Match` says."""

    status, slug, title = 412, "precondition-failed", "Precondition failed"


class PayloadTooLarge(AppError):
    """The body is too large."""

    status, slug, title = 413, "payload-too-large", "Payload too large"


class QuotaExceeded(PayloadTooLarge):
    """With this file, the account's files would hold more than they may. Delete some first."""

    slug, title = "quota-exceeded", "Quota exceeded"


class LengthRequired(AppError):
    """Send Content-Length, or Content-Digest with a chunked body: else one that was cut off would look whole."""

    status, slug, title = 411, "length-required", "Length required"


class RangeNotSatisfiable(AppError):
    """The file is shorter than that: `Content-Range` says how long it is."""

    status, slug, title = 416, "range-not-satisfiable", "Range not satisfiable"


class UnsupportedMediaType(AppError):
    """Send the body as JSON, with `Content-Type: application/json`."""

    status, slug, title = 415, "unsupported-media-type", "Unsupported media type"


class ValidationFailed(AppError):
    """The body does not fit: see `errors`."""

    status, slug, title = 422, "validation-error", "Validation failed"


class DigestMismatch(AppError):
    """What arrived is not what its digest says. Send it again."""

    status, slug, title = 422, "digest-mismatch", "Digest mismatch"


class PreviewImpossible(AppError):
    """No preview can be made of this file."""

    status, slug, title = 422, "preview-impossible", "Preview impossible"
    exit_code = 3  # of the process that opened the file


class RateLimited(AppError):
    """There were too many requests: wait as many seconds as `Retry-After` says, then go on."""

    status, slug, title = 429, "rate-limited", "Too many requests"


class Unavailable(AppError):
    """The server can't do this at the moment. Try again."""

    status, slug, title = 503, "unavailable", "Temporarily unavailable"

    def __init__(self, detail: str | None = None, **extras: Any):
        super().__init__(detail, headers={"Retry-After": "2"}, **extras)


def problem_types() -> dict[str, type[AppError]]:
    """Every problem type by its slug: the pages under `/problems/` and the documentation are made from this."""
    found: dict[str, type[AppError]] = {}
    waiting: list[type[AppError]] = [AppError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.slug, kind)
        waiting.extend(kind.__subclasses__())
    return dict(sorted(found.items()))
