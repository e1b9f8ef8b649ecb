"""Say on each page what it was computed from: a card, and a banner.

The card is filled from what the server counted while the example ran. The
banner stands on every page that shows results of the stand-in.
"""

import json
import platform
import re
from importlib.metadata import version
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

SOURCES = {
    "cloud": "the cloud",
    "mirror": "a mirror of the cloud",
    "stand-in": "the stand-in: synthetic data",
}
BANNER = (
    "<strong>Synthetic data.</strong> The real atlas was not read: the "
    "brain shown is made up, and so are its numbers. "
    '<a href="{link}">How to get the real thing</a>'
)


def reads_of(app: Sphinx, docname: str) -> dict | None:
    """Return what was counted for a page, or None if it is no example."""
    path = Path(app.srcdir) / f"{docname}.reads.json"
    return json.loads(path.read_text()) if path.exists() else None


def datasets(reads: dict) -> list[str]:
    """Name what was read: atlas or component, version, resolution."""
    found = {}
    for name in reads["objects"]:
        if match := re.search(r"annotations/(\w+?)_(v\d+)/(\d+um)?", name):
            atlas, version, resolution = match.groups()
            resolution = resolution and resolution.replace("um", " µm")
        elif match := re.match(
            r"(s3/brainglobe/atlas/[\w-]+/([^/]+)/([^/]+)/[^/]+)/?([^/]*)",
            name,
        ):
            group, atlas, version, level = match.groups()
            resolution = reads["levels"].get(group, {}).get(level)
        else:
            continue
        title = f"{atlas} {version.replace('_', '.')}"
        found.setdefault(title, set()).update([resolution] * bool(resolution))
    listed = [
        ", ".join([title, *sorted(details, key=lambda d: float(d.split()[0]))])
        for title, details in sorted(found.items())
    ]
    more = len(listed) - 4
    return [*listed[:4], f"and {more} more"] if more > 1 else listed


def card(reads: dict) -> nodes.field_list:
    """Return the card as a field list."""
    sources = sorted({o["source"] for o in reads["objects"].values()})
    copies = [o for o in reads["objects"].values() if "as_pinned" in o]
    origin = " and ".join(SOURCES[source] for source in sources)
    if copies and all(o["as_pinned"] for o in copies):
        origin += "; every file has the digest that the example pins"
    elif sources == ["mirror"] and copies:
        origin += "; repacked, so that not every digest is the one pinned"
    rows = {
        "Reads": "; ".join(datasets(reads)),
        "From": origin,
        "Moved": f"{len(reads['objects'])} objects, "
        f"{reads['bytes'] / 1e6:.2f} MB, {reads['requests']} requests",
        "Took": f"{reads['seconds']:.1f} s on {reads['date']}",
    }
    if "memory" in reads:
        rows["Took"] += (
            f", and at most {reads['memory'] / 1e6:.0f} MB of memory besides "
            "Python and its packages"
        )
    caveats = {o.get("caveat") for o in reads["objects"].values()} - {None}
    if caveats:
        rows["But"] = "; ".join(sorted(caveats))
    fields = nodes.field_list(classes=["atlas-card"])
    for name, text in rows.items():
        fields += field(name, nodes.Text(text))
    help_pages = [link(page) for page in ("orientation", "glossary", "data")]
    fields += field("Help", *help_pages)
    return fields


def needs(program: Path) -> dict[str, str]:
    """Return what a program says that it imports, and the versions here."""
    header, _, _ = program.read_text().partition("# ///\n")
    names = re.findall(r'^# +"([\w-]+)', header, re.MULTILINE)
    told = [n for n in names if n not in ("matplotlib", "pooch", "tqdm")]
    return {
        "Needs": ", ".join(names),
        "With": ", ".join(
            [f"Python {platform.python_version()}"]
            + [f"{name} {version(name)}" for name in told]
        ),
    }


def field(name: str, *words: nodes.Node) -> nodes.field:
    """Return one row of the card."""
    line = nodes.paragraph()
    for word in words:
        line += [nodes.Text(", "), word] if line.children else word
    return nodes.field(
        "", nodes.field_name("", name), nodes.field_body("", line)
    )


def link(page: str) -> addnodes.pending_xref:
    """Return a link to a page of the site, by its name."""
    return addnodes.pending_xref(
        "",
        nodes.inline("", page),
        refdomain="std",
        reftype="doc",
        reftarget=f"/{page}",
        refexplicit=True,
        refwarn=True,
    )


def insert_card(app: Sphinx, doctree: nodes.document) -> None:
    """Put the card below the sentence that opens an example's page."""
    docname = app.env.docname
    if reads := reads_of(app, docname):
        app.env.note_dependency(
            str(Path(app.srcdir) / f"{docname}.reads.json")
        )
        section = next(doctree.findall(nodes.section))
        box = card(reads)
        program = Path(app.srcdir, f"{docname}.py")
        if program.exists():
            for name, text in needs(program).items():
                box.insert(-1, field(name, nodes.Text(text)))
        answer = next(n for n in section if isinstance(n, nodes.paragraph))
        section.insert(section.index(answer) + 1, box)
        # The downloads stand beside the page; no need to be sent to its end.
        for note in list(doctree.findall(nodes.note)):
            if "sphx-glr-download-link-note" in note["classes"]:
                note.parent.remove(note)


def set_banner(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Warn on a page made from the stand-in, and on pages that show it."""
    conf = app.config.sphinx_gallery_conf
    gallery = Path(app.srcdir) / conf["gallery_dirs"][0]
    own = reads_of(app, pagename)
    shown = (
        [own]
        if own
        else [json.loads(p.read_text()) for p in gallery.rglob("*.reads.json")]
    )
    if any(
        o["source"] == "stand-in" for r in shown for o in r["objects"].values()
    ):
        # Of the page itself the path is "#".
        link = context["pathto"]("data").rstrip("#") + "#real-data"
        context["theme_announcement"] = BANNER.format(link=link)


def setup(app: Sphinx) -> dict:
    """Connect both."""
    app.connect("doctree-read", insert_card)
    app.connect("html-page-context", set_banner)
    return {"parallel_read_safe": True}
