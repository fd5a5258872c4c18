"""The brief's own campaign paths, as version 0."""

import pytest
from campaigns import new_campaign


def test_life_of_a_campaign(alice):
    assert alice.get("/campaigns/").json == []
    made = alice.post("/campaigns/", json={"name": "News", "description": "For all", "is_active": False})
    assert made.status_code == 201
    campaign = made.json
    assert campaign == {"id": campaign["id"], "name": "News", "description": "For all", "is_active": False}
    assert alice.get(f"/campaigns/{campaign['id']}").json == campaign
    assert alice.get("/campaigns/").json == [campaign]
    shown = alice.get(f"/api/v1/campaigns/{campaign['id']}").json
    assert (shown["name"], shown["active"], shown["status"]) == ("News", False, "draft")


def test_name_is_enough(alice):
    made = alice.post("/campaigns/", json={"name": "News", "goal": 7})
    assert made.json == {"id": made.json["id"], "name": "News", "description": "", "is_active": True}


def test_slash_at_the_end_may_be_left_out(alice):
    assert alice.post("/campaigns", json={"name": "News"}).status_code == 201
    assert len(alice.get("/campaigns").json) == 1


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": 5}, {"name": None}, {"name": "x", "is_active": "maybe"}, [], "x"]
)
def test_bad_campaign_is_422(alice, body):
    answer = alice.post("/campaigns/", json=body)
    assert (answer.status_code, set(answer.json)) == (422, {"error"})
    assert alice.get("/campaigns/").json == []


def test_no_json_is_415(alice):
    assert alice.post("/campaigns/", data="name=x").status_code == 415


@pytest.mark.parametrize("text", ["abc", "1.5", "1e3", "١", "%201", "0x1", "None"])
def test_id_that_is_no_integer_is_422(alice, text):
    answer = alice.get(f"/campaigns/{text}")
    assert (answer.status_code, set(answer.json)) == (422, {"error"})


@pytest.mark.parametrize("text", ["0", "-1", "999999", str(2**63), str(2**64), "9" * 5000, "1/2"])
def test_unknown_id_is_404(alice, text):
    answer = alice.get(f"/campaigns/{text}")
    assert (answer.status_code, set(answer.json)) == (404, {"error"})


def test_other_peoples_campaigns_are_404(alice, bob):
    campaign = new_campaign(alice)
    assert bob.get(f"/campaigns/{campaign['id']}").status_code == 404
    assert bob.get("/campaigns/").json == []


def test_token_is_needed(client):
    for path in ("/campaigns/", "/campaigns/1"):
        answer = client.get(path)
        assert (answer.status_code, set(answer.json)) == (401, {"error"})


def test_every_answer_points_to_the_successor(alice):
    for answer in (alice.get("/campaigns/"), alice.post("/campaigns/", json={}), alice.get("/campaigns/x")):
        assert answer.headers["Deprecation"] == "@1795219200"
        assert answer.headers["Sunset"] == "Mon, 01 Jan 2029 00:00:00 GMT"
        assert answer.headers["Link"] == '</api/v1/campaigns>; rel="successor-version"'
