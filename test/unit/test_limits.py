"""Whose request it is: the address behind proxies; and the settings of limits and of CORS."""

import pytest

from app.config import NETWORKS, ORIGINS, RATE, load
from app.errors import ConfigError
from app.helpers import limits
from app.helpers.limits import client_address

NGINX = "127.0.0.1, 10.0.0.0/8, fd00::/8"


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "trusted", "client"),
    [
        ("192.0.2.1", "", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", NGINX, "192.0.2.1"),  # not by way of the proxy
        ("127.0.0.1", "203.0.113.9", NGINX, "203.0.113.9"),
        ("127.0.0.1", "1.1.1.1, 203.0.113.9", NGINX, "203.0.113.9"),  # the client's own invention is on the left
        ("127.0.0.1", "1.1.1.1,203.0.113.9 , 10.0.0.5", NGINX, "203.0.113.9"),  # two proxies of ours
        ("127.0.0.1", "", NGINX, "127.0.0.1"),
        ("127.0.0.1", "1.1.1.1, unknown", NGINX, "127.0.0.1"),  # nothing left of what can't be read
        ("127.0.0.1", "1.1.1.1, ", NGINX, "127.0.0.1"),
        ("127.0.0.1", "10.0.0.7", NGINX, "10.0.0.7"),  # a client inside
        ("::ffff:127.0.0.1", "203.0.113.9", NGINX, "203.0.113.9"),
        ("fd00::1", "2001:db8:1:2:aaaa::1", NGINX, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", "", "", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "", "", "fe80::/64"),
        ("::1", "", "", "::/64"),
        (None, "", "", "unknown"),
        ("", "203.0.113.9", NGINX, "unknown"),
        ("a socket", "203.0.113.9", NGINX, "unknown"),
    ],
)
def test_client_address(peer, forwarded_for, trusted, client):
    assert client_address(peer, forwarded_for, NETWORKS.parse(trusted) if trusted else ()) == client


@pytest.mark.parametrize("text", ["100/minute", "1/second", "5/hour", "7/day"])
def test_rates(text):
    amount, _, period = text.partition("/")
    policy = limits.Policy("default", limits.parse(RATE.parse(text)))
    assert policy.rate.amount == int(amount)
    assert policy.rate.get_expiry() == {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[period]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("RATE_LIMIT", v)
            for v in ("0/minute", "100", "100/fortnight", "1/second; 9/minute", "-1/minute", "x/minute")
        ),
        ("RATE_LIMIT_ADDRESS", "many"),
        *(("TRUSTED_PROXIES", v) for v in ("nginx", "10.0.0.1/8", "10.0.0.0/33", "127.0.0.1,,10.0.0.1", "*")),
        *(("CORS_ORIGINS", v) for v in ("*", "null", "app.example.com", "https://a.example/", "https://a.example/x")),
        *(
            ("CORS_ORIGINS", v)
            for v in ("https://*.example.com", "ftp://a.example", "https://u@a.example", "https://a,")
        ),
    ],
)
def test_bad_value_is_one_line_that_names_the_setting(tmp_path, name, value):
    with pytest.raises(ConfigError) as refusal:
        load({"DATA_DIR": str(tmp_path), name: value})
    assert str(refusal.value).startswith(f"{name}: must be ")
    assert "\n" not in str(refusal.value)


def test_origins_are_kept_as_browsers_send_them():
    parsed = ORIGINS.parse("https://App.example.com:443, http://localhost:3000,http://a.example:80,http://[::1]:8080")
    assert parsed == ("https://app.example.com", "http://localhost:3000", "http://a.example", "http://[::1]:8080")


def amount(rate: str) -> int:
    return int(rate.partition("/")[0])


def test_limits_are_on_everywhere_but_in_tests_and_tighter_in_production(tmp_path):
    secrets = {"DATA_DIR": str(tmp_path), "SECRET_KEY": "k" * 32, "SUPERVISOR_PASSWORD": "p" * 32}
    development, test, production = (load({"APP_ENV": e, **secrets}) for e in ("development", "test", "production"))
    for name in ("rate_limit", "rate_limit_address", "rate_limit_sign_in", "rate_limit_reset"):
        assert getattr(test, name) is None
        assert 0 < amount(getattr(production, name)) < amount(getattr(development, name))
    # A stranger's address is refused before it can use up what an owner may try.
    assert amount(production.rate_limit_address) < amount(production.rate_limit_sign_in)
    assert load({"RATE_LIMIT": "off", **secrets}).rate_limit is None
