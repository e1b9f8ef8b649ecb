"""Figures, outputs and the scrubber can be read by everybody.

The numbers of the page that writes the scrubber's pictures are found again
from the stored arrays, and its pictures are opened by another library.
"""

import csv
import re
from io import BytesIO
from urllib.parse import urlsplit

import gallery_frames
import numpy as np
import pytest
import zarr
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from conftest import EXAMPLES, ROOT, each_example, run_afresh
from PIL import Image
from playwright.sync_api import expect

SCRUB = ROOT / "examples/slices/scrub_slices.py"
FOLDER = "coronal_sections"
ATLAS = "s3/brainglobe/atlas"
LABELS = "annotation-sets/allen_mouse-annotation/3_0"
TABLE = "terminologies/allen_mouse-terminology/3_0/terminology.csv"
# Here one paragraph still tells what the figure shows and what it does not:
# it stands below "Limits". To be divided in two, and taken from this list.
WITHOUT_CAPTION = {
    *("guard_data", "read_mask", "read_slice", "scale_out"),
    *("convert_coordinates", "follow_probe", "read_surface"),
    *("open_neuroglancer", "publish_annotation"),
}


def page_of(example, site):
    """Return the built page of an example."""
    relative = example.relative_to(ROOT / "examples").with_suffix(".html")
    return site / "aws_examples" / relative


def soup(path):
    """Return a parsed page."""
    return BeautifulSoup(path.read_text(), "html.parser")


def size_of(image, page):
    """Return the size of the picture that an image shows."""
    return Image.open(page.parent / image["src"]).size


# The page -------------------------------------------------------------------


@each_example
def test_figure_has_its_size_and_a_link_to_a_larger_one(example, site):
    page = page_of(example, site)
    figures = soup(page).select("figure.atlas-figure")
    assert len(figures) == example.read_text().count("fig.alt = ")
    for number, figure in enumerate(figures, 1):
        assert figure["id"] == f"figure-{number}"
        image = figure.select_one("a.atlas-enlarge > img[alt]")
        size = int(image["width"]), int(image["height"])
        assert size == size_of(image, page)
        assert image["loading"] == "lazy"
        large = Image.open(page.parent / image.parent["href"]).size
        assert large == pytest.approx(np.multiply(size, 2), abs=1)
        assert figure.a.text == "Enlarge"


def test_every_picture_has_its_size(site):
    n = 0
    for page in site.rglob("*.html"):
        if "_static" in page.parts:
            continue
        for image in soup(page).select("article img"):
            width, height = size_of(image, page)
            told = int(image["width"]) / int(image["height"])
            assert told == pytest.approx(width / height, abs=0.02), page
            n += 1
    assert n > 2 * len(EXAMPLES)


@each_example
def test_figure_has_a_caption(example, site):
    for figure in soup(page_of(example, site)).select(".atlas-figure"):
        has_one = example.stem not in WITHOUT_CAPTION
        assert bool(figure.select("figcaption")) == has_one
        if has_one:
            words = figure.figcaption.text.split()
            assert len(words) >= 5
            assert " ".join(words) != figure.img["alt"]


@each_example
def test_page_begins_with_its_figure_and_ends_with_its_limits(example, site):
    page = soup(page_of(example, site))
    first = page.select_one("h1 + a.atlas-first")
    assert page.select_one(first["href"]).name == "figure"
    assert first.img["alt"]
    assert "loading" not in first.img.attrs
    # The sentence of the page comes before its card.
    assert page.select_one("a.atlas-first + p + dl.atlas-card")
    limits = page.select_one("section#limits")
    assert limits.h2.text.startswith("Limits")
    assert len(limits.select_one("h2 + p").text) > 40
    assert limits.select_one("h2 + p + .seealso")
    steps = [h2.parent["id"] for h2 in page.select("section > h2")]
    assert set(steps[steps.index("limits") + 1 :]) <= {
        *("related-examples", "cite")
    }


def test_scripts_are_loaded_only_where_they_are_used(site):
    scripts = {"enlarge": "atlas-enlarge", "scrubber": "atlas-scrubber"}
    for path in site.rglob("*.html"):
        text = path.read_text()
        for script, name in scripts.items():
            used = f'class="{name}"' in text
            assert used == (f"_static/{script}.js" in text), path.name


# In a browser ---------------------------------------------------------------


@pytest.fixture
def open_page(browser, site):
    """Return a function that opens an example; all must go well there."""
    opened = []

    def open_in(place, width=1280, theme="light", **options):
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=theme,
            **options,
        )
        tab = context.new_page()
        asked, complaints = [], []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto((site / f"aws_examples/{place}.html").as_uri())
        opened.append((context, asked, complaints))
        return tab

    yield open_in
    for context, asked, complaints in opened:
        assert {urlsplit(url).scheme for url in asked} <= {"file", "data"}
        assert complaints == []
        context.close()


def no_fault(tab, *selectors):
    """Let axe look at a part of the page; it must find nothing."""
    found = Axe().run(tab, {"include": [[name] for name in selectors]})
    assert found.violations_count == 0, found.generate_report()


def outline(locator):
    """Return how wide the outline of what has the focus is."""
    assert locator.evaluate("e => e === document.activeElement")
    return locator.evaluate(
        "e => parseFloat(getComputedStyle(e).outlineWidth)"
    )


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (320, "dark")])
def test_figure_is_enlarged_by_enter_and_by_a_click(open_page, width, theme):
    tab = open_page("slices/draw_planes", width, theme)
    link = tab.locator(".atlas-enlarge")
    dialog = tab.locator("dialog.atlas-enlarged")
    large = dialog.locator("img")
    shown = link.locator("img").bounding_box()["width"]
    link.focus()
    assert outline(link) >= 2
    tab.keyboard.press("Enter")
    assert dialog.is_visible()
    large.evaluate("image => image.decode()")
    assert large.bounding_box()["width"] > 1.3 * shown
    assert "_2_00x.png" in large.get_attribute("src")
    alt = link.locator("img").get_attribute("alt")
    assert large.get_attribute("alt") == alt
    assert large.evaluate("i => getComputedStyle(i).filter") == "none"
    close = dialog.get_by_role("button", name="Close")
    assert outline(close) >= 2
    no_fault(tab, ".atlas-enlarged")
    # What does not fit is reached by keyboard.
    key, way = ("End", "Top") if width == 1280 else ("ArrowRight", "Left")
    tab.keyboard.press(key)
    expect(dialog).not_to_have_js_property(f"scroll{way}", 0)
    tab.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert outline(link) >= 2
    link.click()
    assert dialog.is_visible()
    tab.keyboard.press("Enter")
    assert not dialog.is_visible()
    link.click()
    large.click(position={"x": 40, "y": 60})
    assert not dialog.is_visible()


def test_without_javascript_the_link_opens_the_larger_figure(open_page):
    tab = open_page("slices/draw_planes", java_script_enabled=False)
    tab.locator(".atlas-enlarge").click()
    assert tab.url.endswith("/_images/sphx_glr_draw_planes_001_2_00x.png")


@pytest.mark.parametrize("width", [1280, 320])
def test_long_output_scrolls_inside(open_page, width):
    tab = open_page("coordinates/follow_probe", width)
    box = tab.locator(".atlas-long")
    assert box.count() == 1
    region = tab.get_by_role("region", name="Output: List the structures")
    region.scroll_into_view_if_needed()
    assert region.bounding_box()["height"] < 450
    assert region.evaluate("e => e.scrollHeight > e.clientHeight + 50")
    region.focus()
    assert outline(region) >= 2
    before = tab.evaluate("window.scrollY")
    tab.keyboard.press("End")
    expect(box).not_to_have_js_property("scrollTop", 0)
    assert tab.evaluate("window.scrollY") == before
    no_fault(tab, ".atlas-long")


def test_no_output_is_cut_off_elsewhere(site, browser):
    """What overflows downwards is a box with a name, which takes the focus."""
    tab = browser.new_page(viewport={"width": 1280, "height": 800})
    for example in EXAMPLES:
        tab.goto(page_of(example, site).as_uri())
        n_hidden = tab.evaluate(
            "[...document.querySelectorAll('.sphx-glr-script-out *')].filter("
            "e => getComputedStyle(e).overflowY != 'visible' && "
            "e.scrollHeight > e.clientHeight + 1).length"
        )
        assert n_hidden == 0, example.stem
    tab.close()


# The scrubber ---------------------------------------------------------------


@pytest.fixture
def scrubber(open_page):
    """Return a function that opens the page: its tab, and the parts."""

    def open_it(**options):
        tab = open_page("slices/scrub_slices", **options)
        parts = "figure.atlas-scrubber", "img", "input", "output", "button"
        figure = tab.locator(parts[0])
        figure.scroll_into_view_if_needed()
        return tab, *(figure.locator(part) for part in parts[1:])

    return open_it


def shown(image):
    """Return the name of the picture that is shown, which must be there."""
    image.evaluate("image => image.decode()")
    assert image.evaluate("image => image.naturalWidth") > 50
    return image.get_attribute("src").split("/")[-1]


def test_pictures_are_light_and_complete(site):
    folder = site / "aws_examples/slices" / FOLDER
    page = soup(folder.parent / "scrub_slices.html")
    [figure] = page.select(".atlas-scrubber")
    names = figure["data-frames"].split()
    assert sorted(path.name for path in folder.iterdir()) == names
    assert 24 <= len(names) <= 60
    assert sum(p.stat().st_size for p in folder.iterdir()) <= 300_000
    assert f"{len(names)} pictures" in figure.figcaption.text


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (320, "dark")])
def test_keys_move_through_the_sections(scrubber, width, theme):
    tab, image, slider, output, _ = scrubber(width=width, theme=theme)
    first = shown(image)
    slider.focus()
    assert outline(slider) >= 2
    seen = [first]
    for key in "ArrowRight", "End", "ArrowLeft", "Home":
        tab.keyboard.press(key)
        seen.append(shown(image))
        mm = float(seen[-1].split("_")[0])
        assert output.text_content() == f"{mm:.2f} mm"
        assert slider.get_attribute("aria-valuetext") == f"{mm:.2f} mm"
        assert f"{mm:.2f} mm" in image.get_attribute("alt")
    names = tab.locator(".atlas-scrubber").get_attribute("data-frames").split()
    assert seen[1:] == [
        names[names.index(first) + 1], names[-1], names[-2], names[0]
    ]  # fmt: skip
    style = "i => [getComputedStyle(i).filter, getComputedStyle(i)"
    assert image.evaluate(style + ".imageRendering]") == ["none", "pixelated"]
    no_fault(tab, ".atlas-scrubber")
    box = image.bounding_box()
    assert 0 <= box["x"] <= box["x"] + box["width"] <= width


def test_a_finger_moves_through_the_sections(scrubber):
    _, image, slider, output, _ = scrubber(width=360, has_touch=True)
    width = slider.bounding_box()["width"]
    slider.tap(position={"x": width - 4, "y": 12})
    assert float(shown(image).split("_")[0]) > 12
    slider.tap(position={"x": 4, "y": 12})
    assert float(output.text_content().split()[0]) < 1


def test_it_plays_only_when_asked_and_stops_when_asked(scrubber):
    tab, image, slider, output, button = scrubber()
    first = shown(image)
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.wait_for_timeout(600)
    assert shown(image) == first
    assert asked == [], "pictures are fetched before anybody is near"
    button.focus()
    assert outline(button) >= 2
    tab.keyboard.press("Enter")
    assert button.text_content() == "Pause"
    expect(image).not_to_have_attribute("src", f"{FOLDER}/{first}")
    tab.keyboard.press("Enter")
    assert button.text_content() == "Play"
    stopped = shown(image)
    tab.wait_for_timeout(400)
    assert shown(image) == stopped
    # At the end it stops by itself, and begins anew from the front.
    slider.focus()
    tab.keyboard.press("End")
    tab.keyboard.press("ArrowLeft")
    button.click()
    expect(button).to_have_text("Play")
    assert slider.input_value() == slider.get_attribute("max")
    button.click()
    assert float(output.text_content().split()[0]) < 6
    # The slider takes over from it.
    slider.focus()
    tab.keyboard.press("ArrowRight")
    assert button.text_content() == "Play"


def test_less_motion_means_no_play_button(scrubber):
    tab, image, slider, _, button = scrubber(reduced_motion="reduce")
    assert not button.is_visible()
    first = shown(image)
    slider.focus()
    tab.keyboard.press("ArrowRight")
    assert shown(image) != first


def test_without_javascript_a_still_picture_remains(scrubber):
    _, image, slider, output, button = scrubber(java_script_enabled=False)
    assert image.is_visible()
    assert not any(part.is_visible() for part in (slider, output, button))


def test_too_heavy_a_row_stops_the_build(tmp_path):
    for n in range(3):
        (tmp_path / f"{n:04.1f}_mm.png").write_bytes(bytes(120_000))
    with pytest.raises(ValueError, match=r"360,000 bytes.*coarser"):
        gallery_frames.view(tmp_path)


def test_pictures_stand_in_order_of_place(tmp_path):
    content = BytesIO()
    Image.new("RGB", (4, 2)).save(content, "png")
    for name in "2.5_mm.png", "10_mm.png", "0.75_mm.png", "notes.png":
        (tmp_path / name).write_bytes(content.getvalue())
    figure = BeautifulSoup(gallery_frames.view(tmp_path), "html.parser")
    assert figure.figure["data-frames"] == "0.75_mm.png 2.5_mm.png 10_mm.png"
    assert figure.output.text == "2.5 mm"
    assert (figure.img["width"], figure.img["height"]) == ("4", "2")


# The example ----------------------------------------------------------------


def test_scrub_slices(source, tmp_path, agree):
    name, folder = source
    printed = run_afresh(SCRUB, name, tmp_path)
    path = folder / ATLAS / LABELS / "annotations_compressed.ome.zarr/s2"
    labels = zarr.open_array(path, mode="r")[:]
    with (folder / ATLAS / TABLE).open(encoding="utf-8") as table:
        colour = {
            int(row["annotation_value"]): row["color_hex_triplet"].lower()
            for row in csv.DictReader(table)
        } | {0: "#ffffff"}
    kept = [n for n in range(2, 264, 5) if labels[n].max() > 0]
    paths = sorted((tmp_path / FOLDER).iterdir())
    # The centre of voxel n at 50 µm is at n + 0.4 twentieths of a mm.
    assert [path.name for path in paths] == [
        f"{n * 0.05 + 0.02:05.2f}_mm.png" for n in kept
    ]
    assert f"\n{len(kept)} sections, 0.25 mm apart, anterior-to" in printed
    for n, path in zip(kept, paths, strict=True):
        picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
        ids, voxels = np.unique(labels[n], return_inverse=True)
        packed = picture @ [65536, 256, 1]
        expected = np.array([int(colour[i][1:], 16) for i in ids.tolist()])
        assert np.array_equal(packed, expected[voxels.reshape(packed.shape)])
    n_row = sum(int((labels[n] > 0).sum()) for n in kept)
    whole_mm3, row_mm3 = (labels > 0).sum() / 8000, n_row * 5 / 8000
    found = re.search(r"row: ([\d.]+) mm³, ([-+.\d]+)%\n", printed)
    by = "its sections of the stored array, counted by the test"
    what = "tissue, estimated from a row of sections"
    agree("scrub_slices", what, found[1], row_mm3, "mm³", by, 0.006)
    share = 100 * (row_mm3 / whole_mm3 - 1)
    row = "tissue, estimated against counted", found[2], share, "%", by, 0.0051
    agree("scrub_slices", *row)
    [shown] = re.findall(r"every voxel: ([\d.]+) mm³", printed)
    row = "tissue, every voxel", shown, whole_mm3, "mm³", "the stored array"
    agree("scrub_slices", *row, 0.0051)
    assert "differ from the array: 0\n" in printed
    everywhere = set(labels.ravel().tolist()) - {0}
    met = {int(i) for n in kept for i in set(labels[n].ravel().tolist())}
    assert f"\n{len(everywhere - met)} of {len(everywhere)} " in printed


def test_scrub_slices_on_the_real_atlas(mirror, tmp_path):
    printed = run_afresh(SCRUB, str(mirror), tmp_path)
    assert "every voxel: 506.11 mm³" in printed
    assert "\n5 of 669 structures are in no picture" in printed


def test_scrub_slices_runs_again_over_its_folder(tmp_path):
    once = run_afresh(SCRUB, "standin", tmp_path)
    assert run_afresh(SCRUB, "standin", tmp_path) == once
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]
