"""What a reader takes away is there, complete, and says where it is from."""

import re
import zipfile
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import gallery_cite
import nbformat
import pytest
import yaml
from conftest import EXAMPLES, ROOT, each_example, run, served
from test_build import House
from test_site import page_of, reads_of, soup
from test_style import header

SUFFIXES = (".py", ".ipynb", ".zip")
PLACES = (".bd-header-article", ".bd-sidebar-secondary")


def downloads(page: Path, place: str) -> list[Path]:
    """Return the files that a place of a page offers, in its order."""
    links = soup(page).select(f"{place} .atlas-takeaway a[download]")
    return [(page.parent / a["href"]).resolve() for a in links]


@each_example
@pytest.mark.parametrize("place", PLACES)
def test_program_is_offered_at_the_top_and_at_the_side(example, place, site):
    page = page_of(example, site)
    *own, archive = downloads(page, place)
    # Beside the page and by its name: addresses that stay.
    assert own == [page.with_suffix(suffix) for suffix in SUFFIXES]
    assert archive == site / "cloud-atlas-gallery.zip"
    assert own[0].read_bytes() == example.read_bytes()
    with zipfile.ZipFile(own[2]) as both:
        assert {Path(n).name for n in both.namelist()} == {
            f"{example.stem}.py",
            f"{example.stem}.ipynb",
        }


def test_nothing_is_offered_under_a_second_address(site):
    second = [p.suffix for p in (site / "_downloads").rglob("*.*")]
    assert not set(second) & set(SUFFIXES)


def test_archive_holds_every_program_and_notebook(site):
    with zipfile.ZipFile(site / "cloud-atlas-gallery.zip") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    folder = Path("cloud-atlas-gallery")
    expected = {str(folder / name) for name in ("LICENSE", "CITATION.cff")}
    for example in EXAMPLES:
        relative = folder / example.relative_to(ROOT / "examples")
        assert held[str(relative)] == example.read_bytes()
        notebook = relative.with_suffix(".ipynb")
        page = page_of(example, site).with_suffix(".ipynb")
        assert held[str(notebook)] == page.read_bytes()
        expected |= {str(relative), str(notebook)}
    assert set(held) == expected
    [link] = downloads(site / "aws_examples/index.html", PLACES[0])
    assert link == site / "cloud-atlas-gallery.zip"


@each_example
def test_notebook_installs_what_it_needs_and_shows_results(example, site):
    path = page_of(example, site).with_suffix(".ipynb")
    install, *cells = nbformat.read(path, as_version=4).cells
    assert "%pip install" in install.source
    for requirement in header(example.read_text())["dependencies"]:
        assert f'"{requirement}"' in install.source
    kinds = {
        output.output_type
        for cell in cells
        for output in cell.get("outputs", ())
    }
    assert {"stream", "display_data"} <= kinds


@each_example
def test_launch_links_lead_to_a_notebook_that_is_pushed(
    example, published, tmp_path_factory
):
    pushed = pushed_notebooks(tmp_path_factory)
    page = page_of(example, published)
    for place in PLACES:
        links = {
            a.text: urlsplit(a["href"])
            for a in soup(page).select(f"{place} .atlas-takeaway a")
            if not a.has_attr("download")
        }
        assert set(links) == {"Open in Colab", "Open in Binder"}
        colab, binder = links["Open in Colab"], links["Open in Binder"]
        assert colab.netloc == "colab.research.google.com"
        root = "/github/someone/atlas/blob/notebooks/"
        assert colab.path.removeprefix(root) in pushed
        assert (binder.netloc, binder.path) == (
            "mybinder.org",
            "/v2/gh/someone/atlas/notebooks",
        )
        assert binder.query.removeprefix("urlpath=lab/tree/") in pushed
    assert "binder/requirements.txt" in pushed


def pushed_notebooks(tmp_path_factory) -> set[str]:
    """Return what `make notebooks` pushes; it does so once."""
    bare = tmp_path_factory.getbasetemp() / "bare.git"
    if not bare.exists():
        run(["git", "init", "-q", "--bare", bare])
        done = run(["make", "notebooks", f"REMOTE={bare}"])
        assert done.returncode == 0, done.stderr
    tree = ["git", "-C", bare, "ls-tree", "-r", "--name-only", "notebooks"]
    return set(run(tree).stdout.split())


def test_binder_installs_what_the_examples_import(site):
    listed = (site / "binder/requirements.txt").read_text().splitlines()
    for example in EXAMPLES:
        assert set(header(example.read_text())["dependencies"]) <= set(listed)


def test_edit_link_opens_the_source_of_each_page(published):
    for path in published.rglob("*.html"):
        name = str(path.relative_to(published))
        # The home page has no sidebar; Sphinx makes the other two.
        without = ("index.html", "genindex.html", "search.html")
        if "_static" in path.parts or name in without:
            continue
        [link] = soup(path).select(".editthispage a")
        root = "https://github.com/someone/atlas/edit/main/"
        source = ROOT / link["href"].removeprefix(root)
        assert source.is_file(), link["href"]
        if path.with_suffix(".py").exists():
            assert source.suffix == ".py"
        title = soup(path).h1.text.strip("#\n").replace("’", "'")
        assert title in source.read_text()


PROMPTS = """
data
===========

.. code-block:: pycon

   >>> 6 * 7
   42

.. code-block:: console

   $ make html
   built
"""


def test_copied_code_has_no_prompt(tmp_path, site, browser):
    house = House(tmp_path)
    (house.root / "docs/data.rst").write_text(PROMPTS)
    assert house.ran("html") == 1
    html = house.root / "docs/_build/html"
    with served(html.parent) as address:
        context = browser.new_context()
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.goto(f"{address}/html/data.html")
        copied = []
        for button in page.locator("button.copybtn").all():
            button.focus()
            page.keyboard.press("Enter")
            page.wait_for_timeout(200)
            copied.append(page.evaluate("navigator.clipboard.readText()"))
        context.close()
    assert [text.strip() for text in copied] == ["6 * 7", "make html"]


def entries(text: str) -> dict[str, str]:
    """Return the BibTeX entries of a text by their keys."""
    found = re.findall(r"(?ms)^(@\w+\{(\w+),\n.*?^\})$", text)
    return {key: entry for entry, key in found}


@each_example
def test_page_ends_with_what_to_cite(example, site):
    section = soup(page_of(example, site)).select_one("section#cite")
    [block] = section.select("pre")
    found = entries(block.text)
    assert block.text.count("@") == len(found)
    names = " ".join(reads_of(example)["objects"])
    assert ("wang2020" in found) == ("allen" in names)
    assert ("kleven2023" in found) == ("whs_sd_rat" in names)
    assert "claudi2020" in found
    own = found["cloud_atlas_gallery"]
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    for told in (cff["title"], cff["version"], cff["authors"][0]["name"]):
        assert f"{{{told}}}" in own.replace("{{", "{").replace("}}", "}")
    assert soup(page_of(example, site)).h1.text.strip("#\n") in own
    assert "url" not in own


def test_published_page_is_cited_by_its_address(published):
    page = published / "aws_examples" / "explore_atlas.html"
    found = entries(soup(page).select_one("section#cite pre").text)
    address = "https://atlas.example/gallery/aws_examples/explore_atlas.html"
    assert f"url = {{{address}}}" in found["cloud_atlas_gallery"]


def test_whoever_made_what_pages_read_is_in_the_table():
    """An atlas that a page begins to read must be given its publication."""
    known = gallery_cite.references(ROOT / "docs/_data")
    makers = [word for word in gallery_cite.MAKERS if word]
    assert {key for keys in gallery_cite.MAKERS.values() for key in keys} == {
        *known
    }
    kinds = r"(annotation|annotation-set|template|terminologie)s?/"
    for example in EXAMPLES:
        for name in reads_of(example)["objects"]:
            if re.search(kinds, name):
                assert any(word in name for word in makers), name
    dois = re.findall(r"doi = \{(.+)\}", "".join(known.values()))
    assert len(dois) == len(known)
    told = re.findall(
        r"doi\.org/(10\.\S+)", (ROOT / "docs/data.rst").read_text()
    )
    assert set(told) <= set(dois)


@each_example
def test_card_says_what_the_program_needs_and_ran_with(example, site):
    card = soup(page_of(example, site)).select_one(".atlas-card")
    rows = dict(
        zip(
            [dt.text.strip(": \n") for dt in card.select("dt")],
            [dd.text.strip() for dd in card.select("dd")],
            strict=True,
        )
    )
    declared = header(example.read_text())["dependencies"]
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in declared]
    assert rows["Needs"] == ", ".join(names)
    assert rows["With"].startswith("Python 3.")
    for name in {"numpy", "zarr"} & set(names):
        assert f"{name} {version(name)}" in rows["With"]
