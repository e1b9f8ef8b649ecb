"""Let a page lead to its view in neuroglancer.

The role names a position in mm, along the axes of the array, and acronyms of
the structures selected there; without any, all are shown. The example
open_neuroglancer explains the link and, asked for the same view, makes the
same one from what the files say of themselves.

    :neuroglancer:`Open it in a browser <7.5 2.0 7.9; RSP, HIP>`
"""

import csv
import json
import re
from pathlib import Path
from urllib.parse import quote

import pooch
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import ReferenceRole

WEB = "https://brainglobe.s3.us-west-2.amazonaws.com/atlas"
TEMPLATE = f"{WEB}/templates/allen-adult-mouse-stpt-template/2015"
ANNOTATION = f"{WEB}/annotation-sets/allen_mouse-annotation/3_0"
TABLE = f"{WEB}/terminologies/allen_mouse-terminology/3_0/terminology.csv"
FINEST_MM = 0.01
ROLE = re.compile(r":neuroglancer:`([^<`]+?)\s+<([^>`]+)>`")


def colours_of(acronyms: list[str]) -> dict[str, str]:
    """Return the ids of structures and their descendants, with colours.

    Raises
    ------
    ValueError
        The atlas has no such structure. The build stops.
    """
    cache = pooch.os_cache("brainglobe_atlases")
    table = Path(pooch.retrieve(TABLE, None, path=cache)).read_text("utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    colours = {}
    for acronym in acronyms:
        family = [row for row in rows if row["abbreviation"] == acronym]
        if not family:
            raise ValueError(f"neuroglancer: no structure {acronym}")
        for row in family:
            own = row["identifier"]
            family += [r for r in rows if r["parent_identifier"] == own]
            colours[row["annotation_value"]] = row["color_hex_triplet"]
    return colours


def link(view: str) -> str:
    """Return the address of a view."""
    where, _, what = view.partition(";")
    zyx = [round(float(mm) / FINEST_MM, 3) for mm in where.split()]
    colours = colours_of([s.strip() for s in what.split(",") if s.strip()])
    grey = {
        "type": "image",
        "name": "template",
        "source": f"{TEMPLATE}/template.ome.zarr/|zarr3:",
        "shaderControls": {"normalized": {"range": [0, 400]}},
    }
    surfaces = {
        "url": f"precomputed://{ANNOTATION}/annotations.precomputed",
        "subsources": {"mesh": True, "properties": True},
        "enableDefaultSubsources": False,
    }
    voxels = f"{ANNOTATION}/annotations_compressed.ome.zarr/|zarr3:"
    labels = {
        "type": "segmentation",
        "name": "annotation",
        "source": [voxels, surfaces],
        "segments": [*colours],
        "segmentColors": colours,
    }
    state = {
        "dimensions": {name: [FINEST_MM / 1000, "m"] for name in "xyz"},
        "position": zyx[::-1],
        "crossSectionScale": 0.02 / FINEST_MM,
        "projectionScale": 16 / FINEST_MM,
        "layout": "4panel",
        "layers": [grey, labels],
    }
    text = json.dumps(state, separators=(",", ":"))
    return "https://neuroglancer-demo.appspot.com/#!" + quote(text, "/:,")


def in_markdown(text: str) -> str:
    """Return a notebook's text with links in place of the role."""
    return ROLE.sub(lambda match: f"[{match[1]}]({link(match[2])})", text)


class Neuroglancer(ReferenceRole):
    """A link to a view."""

    def run(self) -> tuple[list[nodes.Node], list]:
        """Return the link."""
        address = link(self.target)
        return [nodes.reference("", self.title, refuri=address)], []


def setup(app: Sphinx) -> dict:
    """Add the role."""
    app.add_role("neuroglancer", Neuroglancer())
    return {"parallel_read_safe": True}
