"""Alice (the owner), Bob (a stranger): a signed-in client each."""

from typing import Any, Self

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

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
