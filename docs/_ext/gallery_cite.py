"""End each example's page with what to cite, as BibTeX to copy."""

import re
from pathlib import Path

import yaml
from docutils import nodes
from gallery_card import reads_of
from sphinx.application import Sphinx

# A word in the address of an object, and whom its makers ask to cite: entries
# of docs/_data/references.bib. Every page cites who packaged the files.
MAKERS = {
    "allen": ("wang2020",),
    "whs_sd_rat": ("papp2014", "kleven2023"),
    "": ("claudi2020",),
}


def references(folder: Path) -> dict[str, str]:
    """Return the entries of the file of publications by their keys."""
    text = (folder / "references.bib").read_text()
    entries = re.findall(r"(?ms)^(@\w+\{(\w+),.*?^\})$", text)
    return {key: entry for entry, key in entries}


def gallery_entry(path: Path, title: str, address: str) -> str:
    """Return an entry for one page, from the file CITATION.cff."""
    cff = yaml.safe_load(path.read_text())
    fields = {
        "title": title,
        "author": " and ".join(f"{{{a['name']}}}" for a in cff["authors"]),
        "howpublished": cff["title"],
        "version": cff["version"],
        "year": cff["date-released"].year,
        "url": address,
    }
    lines = [
        f"  {name} = {{{text}}}," for name, text in fields.items() if text
    ]
    return "\n".join(["@misc{cloud_atlas_gallery,", *lines, "}"])


def cite(app: Sphinx, doctree: nodes.document) -> None:
    """Append what to cite: the atlases that a page read, and the page."""
    docname = app.env.docname
    reads = reads_of(app, docname)
    if not reads or not Path(app.srcdir, f"{docname}.py").exists():
        return
    site = app.config.gallery_site
    known = references(Path(app.confdir, "_data"))
    names = " ".join(reads["objects"])
    keys = [key for word in MAKERS if word in names for key in MAKERS[word]]
    title = next(doctree.findall(nodes.title)).astext()
    page = gallery_entry(
        Path(app.confdir).parent / "CITATION.cff",
        title,
        site and f"{site}{docname}.html",
    )
    entries = [*(known[key] for key in keys), page]
    app.env.note_dependency(str(Path(app.confdir, "_data/references.bib")))
    app.env.note_dependency(str(Path(app.confdir).parent / "CITATION.cff"))
    text = "\n\n".join(entries)
    section = nodes.section(ids=["cite"], names=["cite"])
    section += nodes.title("", "Cite")
    section += nodes.paragraph(
        "", "The atlas, those who packaged its files, and this page:"
    )
    section += nodes.literal_block(text, text, language="bibtex")
    next(doctree.findall(nodes.section)).append(section)


def setup(app: Sphinx) -> dict:
    """Append last, but before Sphinx notes what sections a page has."""
    app.connect("doctree-read", cite, priority=480)
    return {"parallel_read_safe": True}
