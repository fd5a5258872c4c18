"""`/api/v1/campaigns`: written, found, changed, deleted, previewed."""

import pytest
from campaigns import TEXT, add_guests, event_with, launched, new_campaign, show
from sqlalchemy import select, update

from app.db import session
from app.models import Campaign, Event, File, Guest

STATES = ["pending", "sending", "sent", "failed", "unknown", "skipped"]


def set_status(campaign: dict, status: str) -> None:
    session.execute(update(Campaign).where(Campaign.id == campaign["id"]).values(status=status))
    session.commit()


def test_campaign_is_created_and_shown(alice):
    event_id = event_with(alice)
    fields = {**TEXT, "name": "Новости 🕯️", "description": "For all", "event_id": event_id}
    fields |= {"audience": {"status": ["accepted"], "role": ["vip"]}, "messages_per_minute": 60}
    answer = alice.post("/api/v1/campaigns", json=fields)
    assert answer.status_code == 201
    campaign = answer.json
    assert answer.headers["Location"] == f"/api/v1/campaigns/{campaign['id']}"
    assert {name: campaign[name] for name in fields} == fields
    assert (campaign["status"], campaign["active"], campaign["if_unknown"]) == ("draft", True, "leave")
    assert campaign["counts"] == dict.fromkeys(STATES, 0)
    assert campaign["links"]["launch"] == f"/api/v1/campaigns/{campaign['id']}/launch"
    assert campaign["links"]["job"] is None
    shown = alice.get(answer.headers["Location"])
    assert (shown.json, shown.headers["ETag"]) == (campaign, answer.headers["ETag"])


def test_name_is_enough(alice):
    campaign = alice.post("/api/v1/campaigns", json={"name": "x"}).json
    expected = {"subject": "", "body": "", "audience": {}, "event_id": None, "attachment": None}
    assert {name: campaign[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "pointer", "detail"),
    [
        ({"name": " "}, "#/name", "must be one line, not blank, without control characters"),
        ({"name": "x" * 201}, "#/name", "must have at most 200 characters"),
        ({"active": None}, "#/active", "must be true or false"),
        ({"event_id": 999}, "#/event_id", "there is no event with this id"),
        ({"event_id": 2**64}, "#/event_id", f"must be at most {2**63 - 1}"),
        ({"subject": "two\nlines"}, "#/subject", "must be one line"),
        ({"subject": "two\r"}, "#/subject", "must be one line, without control characters"),
        ({"subject": "{{ guest.phone }}"}, "#/subject", "there is no field guest.phone"),
        ({"body": "Dear {{ guest.name"}, "#/body", "two braces are there for fields alone"),
        ({"body": 5}, "#/body", "must be text"),
        ({"audience": {"status": ["gone"]}}, "#/audience/status/0", "must be one of added"),
        ({"audience": {"status": []}}, "#/audience/status", "[] should be non-empty"),
        ({"audience": {"email": ["x"]}}, "#/audience/email", "is not a known field"),
        ({"audience": None}, "#/audience", "must be an object"),
        ({"attachment": "0" * 64}, "#/attachment", "there is no file with this hash"),
        ({"attachment": "0" * 63}, "#/attachment", "has a wrong form"),
        ({"attachment": "0" * 64 + "\n"}, "#/attachment", "there is no file with this hash"),
        ({"messages_per_minute": 0}, "#/messages_per_minute", "must be at least 1"),
        ({"messages_per_minute": 100_001}, "#/messages_per_minute", "must be at most 100000"),
        ({"if_unknown": "guess"}, "#/if_unknown", "must be one of leave, send_again"),
        ({"status": "done"}, "#/status", "is not a known field"),
        ({"user_id": 1}, "#/user_id", "is not a known field"),
    ],
)
def test_bad_body_is_refused_and_nothing_is_written(alice, fields, pointer, detail):
    answer = alice.post("/api/v1/campaigns", json={"name": "News", **fields})
    assert answer.status_code == 422
    told = {error["pointer"]: error["detail"] for error in answer.json["errors"]}
    assert detail in told[pointer]
    assert alice.get("/api/v1/campaigns").json == {"items": []}


def test_everything_that_does_not_fit_is_told_at_once(alice):
    fields = {"subject": "{{ x }}", "body": "}}", "event_id": 999, "attachment": "0" * 32}
    answer = alice.post("/api/v1/campaigns", json={"name": "News", **fields})
    pointers = [error["pointer"] for error in answer.json["errors"]]
    assert pointers == ["#/subject", "#/body", "#/event_id", "#/attachment"]


def test_other_peoples_events_and_files_are_not_there(alice, bob):
    event_id, file = event_with(bob), bob.post("/api/v1/files", data=b"\0x").json
    answer = alice.post("/api/v1/campaigns", json={"name": "x", "event_id": event_id, "attachment": file["sha256"]})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["#/event_id", "#/attachment"]


@pytest.mark.parametrize("digest", ["sha256", "sha1", "md5"])
def test_attachment_is_named_by_any_hash_and_kept_by_its_sha256(alice, digest):
    file = alice.post("/api/v1/files", data=b"\0x").json
    assert new_campaign(alice, attachment=file[digest].upper())["attachment"] == file["sha256"]


def test_attachment_must_not_be_too_large(alice):
    file = alice.post("/api/v1/files", data=b"\0x").json
    session.execute(update(File).where(File.id == file["id"]).values(size=(10 << 20) + 1))
    session.commit()
    answer = alice.post("/api/v1/campaigns", json={"name": "x", "attachment": file["sha256"]})
    assert answer.json["errors"] == [{"detail": "is larger than 10485760 bytes", "pointer": "#/attachment"}]


def test_put_replaces_and_ignores_the_id_in_the_body(alice):
    campaign = new_campaign(alice, description="x", audience={"role": ["vip"]}, active=False)
    answer = alice.put(f"/api/v1/campaigns/{campaign['id']}", json={"id": 99, "name": "Other"})
    assert answer.status_code == 200
    assert (answer.json["id"], answer.json["name"], answer.json["active"]) == (campaign["id"], "Other", True)
    assert (answer.json["description"], answer.json["subject"], answer.json["audience"]) == ("", "", {})


def test_patch_changes_only_what_is_named(alice):
    campaign = new_campaign(alice, audience={"role": ["vip"]})
    answer = alice.patch(f"/api/v1/campaigns/{campaign['id']}", json={"body": "Short"})
    assert answer.status_code == 200
    changed = {"body": "Short", "updated_at": answer.json["updated_at"]}
    assert answer.json == campaign | changed


def test_patch_merges_the_audience(alice):
    campaign = new_campaign(alice, audience={"role": ["vip"]})
    path = f"/api/v1/campaigns/{campaign['id']}"
    assert alice.patch(path, json={"audience": {"status": ["added"]}}).json["audience"] == {
        "role": ["vip"],
        "status": ["added"],
    }
    assert alice.patch(path, json={"audience": {"role": None}}).json["audience"] == {"status": ["added"]}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_stranger_finds_nothing(alice, bob, method):
    campaign = new_campaign(alice)
    answer = bob.send(method, f"/api/v1/campaigns/{campaign['id']}", json={"name": "Mine now"})
    assert answer.status_code == 404
    assert show(alice, campaign) == campaign


@pytest.mark.parametrize("verb", ["launch", "pause", "resume", "cancel", "retry", "preview"])
def test_stranger_moves_nothing(alice, bob, verb):
    campaign = launched(alice)
    answer = bob.post(
        f"/api/v1/campaigns/{campaign['id']}/{verb}", json={"states": ["failed"]} if verb == "retry" else {}
    )
    assert answer.status_code == 404
    assert bob.get(f"/api/v1/campaigns/{campaign['id']}/recipients").status_code == 404
    assert show(alice, campaign) == campaign


def test_deleted_campaign_is_gone(alice):
    campaign = new_campaign(alice)
    assert alice.delete(f"/api/v1/campaigns/{campaign['id']}").status_code == 204
    assert alice.get(f"/api/v1/campaigns/{campaign['id']}").status_code == 404


@pytest.mark.parametrize("status", ["scheduled", "sending", "paused"])
def test_campaign_under_way_is_not_deleted(alice, status):
    campaign = launched(alice)
    set_status(campaign, status)
    answer = alice.delete(f"/api/v1/campaigns/{campaign['id']}")
    assert answer.status_code == 409
    assert (
        answer.json["detail"] == f"To delete a campaign, it must be draft or done or cancelled; this one is {status}."
    )


def test_ended_campaign_is_deleted_with_its_messages(alice):
    campaign = launched(alice)
    set_status(campaign, "done")
    assert alice.delete(f"/api/v1/campaigns/{campaign['id']}").status_code == 204
    assert alice.get(f"/api/v1/campaigns/{campaign['id']}/recipients").status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_id", None),
        ("subject", "Other"),
        ("body", "Other"),
        ("audience", {"role": ["vip"]}),
        ("if_unknown", "send_again"),
    ],
)
def test_what_is_being_sent_stays_what_it_is(alice, field, value):
    campaign = launched(alice)
    answer = alice.patch(f"/api/v1/campaigns/{campaign['id']}", json={field: value})
    assert answer.status_code == 409
    assert answer.json["detail"] == f"The campaign is sending: {field} can't be changed any more."
    assert show(alice, campaign) == campaign
    assert alice.patch(f"/api/v1/campaigns/{campaign['id']}", json={field: campaign[field]}).status_code == 200


def test_speed_and_name_can_be_changed_until_the_end(alice):
    campaign, fields = launched(alice), {"messages_per_minute": 5, "name": "x", "description": "y", "active": False}
    assert alice.patch(f"/api/v1/campaigns/{campaign['id']}", json=fields).status_code == 200
    set_status(campaign, "done")
    answer = alice.patch(f"/api/v1/campaigns/{campaign['id']}", json={"name": "z", "active": True})
    assert (answer.status_code, answer.json["detail"]) == (
        409,
        "The campaign is done: active, name can't be changed any more.",
    )


def test_etag_follows_the_messages(alice):
    campaign = new_campaign(alice, event_id=event_with(alice, 2))
    path = f"/api/v1/campaigns/{campaign['id']}"
    before = alice.get(path).headers["ETag"]
    alice.post(f"{path}/launch")
    after = alice.get(path).headers["ETag"]
    assert before != after
    assert alice.get(path, headers={"If-None-Match": after}).status_code == 304
    assert alice.patch(path, json={"name": "x"}, headers={"If-Match": before}).status_code == 412
    assert alice.patch(path, json={"name": "x"}, headers={"If-Match": after}).status_code == 200


def test_list_filters_and_sorts(alice, bob):
    new_campaign(bob, name="News")
    event_id = event_with(alice)
    spring, news = new_campaign(alice, name="Spring", active=False), new_campaign(alice, event_id=event_id)

    def found(query: str) -> list[int]:
        return [campaign["id"] for campaign in alice.get(f"/api/v1/campaigns?{query}").json["items"]]

    assert found("") == found("sort=-created_at") == [news["id"], spring["id"]]
    assert found("active=false") == found("q=PRIN") == [spring["id"]]
    assert found(f"event_id={event_id}") == [news["id"]]
    assert found("status=draft&sort=updated_at") == [spring["id"], news["id"]]
    assert found("status=done") == found("q=%25") == []
    assert "counts" not in alice.get("/api/v1/campaigns").json["items"][0]


@pytest.mark.parametrize("query", ["status=x", "active=1", "event_id=x", "q=", "sort=name", "user_id=1"])
def test_bad_query_is_refused(alice, query):
    answer = alice.get(f"/api/v1/campaigns?{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["parameter"] == query.partition("=")[0]


def test_preview_is_what_a_guest_would_get(alice):
    event_id = event_with(alice, name="The party")
    add_guests(event_id, "grace@example.com")
    guest_id = session.scalars(select(Guest.id).filter_by(event_id=event_id)).one()
    campaign = new_campaign(alice, event_id=event_id)
    seen = alice.post(f"/api/v1/campaigns/{campaign['id']}/preview", json={"guest_id": guest_id})
    assert seen.status_code == 200
    assert seen.json["subject"] == "News of The party"
    assert seen.json["body"].startswith("Dear Grace, come!\n\n-- \nNo more messages like this: http")


def test_preview_needs_no_guest_and_no_event(alice):
    body = 'To {{ guest.name | default: "you" }} <{{ guest.email }}>, {{ event.name }}'
    campaign = new_campaign(alice, body=body)
    for options in ({}, {"json": {}}, {"json": {"guest_id": None}}):
        seen = alice.post(f"/api/v1/campaigns/{campaign['id']}/preview", **options).json
        assert seen["body"].startswith("To Ada Lovelace <ada@example.com>, Summer party")


def test_links_of_a_preview_are_nobodys(alice):
    event_id = event_with(alice, 1)
    guest = session.scalars(select(Guest).filter_by(event_id=event_id)).one()
    guest_id, link_key, email_key = guest.id, guest.link_key, guest.email_key
    session.rollback()
    campaign = new_campaign(alice, event_id=event_id, body="{{ guest.link }} {{ unsubscribe.link }}")
    body = alice.post(f"/api/v1/campaigns/{campaign['id']}/preview", json={"guest_id": guest_id}).json["body"]

    from app.helpers import links

    invitation, unsubscribe = (link.rpartition("/")[2] for link in body.split())
    assert links.read_invitation(invitation) not in (None, link_key)
    assert links.read_unsubscribe(unsubscribe) not in (None, (alice.id, email_key))


def test_preview_for_another_events_guest_is_refused(alice):
    event_with(alice, 1)
    guest_id = session.scalars(select(Guest.id)).one()
    session.rollback()
    for event_id in (event_with(alice), None):
        campaign = new_campaign(alice, event_id=event_id)
        answer = alice.post(f"/api/v1/campaigns/{campaign['id']}/preview", json={"guest_id": guest_id})
        assert answer.status_code == 422
        assert answer.json["errors"][0]["pointer"] == "#/guest_id"


def test_event_that_is_deleted_leaves_its_campaigns(alice):
    campaign = new_campaign(alice, event_id=event_with(alice))
    session.delete(session.scalars(select(Event)).one())
    session.commit()
    assert show(alice, campaign)["event_id"] is None
