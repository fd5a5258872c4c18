"""Clients whose answers are lost on the way send again, several at a time: the work is done once for each key."""

import json
import random
import socket
import threading

from copies import Copy
from effort import IN_CI

LOGICAL_REQUESTS = 1000 if IN_CI else 250
SENDERS = 8


class DroppingProxy:
    """Passes requests on to the server and loses a third of the answers, half of them in the middle."""

    def __init__(self, port: int, seed: int):
        self.target = port
        self.random = random.Random(seed)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._pass_on, args=(client, self.random.random()), daemon=True).start()

    def _pass_on(self, client: socket.socket, luck: float) -> None:
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            server.sendall(client.recv(65536))
            answer = b""
            while part := server.recv(65536):
                answer += part
            client.sendall(answer if luck > 1 / 3 else answer[:20] if luck > 1 / 6 else b"")


def send(port: int, token: str, key: str, number: int) -> bytes | None:
    """The body of the answer, or None if it was lost."""
    body = json.dumps({"text": f"Task {number}", "due_at": "2099-01-01T00:00:00Z"}).encode()
    head = f"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Type: application/json\r\n"
    head += f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    status, _, rest = answer.partition(b"\r\n")
    if not rest:
        return None
    assert status == b"HTTP/1.1 201 Created", answer
    return rest.partition(b"\r\n\r\n")[2]


def test_requests_that_are_sent_one_to_five_times_do_their_work_once(server: Copy) -> None:
    _, account = server.ask("POST", "/api/v1/user", {"email": "lost-answers@example.com", "password": "correct horse"})
    proxy, generator = DroppingProxy(server.port, seed=11), random.Random(11)
    plan = [number for number in range(LOGICAL_REQUESTS) for _ in range(generator.randint(1, 5))]
    # Copies of a request are sent close together, so that some are under way at once.
    plan.sort(key=lambda number: number + generator.uniform(0, 5))
    answers: dict[int, set[bytes]] = {}
    lock, work = threading.Lock(), iter(plan)

    def sender() -> None:
        while True:
            with lock:
                number = next(work, None)
            if number is None:
                return
            body = send(proxy.port, account["token"], f"key-{number}", number)
            if body is not None:
                with lock:
                    answers.setdefault(number, set()).add(body)

    senders = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    proxy.listener.close()
    assert {len(bodies) for bodies in answers.values()} == {1}, "one key, two answers"
    assert (
        everything(server, account["token"], "tasks")
        == everything(server, account["token"], "jobs")
        == LOGICAL_REQUESTS
    )


def everything(server: Copy, token: str, what: str) -> int:
    """How many there are, page by page."""
    count, page_token = 0, ""
    while True:
        _, page = server.ask("GET", f"/api/v1/{what}?page_size=200{page_token}", token=token)
        count += len(page["items"])
        if "next_page_token" not in page:
            return count
        page_token = f"&page_token={page['next_page_token']}"
