"""The built site keeps its promises to a reader."""

import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT, each_example

GALLERY = ROOT / "docs" / "aws_examples"


@cache
def soup(path: Path) -> BeautifulSoup:
    """Return a parsed page."""
    return BeautifulSoup(path.read_text(), "html.parser")


def page_of(example: Path, site: Path) -> Path:
    """Return the built page of an example."""
    relative = example.relative_to(ROOT / "examples").with_suffix(".html")
    return site / "aws_examples" / relative


def reads_of(example: Path) -> dict:
    """Return what the server counted for an example."""
    relative = example.relative_to(ROOT / "examples")
    path = (GALLERY / relative).with_suffix(".reads.json")
    return json.loads(path.read_text())


@each_example
def test_page_has_figures_with_authored_alt_text(example, site):
    images = soup(page_of(example, site)).select("img.sphx-glr-single-img")
    assert images
    for image in images:
        assert len(image["alt"]) > 40
        assert image["alt"].endswith(".")
        for file in re.findall(r"\S+\.png", image["srcset"]):
            assert (page_of(example, site).parent / file).is_file()
        assert "2.00x" in image["srcset"]


@each_example
def test_page_offers_the_program_itself(example, site):
    links = {
        Path(a["href"]).suffix: page_of(example, site).parent / a["href"]
        for a in soup(page_of(example, site)).select("a[download]")
    }
    assert {".py", ".ipynb", ".zip"} <= set(links)
    assert links[".py"].read_bytes() == example.read_bytes()


@each_example
def test_page_shows_neither_header_nor_litter(example, site):
    page = page_of(example, site)
    for file in (page, next(site.rglob(f"{example.stem}.ipynb"))):
        text = file.read_text()
        for litter in ("/// script", "Traceback", "Text(0.5", str(ROOT)):
            assert litter not in text
        assert not re.search(
            r"Downloading|/home/|127\.0\.0\.1:[1-9]|\d+%\|", text
        )


@each_example
def test_card_says_what_was_counted(example, site):
    card = soup(page_of(example, site)).select_one(".atlas-card").text
    reads = reads_of(example)
    assert reads["objects"]
    assert f"{len(reads['objects'])} objects" in card
    assert f"{reads['bytes'] / 1e6:.2f} MB" in card
    assert f"{reads['seconds']:.1f} s" in card
    assert f"{reads['memory'] / 1e6:.0f} MB of memory" in card
    total = sum(o["bytes"] for o in reads["objects"].values())
    assert 0 < total <= reads["bytes"] * 1.001 + 1


@each_example
def test_card_says_what_a_mirror_lacks(example, site):
    card = soup(page_of(example, site)).select_one(".atlas-card").text
    for read in reads_of(example)["objects"].values():
        assert read.get("caveat", "") in card


def test_the_mirror_s_template_is_not_shown_as_the_real_one(mirror, site):
    page = site / "aws_examples/slices/outline_structures.html"
    assert "not the real template" in soup(page).select_one(".atlas-card").text
    # The mirror says of the rat's labels that they are real.
    page = site / "aws_examples/volumes/compare_hemispheres.html"
    assert "not independent" not in soup(page).select_one(".atlas-card").text


def test_banner_stands_where_synthetic_data_are_shown(site):
    synthetic = {
        str(path.relative_to(GALLERY)).removesuffix(".reads.json"): any(
            o["source"] == "stand-in"
            for o in json.loads(path.read_text())["objects"].values()
        )
        for path in GALLERY.rglob("*.reads.json")
    }
    assert synthetic
    for path in site.rglob("*.html"):
        name = str(path.relative_to(site)).removesuffix(".html")
        own = name.removeprefix("aws_examples/")
        expected = synthetic.get(own, any(synthetic.values()))
        banner = soup(path).select_one(".bd-header-announcement")
        if "_static" in path.parts:
            continue
        assert bool(banner) == expected, name
        if banner:
            assert "Synthetic data" in banner.text
            [link] = banner.select("a")
            target, _, anchor = link["href"].partition("#")
            there = (path.parent / target).resolve() if target else path
            assert soup(there).find(id=anchor)


def test_links_inside_the_site_lead_somewhere(site):
    broken = []
    for path in site.rglob("*.html"):
        if "_static" in path.parts:
            continue
        for tag in soup(path).find_all(href=True) + soup(path).select("[src]"):
            link = urlsplit(tag.get("href") or tag["src"])
            if link.scheme or link.netloc:
                continue
            target = (path.parent / unquote(link.path)).resolve()
            target = path if not link.path else target
            if not target.is_file():
                broken.append((path.name, link.geturl()))
            elif link.fragment and target.suffix == ".html":
                page = soup(target)
                if not page.find(id=link.fragment):
                    broken.append((path.name, link.geturl()))
    assert broken == []


def test_index_card_carries_the_sentence_of_the_page(site):
    index = soup(site / "aws_examples" / "index.html")
    cards = index.select(".sphx-glr-thumbcontainer")
    assert cards
    for card in cards:
        page = soup(site / "aws_examples" / card.select_one("a")["href"])
        sentence = card.select_one(".atlas-answer").text
        told = page.select_one("h1 ~ p").text.replace("’", "'")
        assert told == sentence
        assert card.select_one("a").text in page.select_one("h1").text


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_pages_in_a_browser(site, browser, theme, width):
    """Nothing from elsewhere, no error, no sideways scroll, true colours."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=theme
    )
    page = context.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on(
        "console",
        lambda message: (
            message.type in ("error", "warning")
            and complaints.append(message.text)
        ),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    paths = [p for p in site.rglob("*.html") if "_static" not in p.parts]
    for path in paths:
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        filters = page.evaluate(
            "[...document.querySelectorAll('article img')].map("
            "image => getComputedStyle(image).filter)"
        )
        assert set(filters) <= {"none"}, path.name
        sizes = page.evaluate(
            "Promise.all([...document.querySelectorAll('article img')].map("
            "async image => { image.loading = 'eager'; await image.decode();"
            " return image.naturalWidth; }))"
        )
        assert all(sizes), path.name
        shown = page.evaluate("document.documentElement.dataset.theme")
        assert shown == theme
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data"}
    assert complaints == []
    context.close()
