"""Alice (the owner), Bob (a stranger): a signed-in client each."""

from typing import Any, Self

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.db import session
from app.helpers.passwords import hash_password
from app.helpers.tokens import make_token
from app.models import User

PASSWORD = "correct horse battery"


class Person:
    """Sends requests with this account's token."""

    def __init__(self, client: FlaskClient, email: str, user_id: int, token: str):
        self.client, self.email, self.id, self.token = client, email, user_id, token

    @classmethod
    def sign_up(cls, client: FlaskClient, email: str) -> Self:
        answer = client.post("/api/v1/user", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        return cls(client, email, answer.json["id"], answer.json["token"])

    @classmethod
    def settle_in(cls, client: FlaskClient, email: str) -> Self:
        """With an account that is simply there: most tests begin so, and signing up has tests of its own."""
        key, password_hash = User.key_of(email), hash_password(PASSWORD)
        user = User.create(email=email, email_key=key, password_hash=password_hash)
        person = cls(client, email, user.id, make_token(user))
        session.commit()
        session.remove()
        return person

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.send("GET", path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.send("POST", path, **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        return self.send("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        return self.send("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.send("DELETE", path, **options)
