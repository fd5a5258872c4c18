"""Tells Honeybadger what went wrong, in web and workers alike: who, what and where, and no secrets.

`notify()` never raises and never keeps a request waiting. How notices travel is in sender.py, what is cut out of
them in scrub.py.
"""

import atexit
import logging
import os
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from app.config import Settings
from app.helpers import context as current_context
from app.helpers.honeybadger_client import Notice, client
from app.helpers.scrub import Scrubber, fit
from app.helpers.sender import Sender, send

logger = logging.getLogger(__name__)
MAX_FRAMES = 60  # the library reads a file per frame, and a runaway recursion has a thousand
PASSWORD_IN_URL = re.compile(r"[^:]+://[^:@/]*:([^@]+)@")
UNREPORTED = ["KeyboardInterrupt", "SystemExit", "ConfigError"]  # ways to end that the person at the terminal sees


class _State:
    """What configure() and a fork replace."""

    enabled = False
    scrubber = Scrubber()
    sender: Sender


def configure(settings: Settings) -> None:
    """Takes over the client. Without a key nothing is sent; with one everything is, whichever the environment."""
    _State.enabled = settings.honeybadger_api_key is not None
    _State.scrubber = Scrubber(_secrets(settings))
    # Every option is given, because the library also reads HONEYBADGER_… variables that are none of our settings.
    client.configure(
        api_key=settings.honeybadger_api_key or "",
        endpoint=settings.honeybadger_endpoint,
        environment=settings.honeybadger_environment,
        project_root=str(settings.root_dir),
        development_environments=[],
        force_report_data=True,
        force_sync=True,  # in our own thread, not in one thread per notice
        excluded_exceptions=UNREPORTED,
        report_local_variables=False,
        params_filters=[],  # scrub.py does it, deeply
        before_notify=_take_over,
        before_event=lambda _event: False,
        insights_enabled=False,
        events_timeout=1.0,
        events_throttle_wait=0.5,
    )


def enabled() -> bool:
    return _State.enabled


def notify(
    error: BaseException | None = None,
    *,
    error_class: str | None = None,
    message: str | None = None,
    context: Mapping[str, Any] | None = None,
    fingerprint: str | None = None,
    tags: tuple[str, ...] = (),
    token: str | None = None,
    request: Mapping[str, Any] | None = None,
    wait: bool = False,
) -> bool:
    """Reports an exception, or anything else by a class and a message. False: try again later, with the same `token`.

    With `wait` it is sent before this returns, within seconds; else it is queued. `token` is the notice's own id, by
    which the collector knows a repeat. `request` holds url, component, action, params and cgi_data of a web request.
    Where reporting is off nobody is to be told, and the answer is True.
    """
    try:
        if not _State.enabled:
            kind = error_class or (type(error).__name__ if error else "Notice")
            text = _State.scrubber.text(f"{kind}: {message or ''}")
            logger.info("Not reported, as HONEYBADGER_API_KEY is not set: %s", text)
            return True
        try:
            notice = _finish(_notice(error, error_class, message, context, fingerprint, tags), token, request)
        except Exception as trouble:
            notice = _finish(_stand_in(error, error_class, trouble), token, None)
        return send(notice)[0] if wait else _State.sender.put(notice)
    except Exception:
        logger.exception("A notice for Honeybadger could not be made")
        return False


def flush(timeout: float = 5.0) -> bool:
    """Sends what is queued, before the process may end; True if nothing is left. Call it before `os._exit`."""
    return _State.sender.flush(timeout)


def _notice(
    error: BaseException | None,
    error_class: str | None,
    message: str | None,
    context: Mapping[str, Any] | None,
    fingerprint: str | None,
    tags: tuple[str, ...],
) -> Any:
    known = current_context.get()
    return Notice(
        exception=error,
        error_class=error_class or "Notice",
        error_message=message if error else message or error_class or "Notice",
        exc_traceback=_innermost(error.__traceback__) if error else None,
        context={**known.fields(), **(context or {})},
        fingerprint=fingerprint,
        tags=list(tags),
        config=client.config,
        request_id=known.request_id,
    )


def _innermost(traceback: TracebackType | None) -> TracebackType | None:
    frames, last = 0, traceback
    while last is not None:
        frames, last = frames + 1, last.tb_next
    while traceback is not None and frames > MAX_FRAMES:
        frames, traceback = frames - 1, traceback.tb_next
    return traceback


def _finish(notice: Any, token: str | None = None, request: Mapping[str, Any] | None = None) -> Any:
    """Completes and scrubs the payload, which the library makes on first use and keeps."""
    scrubber, payload = _State.scrubber, notice.payload
    error = payload["error"]
    if token is not None:
        error["token"] = token
    for part in (error, *error["causes"]):
        part["message"] = scrubber.text(str(part["message"]))
    error["backtrace"] = _without_us(error["backtrace"])[:MAX_FRAMES]
    error["tags"] = scrubber.data(error["tags"])
    if error.get("fingerprint"):
        error["fingerprint"] = scrubber.text(error["fingerprint"])
    payload["request"] = scrubber.data({**payload["request"], **(request or {})})
    for part in {"context", "params"} & payload["request"].keys():
        payload["request"][part] = fit(payload["request"][part])
    payload["correlation_context"] = scrubber.data(payload.get("correlation_context", {}))
    return notice


def _without_us(backtrace: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A notice without an exception shows the stack; it begins with whoever called us, not with how it was made."""
    ours = [position for position, frame in enumerate(backtrace) if frame["file"].endswith("app/helpers/monitoring.py")]
    return backtrace[ours[-1] + 1 :] if ours else backtrace


def _stand_in(error: BaseException | None, error_class: str | None, trouble: Exception) -> Any:
    """For an error whose own text or context can't be read: better this than silence."""
    kind = error_class or (type(error).__name__ if error else "Notice")
    return _notice(None, kind, f"(its details could not be read: {type(trouble).__name__})", None, None, ())


def _take_over(notice: Any) -> None:
    """Notices that the library makes by itself, of what ends the process above all, go the same way as ours."""
    try:
        if _State.enabled and not notice.excluded_exception():
            notice.context = {**current_context.get().fields(), **notice.context}
            _State.sender.put(_finish(notice))
    except Exception:
        logger.exception("A notice for Honeybadger could not be made")


def _loss_notice(lost: int) -> Any:
    return _finish(_notice(None, "NoticesLost", f"{lost} earlier notices could not be delivered", None, None, ()))


def _secrets(settings: Settings) -> list[str | None]:
    found = [settings.secret_key, settings.supervisor_password, settings.honeybadger_api_key]
    urls = (settings.database_url, settings.redis_url, settings.smtp_url or "")
    passwords = [there[1] for there in map(PASSWORD_IN_URL.match, urls) if there]
    return [*found, *passwords, *map(unquote, passwords)]


def _start_afresh() -> None:
    """A forked child has neither the thread nor, for certain, the locks; what its parent queued, its parent sends."""
    _State.sender = Sender(_loss_notice)


_start_afresh()
os.register_at_fork(after_in_child=_start_afresh)
atexit.register(flush)
