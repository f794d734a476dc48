"""The built site: no link leads nowhere, nothing is fetched from elsewhere, and a browser shows every kind of page.

`COVECTOR_SITE` names the directory of a site built by `mkdocs build`; without it there is nothing to test. The tests
that look at pages need Chromium and the `browser` extra, and are skipped where either is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from functools import cached_property, partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, final
from urllib.parse import unquote, urljoin, urlsplit

import pytest

SITE = os.environ.get("COVECTOR_SITE")
ROOT = Path(SITE or ".").resolve()
PAGES = sorted(str(page.relative_to(ROOT)) for page in ROOT.rglob("*.html")) if SITE else []
ORIGIN = "https://site.test/"

pytestmark = pytest.mark.skipif(SITE is None, reason="COVECTOR_SITE names no built site: mkdocs build --site-dir ...")
each_page = pytest.mark.parametrize("page", PAGES)


@final
class Page(HTMLParser):
    """What a page refers to, and what can be referred to in it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.depth = name, 0
        self.links: list[str] = []
        self.navigation: list[str] = []
        self.resources: list[str] = []
        self.identifiers: list[str] = []
        self.headings = 0
        self.without_text: list[str] = []
        self.language: str | None = None
        self.feed((ROOT / name).read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Notes links, resources and identifiers."""
        found = {name: value or "" for name, value in attributes}
        if "id" in found:
            self.identifiers.append(found["id"])
        self.headings += tag == "h1"
        self.depth += tag == "nav"
        if tag == "html":
            self.language = found.get("lang")
        if tag == "a" and "href" in found:
            (self.navigation if self.depth else self.links).append(found["href"])
        if tag in {"img", "script", "source", "iframe"} and "src" in found:
            self.resources.append(found["src"])
        if tag == "link" and found.get("rel") not in {"canonical", "next", "prev"}:
            self.resources.append(found["href"])
        if (tag == "img" and not found.get("alt")) or (found.get("role") == "img" and not found.get("aria-label")):
            self.without_text.append(str(found))

    def handle_endtag(self, tag: str) -> None:
        """Notes where the navigation ends."""
        self.depth -= tag == "nav"

    @cached_property
    def address(self) -> str:
        """Where a server shows the page: the directory for an index."""
        return urljoin(ORIGIN, self.name.removesuffix("index.html"))


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    """The pages of the site by address."""
    return {page.address: page for page in map(Page, PAGES)}


def _of(pages: dict[str, Page], name: str) -> Page:
    return next(page for page in pages.values() if page.name == name)


# --- what the files say -----------------------------------------------------------------------------------


@each_page
def test_every_link_leads_to_a_page_or_file_and_to_an_anchor_in_it(pages: dict[str, Page], page: str) -> None:
    found = _of(pages, page)
    assert not [link for link in found.links + found.navigation if _is_broken(urljoin(found.address, link), pages)]


def _is_broken(address: str, pages: dict[str, Page]) -> bool:
    if not address.startswith(ORIGIN):
        return not address.startswith(("https://", "http://", "mailto:"))
    parts = urlsplit(address)
    target = pages.get(urljoin(ORIGIN, parts.path))
    if target is None:
        return not (ROOT / unquote(parts.path.lstrip("/"))).is_file()
    return bool(parts.fragment) and unquote(parts.fragment) not in target.identifiers


@each_page
def test_pages_load_only_files_of_the_site(pages: dict[str, Page], page: str) -> None:
    found = _of(pages, page)
    fetched = [urljoin(found.address, resource) for resource in found.resources if not resource.startswith("data:")]
    assert not [address for address in fetched if not address.startswith(ORIGIN) or _is_broken(address, pages)]


@each_page
def test_pictures_have_a_text_for_those_who_do_not_see_them(pages: dict[str, Page], page: str) -> None:
    assert not _of(pages, page).without_text


@each_page
def test_a_page_has_one_heading_a_language_and_no_identifier_twice(pages: dict[str, Page], page: str) -> None:
    found = _of(pages, page)
    assert (found.headings, found.language) == (1, "en")
    assert not [name for name, count in Counter(found.identifiers).items() if count > 1]


@each_page
def test_a_page_is_light_enough_for_a_phone(page: str) -> None:
    assert (ROOT / page).stat().st_size < 1_000_000


def test_every_page_is_reachable_from_the_navigation(pages: dict[str, Page]) -> None:
    home = pages[ORIGIN]
    reached = {urljoin(home.address, link).partition("#")[0] for link in home.navigation}
    assert set(pages) - reached == {urljoin(ORIGIN, "404.html")}


def test_the_search_finds_every_page(pages: dict[str, Page]) -> None:
    entries = json.loads((ROOT / "search" / "search_index.json").read_text())["docs"]
    found = {urljoin(ORIGIN, entry["location"]).partition("#")[0] for entry in entries}
    assert set(pages) - found == {urljoin(ORIGIN, "404.html")}


# --- what a browser shows ---------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update", "disable-sync"]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
KINDS = {
    "home": "",
    "start": "start/",
    "chapter": "course/01-derivatives/",
    "how-to": "howto/scipy/",
    "example": "examples/curve_fit/",
    "reference": "reference/",
    "table": "supported/",
    "architecture": "architecture/",
    "gallery": "examples/",
    "diagram": "transformations/",
    "plots": "benchmarks/",
}


@final
class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address at which the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(ROOT))) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_address[1]}/"
        found.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium, which downloads nothing by itself and forgets everything."""
    api = pytest.importorskip("playwright.sync_api", reason="needs the `browser` extra")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=[f"--{option}" for option in QUIET])
        yield running
        running.close()


@final
class Visit:
    """A page in a window of its own, with what went wrong in it."""

    def __init__(self, browser: Any, server: str, size: dict[str, int], scheme: str = "light") -> None:
        self.server, self.wrong = server, list[str]()
        self.page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.page.on("request", self._asked_for)

    def _said(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(message.text)

    def _asked_for(self, request: Any) -> None:
        if not request.url.startswith((self.server, "data:", "blob:")):
            self.wrong.append(f"leaves the site: {request.url}")

    def open(self, path: str) -> Any:
        """The page at an address of the site, when it is at rest."""
        self.page.goto(self.server + path)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def close(self) -> None:
        """Closes the window; raises if anything went wrong in it."""
        self.page.context.close()
        assert not self.wrong


@pytest.mark.parametrize(
    ("size", "scheme"), [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light")], ids=["light", "dark", "phone"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_shows_without_errors_and_fits_and_is_accessible(
    browser: Any, server: str, kind: str, size: dict[str, int], scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the `browser` extra")
    visit = Visit(browser, server, size, scheme)
    page = visit.open(KINDS[kind])
    assert page.locator("body").get_attribute("data-md-color-scheme") == {"light": "default", "dark": "slate"}[scheme]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    violations = axe.Axe().run(page).response["violations"]
    assert not [_told(found) for found in violations if found["impact"] in {"serious", "critical"}]
    visit.close()


def _told(violation: dict[str, Any]) -> str:
    places = [node["html"][:160] for node in violation["nodes"][:3]]
    return f"{violation['id']}: {violation['help']} ({len(violation['nodes'])} times): {places}"


def test_search_for_vjp_leads_to_its_reference(browser: Any, server: str) -> None:
    visit = Visit(browser, server, DESKTOP)
    page = visit.open("")
    page.locator("input.md-search__input").click()
    page.keyboard.type("vjp")
    results = page.locator("a.md-search-result__link")
    results.first.wait_for()
    addresses = [result.get_attribute("href") for result in results.all()]
    assert any("reference/" in address and address.endswith("#covector.vjp") for address in addresses)
    results.first.click()
    page.wait_for_load_state("networkidle")
    assert "vjp" in page.locator("article").inner_text()
    visit.close()


def test_the_reader_can_turn_to_dark_and_it_stays_so(browser: Any, server: str) -> None:
    visit = Visit(browser, server, DESKTOP)
    page = visit.open("")
    page.locator("label[title='Dark mode']").click()
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"
    visit.open("reference/")
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"
    visit.close()


def test_on_a_phone_the_menu_leads_to_every_section(browser: Any, server: str) -> None:
    visit = Visit(browser, server, PHONE)
    page = visit.open("")
    page.locator("label.md-header__button[for='__drawer']").click()
    page.locator("nav.md-nav--primary").get_by_text("Reference", exact=True).first.click()
    page.locator("nav.md-nav--primary").get_by_role("link", name="Conventions").click()
    page.wait_for_url("**/conventions/")
    visit.close()


def test_copying_a_session_copies_its_input_alone(browser: Any, server: str) -> None:
    visit = Visit(browser, server, DESKTOP)
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visit.open("")
    page.locator("button.md-clipboard, .md-code__button").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "import covector as cv" in copied
    assert ">>>" not in copied
    assert "array([5.5" not in copied
    visit.close()
