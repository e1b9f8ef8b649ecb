"""A first view is light, nothing fails, and nothing moves under the eye."""

import gzip
import re
import threading
import time
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pydata_sphinx_theme
import pytest
from conftest import EXAMPLES, ROOT, run
from fontTools.ttLib import TTFont

TEXT = {".html", ".css", ".js", ".svg", ".txt", ".json"}
# What the browser received, by address, without the headers.
RECEIVED = """
[...performance.getEntriesByType("navigation"),
 ...performance.getEntriesByType("resource")].map(
  entry => [entry.name, entry.encodedBodySize])
"""
WATCH_SHIFTS = """
window.shifts = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    window.shifts += entry.value;
    window.moved = entry.sources.map(({ node }) => node?.outerHTML);
  }
}).observe({ type: "layout-shift", buffered: true });
"""
# To the end, so that every picture comes, and the frame after.
SCROLL = """
async () => {
  const frame = () => new Promise(requestAnimationFrame);
  while (scrollY + innerHeight < document.body.scrollHeight - 1) {
    scrollBy({ top: 700, behavior: "instant" });
    await frame();
  }
  const pictures = [...document.images].filter(i => i.checkVisibility());
  await Promise.all(pictures.map(i => i.complete ||
    new Promise(done => i.onload = i.onerror = done)));
  await frame();
  await frame();
}
"""
ICONS = """
[...document.querySelectorAll("*")].flatMap(element =>
  ["::before", "::after"].map(part => getComputedStyle(element, part))
    .filter(style => style.fontFamily.includes("Font Awesome"))
    .map(style => style.content)).join("")
"""


@cache
def zipped(path: str) -> bytes:
    """Return a file as a host would send it."""
    return gzip.compress(Path(path).read_bytes())


class Host(SimpleHTTPRequestHandler):
    """A host of static pages: it zips text, and pictures come late.

    A page with ``?slowly`` behind its address comes in pieces.
    """

    def do_GET(self):
        """Send a file."""
        path = Path(self.translate_path(self.path))
        if path.suffix in (".png", ".webp"):
            time.sleep(0.1)
        if path.suffix not in TEXT or not path.is_file():
            super().do_GET()
            return
        if self.path.endswith("?slowly"):
            self.send_slowly(path.read_bytes())
            return
        content = zipped(str(path))
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_slowly(self, content: bytes) -> None:
        """Send a page cut before tags, each piece in time to be drawn."""
        tags = re.findall(rb"<[^<]*", content)
        step = len(tags) // 5 + 1
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        for begin in range(0, len(tags), step):
            self.wfile.write(b"".join(tags[begin : begin + step]))
            time.sleep(0.05)

    def log_message(self, *words):
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site) -> str:
    """Return where the site is served."""
    host = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=site))
    threading.Thread(target=host.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{host.server_port}/"
    host.shutdown()


def pages_of(site: Path) -> list[str]:
    """Return the pages of the site, by their paths."""
    return sorted(
        str(path.relative_to(site))
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    )


def first_view(browser, url: str) -> dict[str, int]:
    """Return what a reader's first view of a page brings, in bytes."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(url, wait_until="networkidle")
    received = dict(page.evaluate(RECEIVED))
    context.close()
    return received


def inline_figures(page: Path) -> int:
    """Return what the figures weigh that stand in the page itself."""
    html = page.read_text()
    bare = re.sub(r'data-(?:vertices|triangles)="[^"]*"', "", html)
    return len(gzip.compress(html.encode())) - len(
        gzip.compress(bare.encode())
    )


def test_an_example_is_light_without_its_figures(site, browser, address):
    heavy = {}
    for example in EXAMPLES:
        name = example.relative_to(ROOT / "examples").with_suffix(".html")
        received = first_view(browser, f"{address}aws_examples/{name}")
        assert len(received) > 8
        weight = sum(
            size for url, size in received.items() if "/_images/" not in url
        )
        weight -= inline_figures(site / "aws_examples" / name)
        if weight > 125_000:
            heavy[str(name)] = received
    assert heavy == {}


@pytest.mark.parametrize("name", ["index.html", "aws_examples/index.html"])
def test_home_and_index_are_light_with_their_pictures(browser, address, name):
    received = first_view(browser, address + name)
    assert any("/_images/" in url for url in received)
    assert sum(received.values()) <= 250_000, received


@pytest.mark.parametrize("width", [1280, 320])
def test_nothing_fails_and_nothing_moves(site, browser, address, width):
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.add_init_script(WATCH_SHIFTS)
    failed = []
    # A picture that is on its way when the next page is asked for is no loss.
    page.on(
        "requestfailed",
        lambda request: (
            request.failure == "net::ERR_ABORTED"
            or failed.append((request.url, request.failure))
        ),
    )
    page.on("response", lambda r: r.status >= 400 and failed.append(r.url))
    moved = {}
    for name in pages_of(site):
        page.goto(f"{address}{name}?slowly")
        page.evaluate(SCROLL)
        shifts = page.evaluate("window.shifts")
        if shifts > 0.001:
            moved[name] = shifts, page.evaluate("window.moved")
    context.close()
    assert failed == []
    assert moved == {}


def test_every_icon_is_in_the_font_that_is_sent(site, browser):
    """The fonts hold what the pages draw, and little else."""
    fonts = sorted((site / "_static/vendor").rglob("*.woff2"))
    drawn = {chr(c) for path in fonts for c in TTFont(path).getBestCmap()}
    page = browser.new_page()
    needed = set()
    for name in pages_of(site):
        page.goto((site / name).as_uri())
        needed |= set(page.evaluate(ICONS))
    page.close()
    needed = {c for c in needed if "\ue000" <= c <= "\uf8ff"}
    assert len(needed) > 8
    assert needed <= drawn
    assert sum(path.stat().st_size for path in fonts) < 10_000


def test_the_theme_s_own_style_is_left_alone(site):
    theme = Path(pydata_sphinx_theme.__file__).parent
    style = "styles/pydata-sphinx-theme.css"
    own = theme / "theme/pydata_sphinx_theme/static" / style
    assert (site / "_static" / style).read_bytes() == own.read_bytes()
    assert list(site.rglob("*.map")) == []


@pytest.mark.parametrize("where", ["host", "disk"])
def test_search_as_you_type_by_keyboard(site, browser, address, where):
    """Its scripts come when it begins; what is typed meanwhile is kept."""
    context = browser.new_context()
    page = context.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda m: m.type == "error" and complaints.append(m.text),
    )

    def wait(route):
        time.sleep(0.5)
        route.continue_()

    page.route(re.compile(r"searchtools\.js"), wait)
    base = address if where == "host" else site.as_uri() + "/"
    page.goto(base + "aws_examples/explore_atlas.html")
    page.wait_for_timeout(300)
    assert not [url for url in asked if "search" in Path(url).name[6:]]
    page.keyboard.press("Control+k")
    page.keyboard.type("retrosplenial")
    results = page.locator("#pst-search-dialog .search a")
    results.first.wait_for()
    assert page.locator("#pst-search-dialog input").input_value() == (
        "retrosplenial"
    )
    found = page.locator("#pst-search-dialog .search li").all_inner_texts()
    assert any("Explore an atlas" in text for text in found)
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert urlsplit(page.url).path.startswith(urlsplit(base).path)
    assert "retrosplenial" in page.locator("article").inner_text().lower()
    page.goto(base + "search.html?q=retrosplenial")
    page.locator("#search-results li a").first.wait_for()
    page.wait_for_timeout(500)
    context.close()
    assert complaints == []


def test_the_logo_is_drawn_from_the_atlas(mirror, tmp_path):
    """The committed picture is what the code draws from the real atlas."""
    launch = [".venv/bin/python", "docs/_ext/atlas_launch.py"]
    command = [".venv/bin/python", "docs/_ext/draw_logo.py", tmp_path]
    done = run([*launch, *command], str(mirror))
    assert done.returncode == 0, done.stderr
    logo = ROOT / "docs/_static/logo.svg"
    assert (tmp_path / "logo.svg").read_bytes() == logo.read_bytes()
    assert logo.stat().st_size < 3000


def test_every_page_has_the_logo_in_its_tab(site):
    for name in pages_of(site):
        html = (site / name).read_text()
        icons = re.findall(r'<link rel="icon"[^>]*href="([^"?]+)', html)
        assert {Path(icon).name for icon in icons} == {
            *("logo.svg", "favicon.png"),
        }
