"""List every atlas of the bucket, as the bucket's own manifests describe it.

The index names the atlases and each has a manifest. Both are read when the
page is, from the source of the build, and counted as an example's reads are.
"""

import configparser
import json
import re
import time
from collections import defaultdict
from pathlib import Path
from urllib.parse import quote

from docutils import nodes
from gallery_card import BANNER, card
from gallery_hooks import turn_server_to
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = "brainglobe/atlas"
WEB = f"https://brainglobe.s3.us-west-2.amazonaws.com/{ROOT.partition('/')[2]}"
COLUMNS = ("Atlas", "Resolution and shape", "Axes", "Version", "Cite", "View")


def manifests() -> tuple[dict[str, dict], dict[str, str]]:
    """Return the manifests by their entry in the index, and what is not read.

    What the source does not hold is not read; nothing is guessed.
    """
    # Imported where it is needed: most builds have the page already.
    import s3fs

    bucket = s3fs.S3FileSystem(anon=True)
    index = configparser.ConfigParser()
    index.optionxform = str
    try:
        text = bucket.cat_file(f"{ROOT}/atlases/last_versions.conf").decode()
    except OSError as problem:
        return {}, {"last_versions.conf": str(problem)}
    index.read_string(text)
    paths = {
        entry: f"{ROOT}/atlases/{entry}/{version.replace('.', '_')}"
        for entry, version in index["atlases"].items()
    }
    paths = {entry: f"{path}/manifest.json" for entry, path in paths.items()}
    found = bucket.cat(list(paths.values()), on_error="return")
    read, missing = {}, {}
    for entry, path in paths.items():
        content = found[path]
        if isinstance(content, bytes):
            read[entry] = json.loads(content)
        else:
            missing[entry] = str(content)
    return read, missing


def sizes(manifest: dict) -> str:
    """Return the resolution and the shape of an atlas, in words."""
    um = " × ".join(f"{v:g}" for v in dict.fromkeys(manifest["resolution"]))
    return f"{um} µm: {' × '.join(map(str, manifest['shape']))}"


def view(manifest: dict) -> str:
    """Return the address at which neuroglancer shows the annotation."""
    place = f"{WEB}{manifest['annotation_set']['location']}"
    layer = {
        "type": "segmentation",
        "name": manifest["name"],
        "source": f"{place}/annotations_compressed.ome.zarr/|zarr3:",
    }
    state = json.dumps({"layers": [layer]}, separators=(",", ":"))
    return f"https://neuroglancer-demo.appspot.com/#!{quote(state, '/:,')}"


def with_links(text: str) -> list[nodes.Node]:
    """Return a text whose addresses are links."""
    return [
        nodes.reference("", part.removeprefix("https://doi.org/"), refuri=part)
        if part.startswith("http")
        else nodes.Text(part)
        for part in re.split(r"(https?://[^\s,;]+)", text)
        if part
    ]


def row(cells: list[list[nodes.Node]]) -> nodes.row:
    """Return a row of a table; each cell has lines."""
    built = nodes.row()
    for lines in cells:
        built += nodes.entry("", *(nodes.paragraph("", "", *x) for x in lines))
    return built


def table(group: list[dict]) -> nodes.table:
    """Return the atlases of one species, one in a row."""
    atlases = defaultdict(list)
    for manifest in group:
        atlases[manifest["name"], manifest["version"]].append(manifest)
    body = nodes.tbody()
    for (name, version), same in sorted(atlases.items()):
        same.sort(key=lambda manifest: manifest["resolution"])
        first = same[0]
        link = nodes.reference("", "neuroglancer", refuri=view(first))
        body += row(
            [
                [[nodes.literal("", name)]],
                [[nodes.Text(sizes(manifest))] for manifest in same],
                [[nodes.Text(first["orientation"])]],
                [[nodes.Text(version)]],
                [with_links(first["citation"])],
                [[link]],
            ]
        )
    head = nodes.thead("", row([[[nodes.Text(name)]] for name in COLUMNS]))
    columns = [nodes.colspec(colwidth=1) for _ in COLUMNS]
    group = nodes.tgroup("", *columns, head, body, cols=len(COLUMNS))
    built = nodes.table("", group, classes=["atlas-catalogue"])
    return built


class Catalogue(SphinxDirective):
    """What was read, and a section with a table for each species."""

    def run(self) -> list[nodes.Node]:
        """Return the card, what is missing, and the sections."""
        page = Path(self.env.doc2path(self.env.docname))
        turn_server_to(str(page.relative_to(Path(self.env.srcdir).parent)))
        started = time.perf_counter()
        read, missing = manifests()
        reads = turn_server_to("") | {"levels": {}}
        reads["seconds"] = time.perf_counter() - started
        reads["date"] = time.strftime("%Y-%m-%d", time.gmtime())
        self.env.metadata[self.env.docname]["objects"] = reads["objects"]
        n_species = len({m["species"] for m in read.values()})
        said = (
            f"{len(read)} entries of the index were read: {n_species} species."
        )
        if missing:
            said += (
                f" {len(missing)} could not be read from here and are left "
                f"out: {', '.join(sorted(missing))}."
            )
        built = [card(reads), nodes.paragraph("", said)]
        by_species = defaultdict(list)
        for manifest in read.values():
            by_species[manifest["species"]].append(manifest)
        for species in sorted(by_species):
            section = nodes.section("", nodes.title("", species))
            section["names"] = [nodes.fully_normalize_name(species)]
            self.state.document.note_implicit_target(section)
            section += table(by_species[species])
            built.append(section)
        return built


def set_banner(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Warn on the page if what it lists was made up."""
    objects = app.env.metadata.get(pagename, {}).get("objects", {})
    if any(o["source"] == "stand-in" for o in objects.values()):
        link = context["pathto"]("data") + "#real-data"
        context["theme_announcement"] = BANNER.format(link=link)


def setup(app: Sphinx) -> dict:
    """Add the directive ``atlas-catalogue``."""
    app.add_directive("atlas-catalogue", Catalogue)
    app.connect("html-page-context", set_banner)
    return {"parallel_read_safe": True}
