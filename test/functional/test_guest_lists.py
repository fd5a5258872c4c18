"""`/api/v1/events/{id}/guests/import` and `…/export`: guests come from files, and become files."""

from dataclasses import replace

import pytest
from events import new_event
from guest_lists import ask, bring_in, guests_of, job, people, rows_of, take_out, upload
from sqlalchemy import select, update

from app.config import use
from app.db import session
from app.models import Event, File, Guest, Job, User
from app.models.base import now
from app.queue import registry
from app.services import guest_lists as service
from app.workers import guest_lists as jobs

LIST = """\
Role;E-MAIL;Name;Table
speaker;ana@example.com;Ana;1
;Björn@Example.com; Björn ;2

;broken;Carl;3
;ANA@example.com;Ana again;4
"""
REFUSED = [
    ["line", "reason", "Role", "E-MAIL", "Name", "Table"],
    ["5", "email must be an e-mail address", "", "broken", "Carl", "3"],
    ["6", "the same address as in line 2", "", "ANA@example.com", "Ana again", "4"],
]


@pytest.fixture
def event_id(alice) -> int:
    return new_event(alice)["id"]


def test_guests_come_from_a_table_and_what_is_wrong_is_reported(alice, work, event_id):
    job = bring_in(alice, work, event_id, LIST.encode("cp1252"))
    assert job["status"] == "succeeded"
    assert job["target"] == {"type": "event", "id": event_id, "href": f"/api/v1/events/{event_id}"}
    assert {name: job["progress"][name] for name in ("total", "completed", "failed")} == {
        "total": 4,
        "completed": 2,
        "failed": 2,
    }
    report = job["result"].pop("report")
    assert job["result"] == {"added": 2, "unchanged": 0, "refused": 2}
    assert guests_of(event_id) == [("ana@example.com", "Ana", "speaker"), ("Björn@Example.com", "Björn", "guest")]
    assert rows_of(alice, report) == REFUSED
    file = alice.get(report).json
    assert (file["name"], file["type"]) == ("refused rows of guests.csv", "text/csv")
    assert alice.get(f"{job['links']['result']}").headers["Location"] == job["links"]["self"]


def test_report_can_be_mended_and_sent_again(alice, work, event_id):
    report = bring_in(alice, work, event_id, LIST)["result"]["report"]
    mended = alice.get(f"{report}/content").data.replace(b"broken", b"carl@example.com")
    again = bring_in(alice, work, event_id, mended)
    assert again["result"]["added"] == 1
    assert guests_of(event_id)[-1] == ("carl@example.com", "Carl", "guest")


def test_guest_who_is_there_stays_as_he_is(alice, work, event_id):
    session.add(Guest(event_id=event_id, email="Ana@example.com", email_key="ana@example.com", status="accepted"))
    session.commit()
    job = bring_in(alice, work, event_id, "email,name\nana@example.com,Other\nbob@example.com,Bob\n")
    assert job["result"] == {"added": 1, "unchanged": 1, "refused": 0, "report": None}
    assert guests_of(event_id)[0] == ("Ana@example.com", "", "guest")
    guest = session.scalars(select(Guest).where(Guest.event_id == event_id).order_by(Guest.id)).first()
    assert (guest.status, guest.import_job_id) == ("accepted", None)


def test_same_list_twice_adds_nothing(alice, work, event_id):
    assert bring_in(alice, work, event_id, people(3))["result"]["added"] == 3
    first = guests_of(event_id)
    assert bring_in(alice, work, event_id, people(3))["result"] == {
        "added": 0,
        "unchanged": 3,
        "refused": 0,
        "report": None,
    }
    assert guests_of(event_id) == first


def test_same_guest_may_come_to_two_events(alice, work, event_id):
    other = new_event(alice, name="Winter party")["id"]
    bring_in(alice, work, event_id, people(2))
    assert bring_in(alice, work, other, people(2))["result"]["added"] == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Ana,", "email is required"),
        ("a@b@c,,", "email must be an e-mail address"),
        (f"{'a' * 250}@example.com,,", "email must be an e-mail address; email must have at most 254 characters"),
        (f"a@example.com,{'x' * 201},", "name must have at most 200 characters"),
        (f"a@example.com,,{'x' * 51}", "role must have at most 50 characters"),
        ("a@example.com,a\0b,", "name must not contain NUL or broken characters"),
        ('a@example.com,"a\nb",', "name "),
        ("a@example.com,Smith, Ana,guest", "has more cells than there are columns"),
        ('a@example.com,"Ana,guest', "has a quote that is not closed, or stands in the wrong place"),
        (f"a@example.com,{'x' * 20_000},", "is longer than 16384 characters"),
        (f"{'ΐ' * 64}@{'ß' * 40}.{'ß' * 40}.example,,", "email must"),
    ],
)
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_row_that_does_not_fit_is_refused_alone(alice, work, event_id, row, reason):
    job = bring_in(alice, work, event_id, f"email,name,role\nfirst@example.com,,\n{row}\nlast@example.com,,\n")
    assert (job["status"], job["result"]["added"], job["result"]["refused"]) == ("succeeded", 2, 1)
    (refused,) = rows_of(alice, job["result"]["report"])[1:]
    assert refused[0] == "3"
    assert reason in refused[1]
    assert job["progress"]["completed"] + job["progress"]["failed"] == job["progress"]["total"] == 3


def test_report_is_safe_from_formulas(alice, work, event_id):
    job = bring_in(alice, work, event_id, "email,name\n=1+1,'@x\n")
    data = alice.get(f"{job['result']['report']}/content").data.decode("utf-8-sig")
    assert data.splitlines()[1] == "2,email must be an e-mail address,'=1+1,'@x"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"name,mail\nAna,ana@example.com\n", "no column called email"),
        (b"\0\1\2\3" * 1000, "no column called email"),
    ],
)
def test_file_that_is_no_table_fails_its_job_at_once(alice, work, event_id, data, words):
    job = bring_in(alice, work, event_id, data)
    assert (job["status"], job["attempt"]) == ("failed", 1)
    assert job["error"]["type"].endswith("/problems/table-unreadable")
    assert words in job["error"]["detail"]
    assert alice.get(job["links"]["result"]).status_code == 422


def test_list_of_too_many_rows_fails_before_the_first(alice, work, event_id, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_ROWS", 2)
    job = bring_in(alice, work, event_id, people(3))
    assert "has 3 rows" in job["error"]["detail"]
    assert guests_of(event_id) == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"file": "0" * 64}, "no file of yours"),
        ({"file": "0" * 63}, "has a wrong form"),
        ({"file": "1"}, "has a wrong form"),
        ({"file": None}, "must be text"),
        ({}, "is required"),
    ],
)
def test_bad_body_is_refused_and_makes_no_job(alice, event_id, body, words):
    answer = alice.post(f"/api/v1/events/{event_id}/guests/import", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["#/file"]
    assert words in answer.json["errors"][0]["detail"]
    assert alice.get("/api/v1/jobs").json == {"items": []}


@pytest.mark.parametrize("digest", ["sha256", "sha1", "md5"])
def test_file_may_be_named_by_any_of_its_hashes(alice, work, event_id, digest):
    file = alice.get(f"/api/v1/files/{upload(alice, people(1))}").json
    ask(alice, event_id, "import", file=file[digest].upper())
    work()
    assert len(guests_of(event_id)) == 1


def test_strangers_file_and_event_are_not_there(alice, bob, event_id):
    theirs = upload(bob, people(1))
    answer = alice.post(f"/api/v1/events/{event_id}/guests/import", json={"file": theirs})
    assert answer.status_code == 422
    for verb in ("import", "export"):
        answer = bob.post(f"/api/v1/events/{event_id}/guests/{verb}", json={"file": theirs})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("data", "words"), [(b"%PDF-1.7\n", "application/pdf"), (b"\x89PNG\r\n\x1a\n" + bytes(20), "image/png")]
)
def test_what_can_be_no_table_is_refused_at_once(alice, event_id, data, words):
    answer = alice.post(f"/api/v1/events/{event_id}/guests/import", json={"file": upload(alice, data)})
    assert answer.status_code == 422
    assert words in answer.json["errors"][0]["detail"]


def test_damaged_or_too_large_file_is_refused_at_once(alice, event_id, monkeypatch):
    here, body = f"/api/v1/events/{event_id}/guests/import", {"file": upload(alice, people(1))}
    monkeypatch.setattr(service, "LARGEST_BYTES", 10)
    assert "larger than" in alice.post(here, json=body).json["errors"][0]["detail"]
    session.execute(update(File).values(damaged_at=now()))
    session.commit()
    assert "damaged" in alice.post(here, json=body).json["errors"][0]["detail"]


def test_file_that_is_gone_before_it_is_read_fails_the_job_at_once(alice, work, event_id, settings):
    deleted, lost = upload(alice, people(1)), upload(alice, people(2))
    ids = [ask(alice, event_id, "import", file=sha256) for sha256 in (deleted, lost)]
    alice.delete(f"/api/v1/files/{deleted}")
    for path in (settings.data_dir / "files").rglob("*"):
        if path.is_file():
            path.unlink()
    work()
    ends = [job(alice, job_id) for job_id in ids]
    assert [end["error"]["type"].rpartition("/")[2] for end in ends] == ["not-found", "content-lost"]
    assert {end["attempt"] for end in ends} == {1}


def test_event_that_is_deleted_meanwhile_ends_the_jobs_cleanly(alice, work, event_id):
    ids = [ask(alice, event_id, "import", file=upload(alice, people(1))), ask(alice, event_id, "export")]
    session.get_one(Event, event_id).delete()
    session.commit()
    work()
    ends = [job(alice, job_id) for job_id in ids]
    assert ends[0]["result"] == {"added": 0, "unchanged": 0, "refused": 0, "report": None}
    assert ends[1]["result"] == {"href": None, "guests": 0}


def test_guests_become_a_table(alice, work, event_id):
    moment = now().replace(microsecond=0)
    for email, facts in {"ana@example.com": {"name": "Ana, Bob", "invited_at": moment}, "+x@example.com": {}}.items():
        session.add(Guest(event_id=event_id, email=email, email_key=email, **facts))
        session.flush()
    session.commit()
    job = take_out(alice, work, event_id)
    assert (job["status"], job["result"]["guests"]) == ("succeeded", 2)
    assert alice.get(job["links"]["result"]).headers["Location"] == job["result"]["href"]
    file = alice.get(job["result"]["href"]).json
    assert (file["name"], file["type"]) == ("guests of Summer party.csv", "text/csv")
    data = alice.get(f"{job['result']['href']}/content").data
    invited = moment.isoformat().replace("+00:00", "Z")
    assert (
        data
        == (
            "\ufeffemail,name,role,status,invited_at,answered_at\r\n"
            f'ana@example.com,"Ana, Bob",guest,added,{invited},\r\n'
            "'+x@example.com,,guest,added,,\r\n"
        ).encode()
    )


def test_table_of_guests_is_read_again_as_it_was(alice, work, event_id):
    names = ["=1+1", "'=1+1", "-x", "@x", "'", "''", 'a"b', "a,b;c", "Ünï 蜡烛", "", "'s", '"', "+", "'+'"]
    for number, name in enumerate(names):
        email = f"{'+-='[number % 3]}{number}@example.com"
        session.add(Guest(event_id=event_id, email=email, email_key=email, name=name, role=name[:50] or "guest"))
        session.flush()
    session.commit()
    other = new_event(alice, name="Winter party")["id"]
    href = take_out(alice, work, event_id)["result"]["href"]
    ask(alice, other, "import", file=href.rpartition("/")[2])
    work()
    assert guests_of(other) == guests_of(event_id)


@pytest.mark.parametrize("name", ["a/b\\c", "x" * 200, "Fête 🎉", ".."])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_any_events_name_makes_the_name_of_a_file(alice, work, name):
    href = take_out(alice, work, new_event(alice, name=name)["id"])["result"]["href"]
    file = alice.get(href).json
    assert alice.put(href, json={"name": file["name"], "type": file["type"]}).status_code == 200


def test_same_list_is_stored_once(alice, work, event_id):
    first, again = (take_out(alice, work, event_id)["result"] for _ in range(2))
    assert first == again
    assert len(alice.get("/api/v1/files").json["items"]) == 1


def test_list_for_which_there_is_no_room_fails_once_and_leaves_nothing(alice, app, work, event_id, settings):
    use(replace(settings, upload_quota_bytes=10))
    end = take_out(alice, work, event_id)
    assert (end["status"], end["attempt"]) == ("failed", 1)
    assert end["error"]["type"].endswith("/problems/quota-exceeded")
    assert not [path for path in (settings.data_dir / "files").rglob("*") if path.is_file()]


def test_import_is_done_though_its_report_has_no_room(alice, app, work, event_id, settings):
    data = "email\na@example.com\nx\n"
    use(replace(settings, upload_quota_bytes=len(data) + 10))
    end = bring_in(alice, work, event_id, data)
    assert "1 guests were added, but the report has no room" in end["error"]["detail"]
    use(settings)
    alice.post(f"/api/v1/jobs/{end['id']}/retry")
    work()
    assert job(alice, end["id"])["result"]["added"] == 1


def test_named_token_needs_its_scope(alice, client, event_id):
    for scope, status in (("events:read", 403), ("files:write", 403), ("events:write", 202)):
        made = alice.post("/api/v1/user/tokens", json={"name": scope, "scopes": [scope]}).json
        headers = {"Authorization": f"Bearer {made['token']}"}
        answer = client.post(f"/api/v1/events/{event_id}/guests/export", json={}, headers=headers)
        assert answer.status_code == status


def test_imports_of_one_event_take_turns(alice, event_id):
    ids = [ask(alice, event_id, "import", file=upload(alice, people(1))) for _ in range(2)]
    assert {session.get_one(Job, job_id).at_once for job_id in ids} == {1}
    assert len({session.get_one(Job, job_id).share for job_id in ids}) == 1
    assert registry.find("guest_lists.read").per == "event_id"


def test_account_that_is_gone_takes_everything_along(alice, work, event_id):
    bring_in(alice, work, event_id, people(2))
    session.get_one(User, alice.id).delete()
    session.commit()
    assert session.query(Guest).count() == 0
