"""Rate limits: how often an account, an address or an e-mail address may ask (see docs/security.md). The counters are
in Redis, shared by all processes; one that is away makes the server neither slower nor closed."""

import hmac
import ipaddress
import logging
import math
import threading
import time
from dataclasses import dataclass
from functools import lru_cache

from flask import Flask, Response, g, json, request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from redis import Redis
from redis.exceptions import RedisError

from app.config import Network, Settings
from app.errors import RateLimited
from app.helpers import html
from app.helpers.problems import problem
from app.models import User

log = logging.getLogger(__name__)

QUIET_SECONDS = 5.0  # how long a Redis that did not answer is left alone
# The library's way to count. As text, not as its digest: it is short, and Redis forgets digests when it restarts.
SCRIPT = RedisStorage.SCRIPT_INCR_EXPIRE.decode()
UNKNOWN = "unknown"  # the address of a caller whose server tells none: all of them share it


@dataclass(frozen=True)
class Policy:
    """A limit under the name that clients see."""

    name: str
    rate: RateLimitItem

    def __str__(self) -> str:
        return f'"{self.name}";q={self.rate.amount};w={self.rate.get_expiry()}'


@dataclass(frozen=True)
class Standing:
    """How a caller stands with one policy, this request included."""

    policy: Policy
    count: int
    reset_seconds: int

    def __str__(self) -> str:
        return f'"{self.policy.name}";r={max(0, self.policy.rate.amount - self.count)};t={self.reset_seconds}'

    @property
    def is_refused(self) -> bool:
        return self.count > self.policy.rate.amount

    @property
    def refusal(self) -> RateLimited:
        return RateLimited(headers={"Retry-After": str(self.reset_seconds)})


class Counters:
    """Counts in fixed windows, each begun by a caller's first request: in Redis, or here while Redis is away."""

    def __init__(self, redis: Redis):
        self._redis = redis
        self._local = MemoryStorage()
        self._lock = threading.Lock()
        self._quiet_until = 0.0  # 0: Redis answered last time

    def hit(self, policy: Policy, who: str, *, always: bool) -> Standing | None:
        """Counts one request. While Redis is away: None, or this process's own count if it must `always` be one."""
        key, seconds = "limits:" + policy.rate.key_for(policy.name, who), policy.rate.get_expiry()
        counted = self._ask_redis(key, seconds)
        if counted is None and always:
            counted = self._local.incr(key, seconds), self._local.get_expiry(key) - time.time()
        if counted is None:
            return None
        return Standing(policy, counted[0], max(1, math.ceil(counted[1])))

    def _ask_redis(self, key: str, seconds: int) -> tuple[int, float] | None:
        """(count, seconds to the end of the window) in one round trip."""
        if not self._may_ask():
            return None
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.eval(SCRIPT, 1, key, seconds, 1)
                pipe.pttl(key)
                count, left_ms = pipe.execute()
        except RedisError as error:
            self._note(error)
            return None
        if self._quiet_until:
            self._note(None)
        return int(count), left_ms / 1000

    def _may_ask(self) -> bool:
        """Whether Redis is there, as far as we know. When it was left alone for long enough, one request finds out."""
        if not self._quiet_until:
            return True
        with self._lock:
            moment = time.monotonic()
            if moment < self._quiet_until:
                return False
            self._quiet_until = moment + QUIET_SECONDS
            return True

    def _note(self, error: RedisError | None) -> None:
        """Remembers how the last question went. One line in the log when Redis goes, one when it is back."""
        with self._lock:
            was_away, self._quiet_until = bool(self._quiet_until), time.monotonic() + QUIET_SECONDS if error else 0.0
        if error and not was_away:
            log.warning("redis is away (%s): no rate limits, but for sign-in, which each process counts itself", error)
        elif was_away and not error:
            log.info("redis is back: rate limits are in force again")


def _policy(name: str, rate: str | None) -> Policy | None:
    return Policy(name, parse(rate)) if rate else None


class Limiter:
    """What is counted for which request."""

    def __init__(self, settings: Settings, default: str, redis: Redis):
        self.counters = Counters(redis)
        self.trusted = settings.trusted_proxies
        self.secret = settings.secret_key.encode()
        self.default = Policy("default", parse(default))
        self.address = _policy("address", settings.rate_limit_address)
        self.sign_in = _policy("email", settings.rate_limit_sign_in)
        self.reset = _policy("email", settings.rate_limit_reset)

    def check(self) -> None:
        """After auth.py: whoever has an account is known by now, and nothing else has been done."""
        g.standings = []
        endpoint = request.endpoint or ""
        if endpoint in ("users.create", "users.authenticate"):
            self._check_strictly(self.sign_in)
        elif endpoint.startswith("passwords."):
            self._check_strictly(self.reset)
        elif _is_limited():
            self._check_default()

    def _check_default(self) -> None:
        actor = g.get("actor")
        self._hit(self.default, f"account/{actor.id}" if actor else f"address/{self._client()}")

    def _check_strictly(self, by_email: Policy | None) -> None:
        """By address before the body is read, so that a refused one uses up nobody's e-mail address; then by that."""
        if self.address:
            self._hit(self.address, self._client(), always=True)
        email = _email_in_body() if by_email else None
        if by_email and email is not None:
            text = User.key_of(email).encode("utf-8", "surrogatepass")
            digest = hmac.digest(self.secret, text, "sha256").hex()[:32]
            self._hit(by_email, f"{request.endpoint}/{digest}", always=True)

    def _hit(self, policy: Policy, who: str, *, always: bool = False) -> None:
        standing = self.counters.hit(policy, who, always=always)
        if standing:
            g.standings.append(standing)
            if standing.is_refused:
                raise standing.refusal

    def finish(self, response: Response) -> Response:
        """Counts whom auth.py has turned away before we could, and links to nothing; tells everybody how they stand."""
        try:
            if "standings" not in g and response.status_code >= 400 and _is_limited():
                g.standings = []
                self._check_default()
            if response.status_code == 404 and html.is_page(request.path) and self.address:
                # Who tries out links. Good ones cost an address nothing: many guests, or mail programs, share one.
                self._hit(self.address, f"links/{self._client()}", always=True)
        except RateLimited as refusal:
            response = problem(refusal)
        standings = g.pop("standings", [])
        if standings:
            response.headers["RateLimit-Policy"] = ", ".join(str(standing.policy) for standing in standings)
            response.headers["RateLimit"] = ", ".join(map(str, standings))
        return response

    def _client(self) -> str:
        return client_address(request.remote_addr, request.headers.get("X-Forwarded-For", ""), self.trusted)


def init(app: Flask, settings: Settings, redis: Redis) -> None:
    """After auth.py, and before everything that works for a request. `RATE_LIMIT=off` means no limits at all."""
    if settings.rate_limit is not None:
        limiter = Limiter(settings, settings.rate_limit, redis)
        app.before_request(limiter.check)
        app.after_request(limiter.finish)


def client_address(peer: str | None, forwarded_for: str, trusted: tuple[Network, ...]) -> str:
    """Whom to count as one caller: an IPv4 address, or an IPv6 network of 64 bits, which is what one household gets.

    `X-Forwarded-For` counts only as far as proxies that we trust have written it: from the right, up to the first
    address that is none of them. What a client put there itself is further left, and never read.
    """
    address = _parse(peer or "")
    hops = forwarded_for.split(",")
    while address and hops and any(address in network for network in trusted):
        before = _parse(hops.pop().strip())
        if before is None:
            break
        address = before
    if address is None:
        return UNKNOWN
    return str(address) if address.version == 4 else str(ipaddress.ip_network((int(address), 64), strict=False))


@lru_cache(maxsize=1024)
def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_limited() -> bool:
    is_api = request.path.startswith("/api/") or (request.blueprint or "").startswith("v0")
    return is_api or html.is_page(request.path)


def _email_in_body() -> str | None:
    """The e-mail address that is asked about, if the body has one; the view says what is wrong with other bodies."""
    try:
        body = json.loads(request.get_data().decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    email = body.get("email") if isinstance(body, dict) else None
    return email if isinstance(email, str) else None
