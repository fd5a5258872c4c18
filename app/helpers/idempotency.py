"""`Idempotency-Key` on POST: the same request sent again gets the first answer, and the work is done once.

The key's row is written in the transaction of the work itself, so both are there or neither; the unique key decides
between requests that come at once. Only answers below 400 are kept: what was refused may be tried again.
"""

import hashlib
import re
from typing import Any

from flask import Flask, Response, g, json, request
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError

from app.db import insert_unless_there, session
from app.errors import IdempotencyInProgress, IdempotencyKeyInvalid, IdempotencyKeyReused
from app.helpers import context, html
from app.helpers.tokens import make_token
from app.models import IdempotencyKey, User

BARE = re.compile(r"[\x21\x23-\x7e][\x21-\x7e]{0,254}", re.ASCII)
QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"', re.ASCII)
WAIT_MS = 2000  # for a first request that is still being answered; after that, 409


def init(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_keep)


def _begin() -> Response | None:
    """Claims the key for this request; or the first answer again; or a refusal."""
    if request.method != "POST" or "Idempotency-Key" not in request.headers or request.routing_exception:
        return None
    if html.is_wanted():
        return None  # a page says what is so now; the first one is not kept
    fingerprint = _hash(_canonical_body())
    account_id = context.get().account_id
    # Without an account nobody owns a key: there the body belongs to it, so that strangers never meet.
    owner = str(account_id) if account_id is not None else f"anonymous {fingerprint}"
    scope = _hash("\n".join([owner, request.path, _key()]).encode())
    if _claim(scope, fingerprint, account_id):
        g.idempotency_scope = scope
        return None
    first = session.scalars(select(IdempotencyKey).where(IdempotencyKey.scope == scope)).one_or_none()
    if first is None or first.status is None:
        raise IdempotencyInProgress
    if first.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    return _again(first)


def _key() -> str:
    given = request.headers["Idempotency-Key"].strip()
    quoted = QUOTED.fullmatch(given)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[1])
    if not BARE.fullmatch(given):
        raise IdempotencyKeyInvalid
    return given


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical_body() -> bytes:
    """The same for bodies that mean the same: JSON with sorted names; a file by its content; else the bytes as they
    are."""
    if "upload" in g:
        fingerprint: bytes = g.upload.fingerprint
        return fingerprint
    data = request.get_data()
    try:
        return json.dumps(json.loads(data), sort_keys=True, ensure_ascii=True).encode()
    except (ValueError, RecursionError):
        return data


def _claim(scope: str, fingerprint: str, account_id: int | None) -> bool:
    """True if the key was free. PostgreSQL lets us wait here while another request holds it."""
    postgresql = session.get_bind().dialect.name == "postgresql"
    if postgresql:
        session.execute(text(f"SET LOCAL lock_timeout = {WAIT_MS}"))
    insert = insert_unless_there(IdempotencyKey, index_elements=["scope"])
    row = {"scope": scope, "fingerprint": fingerprint, "account_id": account_id}
    try:
        claimed = session.execute(insert.values(**row).returning(IdempotencyKey.scope)).one_or_none()
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
            raise IdempotencyInProgress from None
        raise
    if postgresql:
        session.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
    return claimed is not None


def _again(first: IdempotencyKey) -> Response:
    body = first.body or ""
    if first.body and '"token"' in first.body:
        body = _with_token(json.loads(first.body))
    response = Response(body, first.status or 200, content_type="application/json")
    if first.location:
        response.headers["Location"] = first.location
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _with_token(body: dict[str, Any]) -> str:
    """A signed token is made again, as it was: if its sessions were ended since, it is no good. One that is shown only
    once stays unseen."""
    if body.get("token") is not None:
        body["token"] = make_token(User.find_or_fail(body["id"]), version=body["token"])
    return json.dumps(body)


def _keep(response: Response) -> Response:
    """Notes the answer with the key, before the transaction is settled."""
    scope = g.pop("idempotency_scope", None)
    if scope is not None and response.status_code < 400:
        body = response.get_data(as_text=True)
        if '"token"' in body:
            body = _without_token(json.loads(body))
        values = {"status": response.status_code, "location": response.headers.get("Location"), "body": body}
        session.execute(update(IdempotencyKey).where(IdempotencyKey.scope == scope).values(**values))
    return response


def _without_token(body: dict[str, Any]) -> str:
    """No secret is stored: of a signed token its version, from which it can be made again; of any other nothing."""
    if "token" in body:
        signed = set(body) == {"id", "token"}
        body["token"] = User.find_or_fail(body["id"]).token_version if signed else None
    return json.dumps(body)
