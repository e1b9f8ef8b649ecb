"""Put each program beside its page, and all of them into one archive.

A page ``explore_atlas.html`` has its ``explore_atlas.py``, ``.ipynb`` and
``.zip`` beside it: addresses that a reader can guess and that stay.
"""

import shutil
import tomllib
import zipfile
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

ARCHIVE = "cloud-atlas-gallery.zip"
SUFFIXES = (".py", ".ipynb", ".zip")
# Where a page opens, given OWNER/NAME of the repository and the page.
LAUNCH = {
    "Open in Colab": "https://colab.research.google.com/github/{repository}"
    "/blob/notebooks/{page}.ipynb",
    "Open in Binder": "https://mybinder.org/v2/gh/{repository}/notebooks"
    "?urlpath=lab/tree/{page}.ipynb",
}


def drop_footer(app: Sphinx, doctree: nodes.document) -> None:
    """Drop Sphinx-Gallery's links to copies under other addresses."""
    for box in list(doctree.findall(nodes.container)):
        if "sphx-glr-footer" in box["classes"] and box.parent:
            box.parent.remove(box)


def offer(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Tell the template ``takeaway.html`` what there is to take."""
    gallery = app.config.sphinx_gallery_conf["gallery_dirs"][0]
    if not pagename.startswith(f"{gallery}/"):
        return
    context["take_all"] = context["pathto"](ARCHIVE, resource=True)
    if Path(app.srcdir, f"{pagename}.py").exists():
        context["take_stem"] = Path(pagename).name
        if repository := app.config.gallery_repository:
            context["take_launch"] = {
                name: address.format(repository=repository, page=pagename)
                for name, address in LAUNCH.items()
            }


def copy_programs(app: Sphinx, exception: Exception | None) -> None:
    """Copy the programs and their notebooks, and pack them together."""
    if exception or app.builder.format != "html":
        return
    out, root = Path(app.outdir), Path(app.confdir).parent
    conf = app.config.sphinx_gallery_conf
    gallery = Path(app.srcdir, conf["gallery_dirs"][0])
    programs = sorted(gallery.rglob("*.py"))
    folder = Path(Path(ARCHIVE).stem)
    archive = zipfile.ZipFile(out / ARCHIVE, "w", zipfile.ZIP_DEFLATED)
    with archive:
        for name in ("LICENSE", "CITATION.cff"):
            archive.write(root / name, folder / name)
        for path in (p.with_suffix(s) for p in programs for s in SUFFIXES):
            if path.exists():
                copied = out / path.relative_to(app.srcdir)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copied)
                if path.suffix != ".zip":
                    archive.write(path, folder / path.relative_to(gallery))
    # What Binder installs before it opens a notebook.
    pyproject = tomllib.loads((root / "pyproject.toml").read_text())
    packages = pyproject["project"]["dependencies"]
    packages += pyproject["dependency-groups"]["optional"]
    binder = out / "binder"
    binder.mkdir(exist_ok=True)
    (binder / "requirements.txt").write_text("\n".join(packages) + "\n")
    (binder / "runtime.txt").write_text("python-3.13\n")


def setup(app: Sphinx) -> dict:
    """Offer on each page; copy at the end."""
    # Before Sphinx notes what a page offers for download.
    app.connect("doctree-read", drop_footer, priority=100)
    app.connect("html-page-context", offer)
    app.connect("build-finished", copy_programs)
    return {"parallel_read_safe": True}
