"""Show a surface that an example wrote, to be turned on its page.

An example's page gets a view of each PLY file that one of its cells names and
that lies beside the generated page: below the last such cell, with a link to
the file. The view is drawn by ``_static/surface.js`` from what is written into
the page, so that it works from a folder; without JavaScript it stays hidden.
"""

import base64
import re
from pathlib import Path

import numpy as np
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

MOST_TRIANGLES = 5000  # about 60 kB on the page
# Right, up and towards a reader who looks at the animal's face.
FRAME = {
    side: (axis, sign)
    for axis, pair in enumerate(("left right", "superior inferior",
                                 "anterior posterior"))
    for side, sign in zip(pair.split(), (1, -1), strict=True)
}  # fmt: skip
VIEW = """
<figure class="atlas-surface" hidden data-name="{name}"
        data-vertices="{vertices}" data-triangles="{triangles}">
  <figcaption>A simplified copy, {shown:,} of {whole:,} triangles. Drag it or
  use the arrow keys to turn it, <kbd>+</kbd> and <kbd>−</kbd> to zoom,
  <kbd>Home</kbd> to begin again. <output></output></figcaption>
</figure>
"""


def directions_of(path: Path) -> list[tuple[int, int]]:
    """Return where x, y and z of a file lead, as axes and signs of FRAME.

    Raises
    ------
    ValueError
        The file does not say it. The build stops.
    """
    header = path.read_bytes().partition(b"end_header")[0].decode()
    sides = dict(re.findall(r"\b([xyz]) [a-z]+-to-([a-z]+)", header))
    if set(sides) != set("xyz") or not set(sides.values()) <= set(FRAME):
        raise ValueError(
            f"{path.name} does not say where its axes lead. Give it a comment "
            'such as "x right-to-left, y superior-to-inferior, z …".'
        )
    return [FRAME[sides[name]] for name in "xyz"]


def simplified(vertices: np.ndarray, triangles: np.ndarray) -> tuple:
    """Return few enough triangles, by joining the vertices of one cell."""
    span = np.ptp(vertices, axis=0).max()
    n_cells, few, joined = 200, triangles, vertices
    while len(few) > MOST_TRIANGLES:
        n_cells = n_cells * 19 // 20
        cells = np.floor((vertices - vertices.min(axis=0)) / span * n_cells)
        _, cell_of, n_in = np.unique(
            cells, axis=0, return_inverse=True, return_counts=True
        )
        few = cell_of[triangles]
        few = few[np.all(few != np.roll(few, 1, axis=1), axis=1)]
        _, first = np.unique(np.sort(few, axis=1), axis=0, return_index=True)
        few = few[first]
        joined = np.zeros((len(n_in), 3))
        np.add.at(joined, cell_of, vertices)
        joined /= n_in[:, None]
    return joined, few


def encoded(array: np.ndarray, dtype: str) -> str:
    """Return an array as text, in the byte order that JavaScript reads."""
    return base64.b64encode(array.astype(dtype).tobytes()).decode()


def view(path: Path) -> str:
    """Return the HTML of a view, its vertices as 16-bit numbers."""
    # It takes half a second to import, which most builds do not need.
    import trimesh

    mesh = trimesh.load_mesh(path, process=False)
    axes, signs = zip(*directions_of(path), strict=True)
    vertices, triangles = simplified(mesh.vertices, mesh.faces)
    vertices = (vertices * signs)[:, np.argsort(axes)]
    if trimesh.Trimesh(vertices, triangles, process=False).volume < 0:
        triangles = triangles[:, ::-1]
    vertices -= (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    vertices *= 32767 / np.linalg.norm(vertices, axis=1).max()
    return VIEW.format(
        name=path.name,
        vertices=encoded(vertices.round(), "<i2"),
        triangles=encoded(triangles, "<u2"),
        shown=len(triangles),
        whole=len(mesh.faces),
    )


def link(path: Path) -> nodes.paragraph:
    """Return a line from which to download the file."""
    text = f"{path.name} ({path.stat().st_size / 1e6:.1f} MB)"
    download = addnodes.download_reference(
        "", "", nodes.literal("", text), reftarget=path.name
    )
    return nodes.paragraph("", "The file: ", download)


def below_last_cell(
    doctree: nodes.document, name: str
) -> tuple[nodes.Element | None, int]:
    """Return the place below the last cell that names a file, if one does."""
    cells = [
        cell
        for cell in doctree.findall(nodes.literal_block)
        if name in cell.astext()
        and cell.get("language", "").lower() == "python"
    ]
    if not cells:
        return None, 0
    place = cells[-1].parent
    below = place.index(cells[-1]) + 1
    while below < len(place) and not isinstance(
        place[below], nodes.paragraph | nodes.section | nodes.comment
    ):
        below += 1
    return place, below


def insert_views(app: Sphinx, doctree: nodes.document) -> None:
    """Put each view below the last cell that names its file."""
    page = Path(app.env.doc2path(app.env.docname))
    for path in sorted(page.parent.glob("*.ply")):
        place, below = below_last_cell(doctree, path.name)
        if place:
            app.env.note_dependency(str(path))
            place.insert(below, nodes.raw("", view(path), format="html"))
            place.insert(below + 1, link(path))


def add_script(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Load the script on the pages that have a view."""
    if doctree and any(
        'class="atlas-surface"' in raw.astext()
        for raw in doctree.findall(nodes.raw)
    ):
        app.add_js_file("surface.js", loading_method="defer")


def setup(app: Sphinx) -> dict:
    """Insert views before Sphinx collects what is to be downloaded."""
    app.connect("doctree-read", insert_views, priority=400)
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True}
