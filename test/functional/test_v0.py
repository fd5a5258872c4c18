"""The brief's own task paths, as version 0."""

import pytest


def test_life_of_a_task(alice):
    made = alice.post("/task", json={"text": "Einkaufen"})
    assert made.status_code == 201
    task = made.json["result"]
    assert task == {"id": task["id"], "text": "Einkaufen", "status": 0}
    assert alice.get("/tasks").json == {"result": [task]}
    changed = alice.put(f"/task/{task['id']}", json={"id": 99, "text": "Eingekauft", "status": 1})
    assert changed.status_code == 200
    assert changed.json == {"result": {"id": task["id"], "text": "Eingekauft", "status": 1}}
    assert alice.get(f"/api/v1/tasks/{task['id']}").json["done"] is True
    assert alice.delete(f"/task/{task['id']}").json == {"success": True}
    assert alice.get("/tasks").json == {"result": []}


def test_every_answer_points_to_the_successor(alice, client):
    for answer in (
        alice.get("/tasks"),
        alice.post("/task", json={}),
        alice.put("/task/99", json={}),
        client.get("/tasks"),
    ):
        assert answer.headers["Deprecation"] == "@1795219200"
        assert answer.headers["Sunset"] == "Mon, 01 Jan 2029 00:00:00 GMT"
        assert answer.headers["Link"] == '</api/v1/tasks>; rel="successor-version"'


def test_token_is_needed(client):
    answer = client.get("/tasks")
    assert answer.status_code == 401
    assert set(answer.json) == {"error"}


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": 5}, {"text": None}, {"text": "x", "status": 2}, [], "x"])
def test_bad_task_is_400(alice, body):
    answer = alice.post("/task", json=body)
    assert answer.status_code == 400
    assert set(answer.json) == {"error"}
    assert alice.get("/tasks").json == {"result": []}


def test_no_json_is_415(alice):
    assert alice.post("/task", data="text=x").status_code == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_unknown_and_other_peoples_tasks_are_404(alice, bob, method):
    task = alice.post("/task", json={"text": "mine"}).json["result"]
    for path in ("/task/999999", f"/task/{2**64}", "/task/x", "/task/1/2"):
        answer = alice.send(method, path, json={"text": "x"})
        assert (answer.status_code, set(answer.json)) == (404, {"error"})
    assert bob.send(method, f"/task/{task['id']}", json={"text": "x"}).status_code == 404
    assert alice.get("/tasks").json == {"result": [task]}
