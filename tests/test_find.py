"""A reader finds an example: by card, tag, function, atlas and relation."""

import ast
import json
import re
import tomllib
from urllib.parse import urlsplit

from conftest import EXAMPLES, ROOT, each_example, run
from gallery_find import called
from gallery_functions import INVENTORIES, SITES, UNDOCUMENTED
from playwright.sync_api import expect
from sphinx.util.inventory import InventoryFile
from test_site import GALLERY, page_of, reads_of, soup

TAGS = tomllib.loads((ROOT / "docs/_data/tags.toml").read_text())


def tags_of(example) -> list[str]:
    """Return the tags that an example's line names."""
    line = r'(?m)^"""\n\n# sphinx_gallery_tags = (\[.*\])$'
    found = re.findall(line, example.read_text())
    assert len(found) == 1, "one line of tags, after the docstring"
    return ast.literal_eval(found[0])


@each_example
def test_tags_are_words_of_the_vocabulary(example):
    tags = tags_of(example)
    tasks = [tag for tag in tags if tag in TAGS["task"]]
    difficulty = [tag for tag in tags if tag in TAGS["difficulty"]]
    assert 1 <= len(tasks) <= 2
    assert tags == [*tasks, *difficulty]
    assert len(difficulty) == 1


def test_each_word_is_explained_and_finds_its_examples(site):
    page = soup(site / "tags.html")
    index = soup(site / "aws_examples/index.html")
    words = [tag for tags in TAGS.values() for tag in tags]
    assert len(set(words)) == len(words)
    for facet, tags in TAGS.items():
        for tag in tags:
            [link] = page.select(f'a[href$="index.html?{facet}={tag}"]')
            told = link.find_parent("dt").find_next_sibling("dd").text
            cards = index.select(f'[data-{facet}~="{tag}"]')
            assert f"({len(cards)})" in told
            assert len(told) > 12


def cards(site) -> dict:
    """Return the cards of the index by the page that they lead to."""
    index = soup(site / "aws_examples/index.html")
    return {
        card.select_one("a")["href"]: card
        for card in index.select(".sphx-glr-thumbcontainer")
    }


@each_example
def test_card_tells_question_answer_cost_and_tags(example, site):
    relative = example.relative_to(ROOT / "examples").with_suffix(".html")
    card = cards(site)[str(relative)]
    title, _, _, answer = ast.get_docstring(
        ast.parse(example.read_text())
    ).splitlines()[:4]
    assert card.select_one("a").text.replace("’", "'") == title
    assert card.select_one(".atlas-answer").text == answer
    reads = reads_of(example)
    facts = card.select_one(".atlas-facts").text
    megabytes = reads["bytes"] / 1e6
    cost = f"{megabytes:.1f} MB · {reads['seconds']:.1f} s"
    assert cost.replace("0.0 MB", "under 0.1 MB") in facts
    for tag in tags_of(example):
        assert tag in facts
        facet = "task" if tag in TAGS["task"] else "difficulty"
        assert tag in card[f"data-{facet}"].split()
    for facet in ("species", "data"):
        assert set(card[f"data-{facet}"].split()) <= set(TAGS[facet])
    sizes = ["under-1-MB", "1-to-5-MB", "over-5-MB"]
    assert card["data-data"] == sizes[(megabytes >= 1) + (megabytes >= 5)]
    read = " ".join(reads["objects"])
    assert ("mouse" in card["data-species"]) == ("mouse" in read)
    assert ("rat" in card["data-species"]) == ("whs_sd_rat" in read)


def test_index_stays_light_however_many_cards(site):
    for card in cards(site).values():
        picture = card.select_one("img")
        assert picture["loading"] == "lazy"
        assert picture["width"]
        assert picture["height"]
    # One title, sections below it.
    index = soup(site / "aws_examples/index.html")
    assert len(index.select("h1")) == 1
    assert len(index.select("h2")) == len({e.parent for e in EXAMPLES}) - 1


@each_example
def test_page_leads_to_its_tags_and_to_related_examples(example, site):
    page = soup(page_of(example, site))
    card = page.select_one(".atlas-card").text
    for tag in tags_of(example):
        assert page.select(f'.atlas-card a[href$="={tag}"]'), tag
    assert "Tags" in card
    listed = page.select("#related-examples dt a")
    assert len(listed) == 3
    assert page_of(example, site).name not in [a["href"] for a in listed]
    for link in listed:
        there = (page_of(example, site).parent / link["href"]).resolve()
        sentence = link.find_parent("dt").find_next_sibling("dd").text.strip()
        assert sentence == soup(there).select_one("h1 ~ p").text


def inventories() -> dict[str, str]:
    """Return the documented names and their addresses."""
    found = {}
    for name, site_url in SITES.items():
        content = (INVENTORIES / f"{name}.txt").read_bytes()
        inventory = InventoryFile.loads(content, uri=site_url).data
        for kind, items in inventory.items():
            assert kind.startswith("py:")
            found |= {name: item.uri for name, item in items.items()}
    return found


@each_example
def test_each_call_leads_to_the_library_s_documentation(example, site):
    page = soup(page_of(example, site))
    linked = {
        code.text: code["href"]
        for code in page.select("div.highlight a[class*=sphx-glr-backref]")
    }
    documented = inventories()
    for written, full in called(example.read_text()).items():
        if full not in UNDOCUMENTED:
            assert written in linked, f"{written}: see docs/_inventories"
    assert set(linked.values()) <= set(documented.values())


@each_example
def test_function_page_lists_what_an_example_calls(example, site):
    page = soup(site / "functions.html")
    used = {
        term.text: [a.text for a in term.find_next_sibling("dd").select("a")]
        for term in page.select(".atlas-functions dt")
    }
    title = ast.get_docstring(ast.parse(example.read_text())).splitlines()[0]
    for full in called(example.read_text()).values():
        if full in ("zarr.open_group", "numpy.unique", "pooch.retrieve"):
            assert title in [t.replace("’", "'") for t in used[full]]
    assert not set(used) & {"matplotlib.pyplot.subplots", "numpy.array"}
    assert all(used.values())


def test_inventories_are_renewed_by_one_command(site, tmp_path):
    program = (
        "import sys; sys.path.insert(0, 'docs/_ext');"
        "import gallery_inventories as g;"
        "calls = {('a.x', 'a.b'), ('a.c',)};"
        "print(*g.kept(open(sys.argv[1], 'rb').read(), calls))"
    )
    inventory = tmp_path / "objects.inv"
    inventory.write_text(
        "# Sphinx inventory version 1\n# Project: a\n# Version: 1\n"
        "a.b function page.html\na.unused function page.html\n"
    )
    done = run([ROOT / ".venv/bin/python", "-c", program, inventory])
    assert done.stdout == "a.b function page.html\n", done.stderr


def test_catalogue_lists_every_manifest_that_the_source_holds(site):
    index = json.loads(
        (GALLERY / "atlases/list_atlases.reads.json").read_text()
    )["objects"]
    entries = {n.split("/")[4] for n in index if n.endswith("manifest.json")}
    page = soup(site / "catalogue.html")
    shown = {
        f"{row.select_one('code').text}_{um}um"
        for row in page.select(".atlas-catalogue tbody tr")
        for um in re.findall(r"([\d.]+) µm", row.select("td")[1].text)
    }
    assert shown == entries
    for row in page.select(".atlas-catalogue tbody tr"):
        cells = row.select("td")
        assert len(cells) == 6
        assert all(cell.text.strip() for cell in cells)
        assert "annotations_compressed.ome.zarr" in cells[5].a["href"]
    species = [h.text.rstrip("#") for h in page.select("section h2")]
    assert species == sorted(species)
    assert "Mus musculus" in species
    source = {o["source"] for o in index.values()}
    card = page.select_one(".atlas-card").text
    names = {
        "cloud": "the cloud",
        "mirror": "a mirror",
        "stand-in": "stand-in",
    }
    assert all(names[name] in card for name in source)


CATALOGUE = """
import sys
sys.path.insert(0, "docs/_ext")
from gallery_catalogue import manifests
read, missing = manifests()
print(len(read), sorted(missing))
"""


def test_catalogue_says_what_it_could_not_read(tmp_path):
    """A mirror without a manifest: the rest is listed, nothing is guessed."""
    import hashlib

    held = {
        "last_versions.conf": "[atlases]\na_mouse_1um = 1.0\nb_rat_2um = 2.1",
        "a_mouse_1um/1_0/manifest.json": '{"name": "a_mouse"}',
    }
    sums = []
    for name, text in held.items():
        path = tmp_path / "s3/brainglobe/atlas/atlases" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        sums.append(f"{digest}  {path.relative_to(tmp_path)}\n")
    (tmp_path / "SHA256SUMS").write_text("".join(sums))
    python = ROOT / ".venv/bin/python"
    launch = [python, "docs/_ext/atlas_launch.py", python, "-c", CATALOGUE]
    done = run(launch, str(tmp_path))
    assert done.stdout == "1 ['b_rat_2um']\n", done.stderr
    (tmp_path / "SHA256SUMS").write_text("")
    done = run(launch, str(tmp_path))
    assert done.stdout == "0 ['last_versions.conf']\n", done.stderr


def test_home_is_one_screen(site, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto((site / "index.html").as_uri())
    bottom = "document.querySelector('article').getBoundingClientRect().bottom"
    assert page.evaluate(bottom) <= 800
    links = page.eval_on_selector_all(
        "article a", "links => links.map(a => a.getAttribute('href'))"
    )
    sections = {e.parent.name for e in EXAMPLES} - {"examples"}
    for section in sections:
        assert f"aws_examples/{section}/index.html" in links
    assert "aws_examples/explore_atlas.html" in links
    # The picture is one that the first example drew.
    source = page.eval_on_selector("article img", "img => img.src")
    assert "explore_atlas_001" in source
    page.close()


def shown(page) -> list[str]:
    """Return the titles of the cards that can be seen."""
    return page.eval_on_selector_all(
        ".sphx-glr-thumbcontainer",
        "cards => cards.filter(c => c.offsetParent)"
        ".map(c => c.querySelector('a').textContent)",
    )


def test_filter_by_keyboard_and_by_address(site, browser):
    page = browser.new_page()
    page.goto((site / "aws_examples/index.html").as_uri())
    everything = shown(page)
    assert len(everything) == len(EXAMPLES)
    # From the box before it, by keyboard alone.
    page.focus('[name="task"][value="choose"]')
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    ticked = page.evaluate("document.activeElement.value")
    page.keyboard.press("Space")
    drawn = shown(page)
    assert ticked == "draw"
    assert 0 < len(drawn) < len(everything)
    told = page.inner_text(".atlas-filter output")
    assert told == f"{len(drawn)} of {len(everything)} examples"
    assert page.url.endswith("?task=draw")
    assert page.is_hidden("#coordinates > h2") or "Cut" in " ".join(drawn)
    assert page.is_hidden("#surfaces > h2")
    assert page.is_visible("#slices > h2")
    # A second word of another kind narrows; the address can be passed on.
    page.check('[name="difficulty"][value="beginner"]', force=True)
    fewer = shown(page)
    assert 0 < len(fewer) < len(drawn)
    other = browser.new_page()
    other.goto(page.url)
    assert shown(other) == fewer
    assert other.is_checked('[name="task"][value="draw"]')
    # A second word of one kind widens.
    other.check('[name="task"][value="name"]', force=True)
    assert len(shown(other)) > len(fewer)
    other.click(".atlas-filter button")
    expect(other).to_have_url(re.compile(r"^[^?]*$"))
    assert shown(other) == everything
    # A word that is not in the vocabulary hides nothing.
    other.goto(page.url.partition("?")[0] + "?task=fly&sky=blue")
    assert shown(other) == everything
    page.close()
    other.close()


def test_without_javascript_all_cards_and_no_dead_control(site, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "aws_examples/index.html").as_uri() + "?task=draw")
    assert page.locator(".sphx-glr-thumbcontainer:visible").count() == len(
        EXAMPLES
    )
    assert page.locator(".atlas-filter:visible").count() == 0
    context.close()


def test_search_as_you_type_by_keyboard(site, browser):
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type("retrosplenial")
    page.wait_for_selector("#search-results a >> visible=true")
    for _ in range(6):
        page.keyboard.press("Tab")
        href = page.evaluate("document.activeElement.getAttribute('href')")
        if href and ".html" in href:
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/*.html*")
    assert urlsplit(page.url).path.endswith(".html")
    assert "etrosplenial" in page.inner_text("article")
    page.close()


def test_build_asks_nobody_for_inventories(site):
    """Each is a file of the repository; a build needs no network for it."""
    assert {path.stem for path in INVENTORIES.glob("*.txt")} == {*SITES}
