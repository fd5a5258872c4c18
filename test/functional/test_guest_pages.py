"""The pages of guests in a real browser: small and large, light and dark, by keyboard, and for who can't see them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from browsers import browsing, serving, violations
from invited import YESTERDAY, damaged, invited, state, way_out
from playwright.sync_api import Browser, Page, expect

from app.models.base import now

LOOKS = [(width, scheme) for width in (360, 1280) for scheme in ("light", "dark")]
SMALLEST_BUTTON = 44  # CSS pixels
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2


@pytest.fixture
def database_url(migrated) -> str:
    return migrated("sqlite")  # nothing here depends on the database


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as running:
        yield running


@pytest.fixture
def site(app) -> Iterator[str]:
    with serving(app) as address:
        yield address


@contextmanager
def window(browser: Browser, site: str, width: int = 360, scheme: str = "light", **options) -> Iterator[Page]:
    """A fresh window. What the page or the browser complains of fails the test, and so does a cookie."""
    viewport = {"width": width, "height": 800}
    context = browser.new_context(base_url=site, viewport=viewport, color_scheme=scheme, **options)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: request.url.startswith(site) or complaints.append(request.url))
    yield page
    assert [text for text in complaints if "status of 4" not in text] == []  # which the browser says of each refusal
    assert context.cookies() == []
    context.close()


def assert_good(page: Page) -> None:
    """Nothing sticks out, buttons are large enough for a thumb, and axe-core finds nothing serious."""
    page.wait_for_load_state()  # the text may be there before its style
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    for button in page.locator("button, a.button").all():
        box = button.bounding_box()
        assert box["height"] >= SMALLEST_BUTTON <= box["width"]
    assert page.locator("h1").count() == 1
    assert violations(page) == []


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_guest_accepts_declines_and_changes_their_mind(browser, site, alice, width, scheme):
    guest = invited(alice)
    with window(browser, site, width, scheme) as page:
        page.goto(guest.path)
        expect(page).to_have_title("Invitation: Summer party")
        expect(page.get_by_role("heading", name="Summer party")).to_be_visible()
        expect(page.get_by_role("heading", name="Will you come?")).to_be_visible()
        assert_good(page)
        for button, said, noted in (
            ("Accept", "You have accepted.", "accepted"),
            ("Decline", "You have declined.", "declined"),
            ("Accept", "You have accepted.", "accepted"),
        ):
            page.get_by_role("button", name=button).click()
            expect(page.get_by_role("status")).to_contain_text(said)
            expect(page.get_by_role("button", name=button)).to_have_count(0)
            assert page.url == site + guest.path  # to load it again asks nothing
            assert state(guest).status == noted
            assert_good(page)
        page.reload()
        expect(page.get_by_role("status")).to_contain_text("You have accepted.")


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_guest_unsubscribes_and_undoes_it(browser, site, client, alice, width, scheme):
    path = way_out(alice)
    with window(browser, site, width, scheme) as page:
        page.goto(path)
        expect(page.get_by_text("grace@example.com")).to_be_visible()
        assert_good(page)
        for button, heading, subscribed in (
            ("Unsubscribe", "You will get no more messages", False),
            ("Subscribe again", "You get messages again", True),
            ("Unsubscribe", "You will get no more messages", False),
        ):
            page.get_by_role("button", name=button).click()
            expect(page.get_by_role("heading", name=heading)).to_be_visible()
            assert client.get(path).json["subscribed"] is subscribed
            assert_good(page)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_pages_that_refuse_are_good_as_well(browser, site, alice, width, scheme):
    over = invited(alice, starts_in=YESTERDAY, status="declined", answered_at=now())
    guest = invited(alice)
    with window(browser, site, width, scheme) as page:
        page.goto(over.path)
        expect(page.get_by_text("The event has begun")).to_be_visible()
        expect(page.get_by_role("button")).to_have_count(0)
        assert_good(page)
        page.goto(damaged(over.path))
        expect(page.get_by_role("heading", name="This link does not work")).to_be_visible()
        assert_good(page)
        page.goto(guest.path)
        page.evaluate("document.querySelector('button').value = 'perhaps'")
        page.get_by_role("button", name="Accept").click()
        expect(page.get_by_role("heading", name="Please choose an answer")).to_be_visible()
        assert_good(page)
        page.get_by_role("link", name="Back").click()
        expect(page.get_by_role("heading", name="Will you come?")).to_be_visible()


def test_page_needs_no_script_and_no_mouse(browser, site, alice):
    guest = invited(alice)
    with window(browser, site, java_script_enabled=False) as page:
        page.goto(guest.path)
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Accept")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("You have declined.")
    assert state(guest).status == "declined"


def run_a_script(browser: Browser, site: str) -> None:
    with window(browser, site) as page:
        page.goto("/invitations/")
        with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
            page.evaluate("document.body.append(Object.assign(document.createElement('script'), {src: '/x.js'}))")


def test_what_is_bad_is_found(browser, site):
    """Else all of the above says nothing."""
    with window(browser, site) as page:
        page.set_content("<html lang=en><title>x</title><h1>x</h1><button></button><p style='color: #aaa'>pale</p>")
        assert {one["rule"] for one in violations(page)} == {"button-name", "color-contrast"}
        with pytest.raises(AssertionError):
            assert_good(page)
    with pytest.raises(AssertionError, match="Content Security Policy"):
        run_a_script(browser, site)


def test_focus_can_be_seen(browser, site, alice):
    with window(browser, site) as page:
        page.goto(invited(alice).path)
        page.keyboard.press("Tab")
        focused = "getComputedStyle(document.activeElement)"
        assert page.evaluate(f"[{focused}.outlineStyle, {focused}.outlineWidth]") == ["solid", "3px"]


@pytest.mark.parametrize("width", [320, 1280])
def test_any_name_fits_and_runs_its_own_way(browser, site, alice, width):
    guest = invited(alice, event="حفلة الصيف", name="גרייס", place=f"{LONG}\nSecond floor")
    with window(browser, site, width) as page:
        page.goto(guest.path)
        heading = page.get_by_role("heading", name="حفلة الصيف")
        assert heading.evaluate("e => getComputedStyle(e).direction") == "rtl"
        assert page.locator("bdi").evaluate("e => getComputedStyle(e).direction") == "rtl"
        assert page.locator(".place").evaluate("e => getComputedStyle(e).direction") == "ltr"
        assert_good(page)
