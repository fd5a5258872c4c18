"""Campaigns under fire: is every message sent once, whatever is killed meanwhile? And how fast it goes in peace.

    .venv/bin/python bench/campaign --quick
    .venv/bin/python bench/campaign --guests 10000 --kills 200 --database postgresql

Starts servers of its own on free ports, under /tmp, and removes them again. The exit code is 1 if a mark is missed.
"""

import argparse
import secrets
import signal
import sys
import time
from collections import Counter
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])
sys.path.append(sys.path[0] + "/test")  # the tests' own servers import one another by short names

from bench.campaign import fire, oracle
from bench.campaign.oracle import Findings
from bench.campaign.server import Server
from bench.chaos.__main__ import database
from bench.chaos.injector import Hit, deaths

QUICK = {"guests": 400, "kills": 12, "policies": ["leave"], "rates": [4], "rate_guests": 400}
STALL_SECONDS = 400  # a campaign that got no further for so long is stuck; a message may wait for five minutes
OVER = ("done", "paused", "cancelled")


def main() -> int:
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server stays behind
    print(f"seed {options.seed}", file=sys.stderr)
    missed = []
    for policy in options.policies if options.guests else []:
        with database(options.database) as url:
            findings = under_fire(options, policy, url)
        missed += [f"{policy}: {mark}" for mark in findings.missed]
    if options.rates:
        print("| connections | messages | seconds | messages a second | of that time, SMTP's own |")
        print("| ----------- | -------- | ------- | ----------------- | ----------------------- |")
    for connections in options.rates:
        with database(options.database) as url:
            in_peace(options, connections, url)
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nevery mark is met")
    return 1 if missed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"a minute or so: {QUICK}")
    parser.add_argument("--guests", type=int, default=10_000, help="0: nothing is struck")
    parser.add_argument("--kills", type=int, default=200, help="of workers, their children, mail server and Redis")
    parser.add_argument("--policies", nargs="+", choices=("leave", "send_again"), default=["leave", "send_again"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=4, help="under fire")
    parser.add_argument("--answer-seconds", type=float, default=0.02, help="up to twice that, under fire, for a mail")
    parser.add_argument("--rates", type=int, nargs="*", default=[1, 4, 16], help="connections, in peace")
    parser.add_argument("--rate-guests", type=int, default=3000)
    parser.add_argument("--seed", default="", help="the same seed makes the same plan; any word, random if left out")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    if options.quick:
        options.__dict__.update(QUICK)
    options.seed = options.seed or secrets.token_hex(4)
    return options


def under_fire(options: argparse.Namespace, policy: str, url: str) -> Findings:
    with Server(url, options.workers, options.connections, options.answer_seconds) as server:
        campaign_id = server.launch(options.guests, policy)
        is_over = False
        strikes = fire.Fire(
            server,
            fire.plan(options.seed, options.kills),
            lambda: None if is_over else server.postbox.number() / options.guests,
        )
        began = time.monotonic()
        strikes.start()
        status = wait_for_end(server, campaign_id, f"{policy}, {len(strikes.strikes)} strikes")
        is_over = True
        strikes.join()
        server.failpoints.disarm()
        found = server.rows(campaign_id)
        findings = oracle.judge(policy, campaign_id, options.guests, status, found, server.postbox.received())
        show(findings, strikes.hits + deaths(server), time.monotonic() - began)
        if status != "done":
            print(server.job(campaign_id), server.copy.logs(), file=sys.stderr)
        return findings


def wait_for_end(server: Server, campaign_id: int, what: str) -> str:
    """Until it is over, or gets no further. Its status then."""
    began = latest = time.monotonic()
    told, before = 0.0, Counter[str]()
    while True:
        status, states = server.look(campaign_id)
        moment = time.monotonic()
        if states != before:
            latest, before = moment, states
        if moment - told > 10:
            told = moment
            shown = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
            print(f"{moment - began:4.0f} s  {what}: {shown}", file=sys.stderr, flush=True)
        if status in OVER or moment - latest > STALL_SECONDS:
            return status
        time.sleep(0.2)


def show(found: Findings, hits: list[Hit], seconds: float) -> None:
    struck = Counter(hit.strike.target for hit in hits)
    lines = {
        "guests · seconds": f"{found.guests} · {seconds:.0f}",
        "killed": f"{sum(struck.values())}: " + ", ".join(f"{n} × {name}" for name, n in sorted(struck.items())),
        "the campaign": found.status,
        "rows · addresses": f"{found.rows} · {found.addresses}",
        "their states": ", ".join(f"{n} {state}" for state, n in sorted(found.states.items())),
        "messages received · more than once": f"{found.mails} · {found.doubled}",
        "received, of no row that is sent or unknown": found.stray,
        "missing": found.missing,
        "unknown · of these received": f"{len(found.unknown)} · {sum(map(bool, found.unknown.values()))}",
    }
    print(f"\npolicy {found.policy}\n")
    print("\n".join(f"| {label:44} | {value}" for label, value in lines.items()))
    for email, number in found.unknown.items():
        print(f"    unknown: {email}, received {number} times")
    print(flush=True)


def in_peace(options: argparse.Namespace, connections: int, url: str) -> None:
    """One campaign, which one worker sends at a time; the mail server answers as fast as it can."""
    with Server(url, options.workers, connections) as server:
        campaign_id = server.launch(options.rate_guests, "leave")
        wait_for_end(server, campaign_id, f"{connections} connections")
        spans = server.spans()
        seconds = max(ended for _, ended in spans) - min(began for began, _ in spans)
        share, rate = oracle.busy_seconds(spans) / seconds, len(spans) / seconds
        print(
            f"| {connections:11} | {len(spans):8} | {seconds:7.1f} | {rate:17.0f} | {100 * share:21.0f} % |", flush=True
        )


if __name__ == "__main__":
    sys.exit(main())
