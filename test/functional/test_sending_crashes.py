"""Workers that are killed in the middle of a campaign, at the two worst moments."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import launches
import psutil
import pytest
from copies import wait_for
from launches import campaign_of, job_of, rows_of, states_of
from post_office import PostOffice

from app.db import session


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with PostOffice() as running:
        yield running


@pytest.fixture
def settings(settings, office: PostOffice):
    return replace(settings, smtp_url=office.url)


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """Whoever gets to a point that is a file here dies there."""
    folder = tmp_path / "points"
    folder.mkdir()
    return folder


@pytest.fixture
def worker(app, nursery, settings, points: Path) -> Iterator[psutil.Process]:
    """A parent and its child, in processes of their own."""
    settings_of_mail = {"SMTP_URL": settings.smtp_url, "SMTP_CONNECTIONS": "2", "ACCEPTED_FAILPOINTS": str(points)}
    process = nursery.start("worker", settings, settings.data_dir.parent / "worker.log", **settings_of_mail)
    running = psutil.Process(process.pid)
    yield running
    for one in [*running.children(), running]:
        one.kill()
    process.wait()


@pytest.fixture
def send(alice, worker, settings) -> Callable[..., int]:
    """Launches a campaign and waits until it is done."""

    def sent(**fields) -> int:
        campaign_id = launches.launch(alice.id, 6, **fields)
        session.commit()
        log = settings.data_dir.parent / "worker.log"
        wait_for(
            lambda: campaign_of(campaign_id).status == "done",
            lambda: f"{vars(job_of(campaign_id))}\n{states_of(campaign_id)}\n{log.read_text()}",
        )
        return campaign_id

    return sent


def test_marked_messages_of_a_dead_worker_are_unknown_and_never_sent(send, office, points):
    (points / "marked").touch()
    campaign_id = send()
    assert states_of(campaign_id) == ["unknown"] * 2 + ["sent"] * 4
    assert {row.error for row in rows_of(campaign_id)[:2]} == {
        "The process that sent it died before it could note whether the mail server took it."
    }
    assert sorted(office.to()) == [row.email for row in rows_of(campaign_id)[2:]]
    job = job_of(campaign_id)
    assert (job.progress_completed, job.progress_failed, job.charged) == (4, 2, 0)


def test_messages_that_were_taken_and_not_noted_are_unknown_and_not_sent_again(send, office, points):
    (points / "handed-over").touch()
    campaign_id = send()
    assert states_of(campaign_id) == ["unknown"] * 2 + ["sent"] * 4
    assert len(set(office.to())) == len(office.to()) >= 5


@pytest.mark.parametrize("point", ["marked", "handed-over"])
def test_messages_that_nobody_knows_of_are_sent_again_if_so_wished(send, office, points, point):
    (points / point).touch()
    campaign_id = send(if_unknown="send_again")
    assert states_of(campaign_id) == ["sent"] * 6
    assert set(office.to()) == {row.email for row in rows_of(campaign_id)}
    ids = {(taken.to, taken.message["Message-ID"]) for taken in office.taken}
    assert len(ids) == 6  # a repeat can be told
    assert len(office.taken) >= 6 + (point == "handed-over")
