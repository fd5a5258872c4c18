"""Closed by default: which routes take callers without a token is written down here, and nowhere else changes it."""

OPEN = {
    "root.index",
    "root.healthz",
    "root.readyz",
    "root.problem",
    "docs.show",
    "docs.browse",
    "users.create",
    "users.authenticate",
    "links.show",
    "invitations.show",
    "invitations.answer",
    "unsubscribe.show",
    "unsubscribe.answer",
    "passwords.create",
    "passwords.confirm",
    "static",
}


def test_only_these_routes_are_open(app):
    from app.helpers.auth import is_open

    found = {rule.endpoint for rule in app.url_map.iter_rules() if is_open(app, rule.endpoint)}
    assert {name for name in found if not name.startswith("rq_dashboard.")} == OPEN


def test_every_other_route_answers_401_without_a_token(app, client):
    from app.helpers.auth import is_open

    for rule in app.url_map.iter_rules():
        if is_open(app, rule.endpoint):
            continue
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<int:{name}>", "1").replace(f"<uuid:{name}>", "0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee")
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            assert client.open(path, method=method).status_code == 401, f"{method} {path}"


def test_operators_pages_are_closed(app, client):
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/internal"):
            assert client.get("/internal/rq/").status_code == 401
