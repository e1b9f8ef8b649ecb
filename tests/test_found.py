"""The site can be found, shared, and read by programs."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import gallery_address
import pytest
from bs4 import BeautifulSoup
from conftest import EXAMPLES, ROOT, each_example, run, served
from test_build import PROGRAM, House

ADDRESS = "https://atlas.example/gallery/"
# Made by Sphinx, or for no reader.
UNLISTED = {"404.html", "genindex.html", "search.html"}


def soup(path: Path) -> BeautifulSoup:
    """Return a parsed page."""
    return BeautifulSoup(path.read_text(), "html.parser")


def pages(site: Path) -> dict[str, Path]:
    """Return the pages that somebody wrote, by their names."""
    found = (p for p in site.rglob("*.html") if "_static" not in p.parts)
    names = {str(path.relative_to(site)): path for path in found}
    return {n: p for n, p in names.items() if n not in UNLISTED}


def meta(page: BeautifulSoup) -> dict[str, str]:
    """Return what a page says of itself in its head."""
    tags = page.select("meta[content]")
    return {t.get("property") or t.get("name"): t["content"] for t in tags}


def first_sentence(page: BeautifulSoup) -> str:
    """Return the first paragraph below the title."""
    return " ".join(page.select_one("article p").text.split())


@pytest.mark.parametrize(
    ("remote", "variables", "repository", "site"),
    [
        ("", {}, "", ""),
        ("https://gitlab.com/a/b.git", {}, "", ""),
        ("git@github.com:A/b.git", {}, "A/b", "https://a.github.io/b/"),
        ("https://github.com/a/b", {}, "a/b", "https://a.github.io/b/"),
        (
            "https://github.com/a/b",
            {"GITHUB_REPOSITORY": "c/C.github.io"},
            "c/C.github.io",
            "https://c.github.io/",
        ),
        (
            "https://github.com/a/b",
            {"SITE_URL": "https://here.example"},
            "a/b",
            "https://here.example/",
        ),
        ("", {"SITE_URL": "https://here.example/x/"}, "", None),
        ("https://github.com/a/b", {"SITE_URL": ""}, "", ""),
    ],
)
def test_address_is_asked_for(
    remote, variables, repository, site, tmp_path, monkeypatch
):
    for name in ("SITE_URL", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    if remote:
        add = ["git", "-C", tmp_path, "remote", "add", "origin", remote]
        subprocess.run(add, check=True)
    assert gallery_address.find_repository(tmp_path) == repository
    expected = variables["SITE_URL"] if site is None else site
    assert gallery_address.find_site(repository) == expected


def test_build_without_an_address_makes_none_up(site):
    for name in ("sitemap.xml", "robots.txt"):
        assert not (site / name).exists()
    for path in site.rglob("*.html"):
        if "_static" not in path.parts:
            page = soup(path)
            assert not page.select("link[rel=canonical]")
            assert not [n for n in meta(page) if n and n.startswith("og:")]
            assert "Edit this page" not in page.text
            assert "Open in" not in page.text


def test_page_has_a_card_to_share_with_its_own_picture(published):
    for name, path in pages(published).items():
        page, address = soup(path), ADDRESS + name
        told = meta(page)
        assert page.select_one("link[rel=canonical]")["href"] == address
        assert told["og:url"] == address
        assert told["og:title"] == page.h1.text.strip("#\n")
        assert told["description"] == told["og:description"]
        assert told["og:description"] == first_sentence(page)
        assert told["twitter:card"] == "summary_large_image"
        assert told["og:image"].startswith(ADDRESS)
        assert (published / told["og:image"].removeprefix(ADDRESS)).is_file()
        assert told["og:image:alt"]


@each_example
def test_card_to_share_shows_the_first_figure(example, published):
    relative = example.relative_to(ROOT / "examples").with_suffix(".html")
    page = soup(published / "aws_examples" / relative)
    figure = page.select_one("img.sphx-glr-single-img")
    told = meta(page)
    assert Path(told["og:image"]).name == Path(figure["src"]).name
    assert told["og:image:alt"] == figure["alt"]


def test_sitemap_lists_every_page_and_robots_find_it(published):
    tree = ElementTree.parse(published / "sitemap.xml")
    listed = [element.text for element in tree.iter() if element.text]
    assert sorted(listed) == sorted(
        ADDRESS + name for name in pages(published)
    )
    robots = (published / "robots.txt").read_text()
    assert f"Sitemap: {ADDRESS}sitemap.xml\n" in robots
    assert "Disallow" not in robots


@pytest.mark.parametrize("missing", ["missing.html", "a/b/c/missing.html"])
def test_missing_page_helps_from_any_depth(published, browser, missing):
    with served(published.parent) as address:
        page = browser.new_page()
        answers = {}
        page.on("response", lambda r: answers.update({r.url: r.status}))
        page.goto(f"{address}/gallery/{missing}")
        assert answers.pop(page.url) == 404
        assert set(answers.values()) == {200}
        assert page.locator("h1").inner_text().startswith("Page not found")
        own = page.locator("article a.internal").evaluate_all(
            "links => links.map(a => a.href)"
        )
        assert len(own) > 3
        links = page.locator("a[href]").evaluate_all(
            "links => links.map(a => a.href)"
        )
        for link in {urljoin(address, link) for link in links}:
            if link.startswith(address) and "#" not in link:
                assert page.request.get(link).ok, link
        # The style came too.
        family = "getComputedStyle(document.body).fontFamily"
        assert "sans-serif" in page.evaluate(family)
        page.close()


def test_moved_page_leads_to_the_new_one(tmp_path, site, browser):
    house = House(tmp_path)
    with open(house.root / "docs/conf.py", "a") as conf:
        conf.write('redirects = {"aws_examples/old_name": "draw_line.html"}\n')
    assert house.ran("html") == 1
    for scripts in (True, False):
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        page.goto(house.page("old_name").as_uri())
        page.wait_for_url("**/draw_line.html")
        assert page.locator("h1").inner_text().startswith("Draw a line")
        context.close()
    old = soup(house.page("old_name"))
    assert not old.select("script")
    assert old.a["href"] == "draw_line.html"


def test_sitemap_stays_whole_when_one_page_changes(tmp_path, site):
    house = House(tmp_path)
    known = {"SITE_URL": ADDRESS}

    def listed() -> int:
        done = run(["make", "html"], "standin", house.root, **known)
        assert done.returncode == 0, done.stdout + done.stderr
        sitemap = house.root / "docs/_build/html/sitemap.xml"
        return sitemap.read_text().count("<loc>")

    first = listed()
    assert first > 4
    house.example.write_text(PROGRAM.replace("41 + 1", "41 + 2"))
    assert listed() == first


def test_list_for_programs_names_every_page(site):
    text = (site / "llms.txt").read_text()
    assert text.startswith("# Cloud Atlas Gallery\n\n> ")
    listed = re.findall(r"(?m)^- \[(.+)\]\((\S+)\.txt\): (.+)$", text)
    headings = re.findall(r"(?m)^## (.+)\n\n(.+)$", text)
    assert len(listed) == len(set(listed))
    for title, name, sentence in listed:
        page = soup(site / f"{name}.html")
        assert page.h1.text.strip("#\n") == title
        assert first_sentence(page) == sentence
        assert (site / f"{name}.txt").is_file()
    titles = {title for title, *_ in [*listed, *headings]}
    for name, path in pages(site).items():
        if name != "index.html":
            assert soup(path).h1.text.strip("#\n") in titles, name
    assert len(listed) >= len(EXAMPLES)


@each_example
def test_text_of_a_page_says_what_the_page_says(example, site):
    relative = example.relative_to(ROOT / "examples").with_suffix(".html")
    path = site / "aws_examples" / relative
    page, text = soup(path), path.with_suffix(".txt").read_text()
    link = page.select_one("link[rel=alternate][type='text/plain']")
    assert link["href"] == f"{example.stem}.txt"
    lines = {line.strip() for line in text.splitlines()}
    for block in page.select(
        ".highlight-Python pre, .sphx-glr-script-out pre"
    ):
        for line in block.text.splitlines():
            assert line.strip() in lines
    flat = " ".join(text.split())
    for figure in page.select("img.sphx-glr-single-img"):
        assert f"[Figure: {figure['alt']}]" in flat
    for heading in page.select("article h2"):
        assert heading.text.strip("#\n") in lines
    assert not re.search(r"</?(div|span|p|img)\b|:(term|doc|func):`", text)


def test_text_keeps_the_addresses_of_links(site):
    text = (site / "data.txt").read_text()
    for link in soup(site / "data.html").select("article a.external"):
        assert urlsplit(link["href"]).netloc in text
