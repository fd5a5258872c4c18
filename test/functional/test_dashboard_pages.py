"""The dashboard's pages are harmless to whoever reads them, and not broken by anything that Redis holds."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from dashboards import DATA, EVIL, PAGES, ROOT, basic, failed_job
from rq import Queue, Worker
from rq.job import Job
from rq.results import Result

from app import create_app
from app.config import Settings


@pytest.fixture
def database_url(migrated: Callable[[str], str]) -> str:
    return migrated("sqlite")  # nothing here asks the database


@pytest.fixture
def operator(settings: Settings) -> dict[str, str]:
    return basic(settings.supervisor_user, settings.supervisor_password)


def texts(value) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for text in (*texts(pair[0]), *texts(pair[1]))]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def test_job_page_shows_no_markup_of_a_job(client, operator, redis):
    job = failed_job(redis, description=EVIL, args=[EVIL], meta={EVIL: [EVIL]})
    Result.create(job, Result.Type.SUCCESSFUL, 500, return_value={EVIL: [EVIL]}, exc_string=EVIL)
    shown = client.get(f"{ROOT}0/data/job/{job.id}.json", headers=operator).json
    assert not [text for text in texts(shown) if "<" in text or '"' in text]
    assert shown["status"] == "failed"  # its page compares this word
    assert shown["description"] == "&lt;img src=x onerror=alert(1)&gt;&#39;&#34;&lt;/script&gt;&amp;"


def test_lists_show_no_markup_either(client, operator, redis):
    Queue(EVIL, connection=redis).enqueue("tasks.remind")
    worker = Worker([Queue(EVIL, connection=redis)], name="<b>\"'&", connection=redis)
    worker.register_birth()
    redis.hset(worker.key, "python_version", EVIL)
    for path in DATA[:2]:
        found = texts(client.get(ROOT + path, headers=operator).json)
        assert not [text for text in found if "<" in text or '"' in text]
    worker.register_death()


def test_list_escapes_once_what_its_page_escapes_itself(client, operator, redis):
    failed_job(redis, description=EVIL)
    shown = client.get(f"{ROOT}0/data/jobs/default/failed/8/asc/1.json", headers=operator).json
    assert shown["jobs"][0]["description"] == EVIL


@pytest.mark.parametrize("path", [*PAGES, "0/view/job/one"])
def test_page_runs_its_own_scripts_alone(client, operator, redis, path):
    Job.create("tasks.remind", connection=redis, id="one").save()
    answer = client.get(ROOT + path, headers=operator, follow_redirects=True)
    policy = answer.headers["Content-Security-Policy"]
    scripts = policy.split("script-src ")[1].split(";")[0]
    assert "'unsafe-inline'" not in scripts
    assert len(re.findall("'sha256-[^']{44}'", scripts)) == 1
    assert policy.startswith("default-src 'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_address_of_redis_is_shown_without_its_password(settings: Settings, operator: dict[str, str]):
    path = settings.redis_url.removeprefix("unix://")
    other = create_app(replace(settings, redis_url=f"unix://someone:hunter2@{path}?db=0&client_name=hunter3"))
    try:
        for page in (*PAGES, *DATA):
            answer = other.test_client().get(ROOT + page, headers=operator, follow_redirects=True)
            assert answer.status_code in (200, 503)  # this Redis knows no passwords
            assert b"hunter" not in answer.data
    finally:
        other.extensions["accepted.engine"].dispose()


def test_job_with_dependencies_is_shown(client, operator, redis):
    queue = Queue("default", connection=redis)
    first = queue.enqueue("tasks.remind")
    gone = queue.enqueue("tasks.remind")
    second = queue.enqueue("tasks.remind", depends_on=[first, gone])
    redis.delete(gone.key)
    shown = client.get(f"{ROOT}0/data/job/{second.id}.json", headers=operator).json
    assert dict(zip(shown["depends_on"], shown["depends_on_status"], strict=True)) == {
        first.id: "active",
        gone.id: "expired",
    }


@pytest.mark.parametrize("result", [{1, 2}, float("nan"), b"\xff", object()])
def test_job_whose_result_is_no_json_is_shown(client, operator, redis, result):
    job = failed_job(redis)
    Result.create(job, Result.Type.SUCCESSFUL, 500, return_value=result)
    answer = client.get(f"{ROOT}0/data/job/{job.id}.json", headers=operator)
    assert answer.status_code == 200
    json.loads(answer.data, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize(
    "fields",
    [
        {"data": b"\x80\x04garbage"},
        {"meta": b"\x80\x04garbage"},
        {"created_at": b"yesterday"},
        {"description": b"\xff\xfe"},
        {"timeout": b"soon"},
        {"data": b"[" * 100_000},
    ],
)
def test_garbage_in_a_record_breaks_no_page(client, operator, redis, fields):
    job = failed_job(redis)
    redis.hset(job.key, mapping=fields)
    listed = client.get(f"{ROOT}0/data/jobs/default/failed/8/asc/1.json", headers=operator)
    assert listed.status_code == 200
    assert len(listed.json["jobs"]) == 1
    for path in (f"0/view/job/{job.id}", f"0/data/job/{job.id}.json", "0/data/workers.json"):
        assert client.get(ROOT + path, headers=operator).status_code in (200, 409)
    assert client.post(f"{ROOT}job/{job.id}/requeue", headers=operator).status_code in (200, 409)


@pytest.mark.parametrize(
    "path",
    [
        "99/view/queues",
        "1/data/queues.json",
        "0/view/job/nobody",
        "0/data/job/nobody.json",
        "0/view/job/a:b",
        "0/view/jobs/default/queued/0/asc/1",
        "0/view/jobs/default/queued/8/asc/0",
        "0/view/jobs/default/queued/8/sideways/1",
        "0/view/jobs/default/wanted/8/asc/1",
        "0/view/jobs/de%5Cfault/queued/8/asc/1",
        "0/data/jobs/default/queued/0/asc/1.json",
        "0/data/jobs/default/queued/-1/asc/1.json",
        "0/data/jobs/default/queued/8/asc/-1.json",
        "0/data/jobs/default/queued/8/asc/99999999999999999999.json",
        "0/data/jobs/default/queued/99999999999/asc/1.json",
        "0/data/jobs/default/queued/eight/asc/1.json",
        "0/data/jobs/default/queued/%D9%A8/asc/1.json",
        "0/data/jobs/default/wanted/8/asc/1.json",
        "0/data/jobs/default/queued/8/asc/1%00.json",
    ],
)
def test_address_that_means_nothing_is_not_found(client, operator, redis, path):
    answer = client.get(ROOT + path, headers=operator)
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("path", [*PAGES, *DATA, "0/view/job/one", "0/data/job/one.json"])
def test_dashboard_says_so_while_redis_is_away(settings: Settings, operator: dict[str, str], path: str):
    other = create_app(replace(settings, redis_url="unix:///tmp/nobody-listens.sock"))
    try:
        answer = other.test_client().get(ROOT + path, headers=operator, follow_redirects=True)
        assert answer.status_code == 503
        assert answer.mimetype == "application/problem+json"
    finally:
        other.extensions["accepted.engine"].dispose()


@pytest.mark.parametrize("registry", ["queued", "failed"])
@pytest.mark.parametrize("order", ["asc", "dsc"])
def test_pages_hold_each_job_once(client, operator, redis, registry, order):
    queue = Queue("default", connection=redis)
    jobs = [queue.enqueue("tasks.remind") if registry == "queued" else failed_job(redis) for _ in range(7)]
    for score, job in enumerate(jobs):
        redis.zadd(queue.failed_job_registry.key, {job.id: score}, xx=True)
    seen = []
    for page in range(1, 5):
        answer = client.get(f"{ROOT}0/data/jobs/default/{registry}/3/{order}/{page}.json", headers=operator).json
        seen += [row["id"] for row in answer["jobs"]]
        assert len(answer["jobs"]) <= 3
        assert answer["pagination"]["num_pages"] == 3
    ids = [job.id for job in jobs]
    assert seen == (ids if order == "asc" else ids[::-1])


def test_pages_share_the_one_connection(client, operator, redis):
    for path in (*PAGES, *DATA):
        client.get(ROOT + path, headers=operator)
    before = redis.info("stats")["total_connections_received"]
    for path in (*PAGES, *DATA) * 2:
        client.get(ROOT + path, headers=operator)
    assert redis.info("stats")["total_connections_received"] == before
