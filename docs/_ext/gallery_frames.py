"""Let a reader move through the pictures that an example wrote.

An example writes them into a folder, each named by its place, such as
``coronal_sections/06.62_mm.png``. Below the last cell that names a folder of
them beside the generated page, the page shows the middle picture, and
``_static/scrubber.js`` adds a slider. The folder is copied to the built page.
"""

import re
import shutil
from pathlib import Path

from docutils import nodes
from gallery_surface import below_last_cell
from sphinx.application import Sphinx
from sphinx.util.images import get_image_size

FRAME = re.compile(r"0*(\d[\d.]*)_(\w+)\.png")
# A picture that is to be moved through is small; a page of them must be too.
MOST_BYTES = 300_000
VIEW = """
<figure class="atlas-scrubber" data-frames="{names}">
  <img src="{folder}/{middle}" width="{width}" height="{height}"
       alt="The picture at {where}, one of {n}." loading="lazy">
  <div class="atlas-slider">
    <label>Place <input type="range" max="{last}" value="{number}"
      aria-valuetext="{where}" autocomplete="off"></label>
    <output aria-live="off">{where}</output>
    <button type="button">Play</button>
  </div>
  <figcaption>{n} pictures that the program wrote to
  <code>{folder}</code>, from {first} to {end}.</figcaption>
</figure>
"""


def frames_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder in order of place."""
    found = [p for p in folder.iterdir() if FRAME.fullmatch(p.name)]
    return sorted(found, key=lambda p: float(FRAME.fullmatch(p.name)[1]))


def frame_folders(root: Path) -> list[Path]:
    """Return the folders that hold such pictures."""
    return sorted(
        {p.parent for p in root.rglob("*.png") if FRAME.fullmatch(p.name)}
    )


def place_of(path: Path) -> str:
    """Return the place of a picture in words."""
    return " ".join(FRAME.fullmatch(path.name).groups())


def view(folder: Path) -> str:
    """Return the HTML of a view.

    Raises
    ------
    ValueError
        The pictures are too large to be fetched all. The build stops.
    """
    frames = frames_in(folder)
    n_bytes = sum(path.stat().st_size for path in frames)
    if n_bytes > MOST_BYTES:
        raise ValueError(
            f"{folder.name}: {n_bytes:,} bytes of pictures, {MOST_BYTES:,} at "
            "most. Write fewer, or read a coarser level."
        )
    number = len(frames) // 2
    width, height = get_image_size(frames[number])
    return VIEW.format(
        names=" ".join(path.name for path in frames),
        folder=folder.name,
        middle=frames[number].name,
        number=number,
        width=width,
        height=height,
        where=place_of(frames[number]),
        first=place_of(frames[0]),
        end=place_of(frames[-1]),
        n=len(frames),
        last=len(frames) - 1,
    )


def insert_views(app: Sphinx, doctree: nodes.document) -> None:
    """Put each view below the last cell that names its folder."""
    page = Path(app.env.doc2path(app.env.docname))
    for folder in frame_folders(page.parent):
        place, below = below_last_cell(doctree, folder.name)
        if place:
            for path in frames_in(folder):
                app.env.note_dependency(str(path))
            place.insert(below, nodes.raw("", view(folder), format="html"))


def add_script(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Load the script on the pages that have a view."""
    if 'class="atlas-scrubber"' in context.get("body", ""):
        app.add_js_file("scrubber.js", loading_method="defer")


def copy(app: Sphinx, exception: Exception | None) -> None:
    """Put the pictures beside the built pages."""
    if exception is None and app.builder.format == "html":
        [gallery] = app.config.sphinx_gallery_conf["gallery_dirs"]
        for folder in frame_folders(Path(app.srcdir, gallery)):
            target = Path(app.outdir, folder.relative_to(app.srcdir))
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(folder, target)


def setup(app: Sphinx) -> dict:
    """Insert views into pages; copy when all are built."""
    app.connect("doctree-read", insert_views, priority=400)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True}
