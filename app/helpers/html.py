"""Pages for guests, at addresses outside the API: HTML for browsers, JSON for other clients, as `Accept` says. Whoever
has such an address has what it opens: so nobody keeps it, hands it on or finds it. A page loads nothing from others."""

from flask import Flask, Response, render_template, request

ROOTS = ("invitations", "unsubscribe")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Robots-Tag": "noindex",
}
# What a guest reads instead of a problem: its heading, and what to do.
WORDS = {
    404: (
        "This link does not work",
        "It is not complete, or was taken back. Open it from the mail once more, or ask whoever sent it for a new one.",
    ),
    409: ("The event has begun", "Answers can’t be changed any more."),
    422: ("Please choose an answer", "Go back, and press one of the buttons."),
}
OTHERWISE = ("That did not work", "Please try again in a few minutes.")


def init(app: Flask) -> None:
    app.after_request(_protect)


def is_page(path: str) -> bool:
    """By the first part of the path, so that an address that was cut short is one, too."""
    return path.split("/")[1] in ROOTS


def is_wanted() -> bool:
    """Whether to answer this request in HTML. Who does not say what it takes gets JSON."""
    kinds = ("application/json", "text/html")
    return is_page(request.path) and request.accept_mimetypes.best_match(kinds) == "text/html"


def refusal(status: int, headers: dict[str, str], request_id: str | None) -> Response:
    """The page for a problem."""
    heading, text = WORDS.get(status, OTHERWISE)
    page = render_template("refusal.html", heading=heading, text=text, status=status, request_id=request_id)
    return Response(page, status, headers)


def _protect(response: Response) -> Response:
    if is_page(request.path):
        response.headers.update(HEADERS)
        response.vary.add("Accept")
    return response
