"""Give every notebook its install cell, and run it before it is published."""

import json
import re
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import nbformat
from gallery_hooks import turn_server_to
from gallery_neuroglancer import in_markdown
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.display import status_iterator
from sphinx_gallery.utils import zip_files

logger = logging.getLogger(__name__)


def set_install_cell(app: Sphinx, config) -> None:
    """Let the first cell install what pyproject says the examples import."""
    pyproject = Path(app.confdir).parent / "pyproject.toml"
    base = tomllib.loads(pyproject.read_text())["project"]["dependencies"]
    packages = " ".join(f'"{requirement}"' for requirement in base)
    config.sphinx_gallery_conf["first_notebook_cell"] = (
        f"# Installs what the examples use; not needed twice.\n"
        f"%pip install -q {packages}"
    )


# A role of Sphinx means nothing in a notebook: `text`, `text <target>`.
ROLE = re.compile(r":[\w:]+:`/?([^`<]+?)(?: <[^`>]*>)?`")


# What a program says that it needs, in the lines that begin it.
NEEDS = re.compile(r'^# +("[\w-]+[^"]*"),$', re.MULTILINE)


def run_notebook(path: Path) -> None:
    """Run a notebook from top to bottom, but for its install cell."""
    notebook = nbformat.read(path, as_version=4)
    install = notebook.cells.pop(0)
    header, _, _ = path.with_suffix(".py").read_text().partition("# ///\n")
    more = [n for n in NEEDS.findall(header) if n not in install.source]
    install.source = " ".join([install.source, *more])
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = ROLE.sub(r"\1", in_markdown(cell.source))
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=600,
            resources={"metadata": {"path": folder}},
            # It warns of its port on 127.0.0.1, which lasts for seconds.
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        ).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            # Progress and the paths of this machine go to standard error.
            cell.outputs = [
                output
                for output in cell.outputs
                if output.get("name") != "stderr"
            ]
    notebook.cells.insert(0, install)
    notebook.metadata["executed"] = True
    nbformat.write(notebook, path)


def sources(path: Path) -> list[str]:
    """Return from where the page of a notebook was read."""
    reads = json.loads(path.with_suffix(".reads.json").read_text())
    return sorted({o["source"] for o in reads["objects"].values()})


def run_new_notebooks(app: Sphinx) -> None:
    """Run the notebooks that were written since the last build."""
    conf = app.config.sphinx_gallery_conf
    gallery = Path(app.srcdir) / conf["gallery_dirs"][0]
    failed = {Path(example).stem for example in conf["failing_examples"]}
    fresh = [
        path
        for path in sorted(gallery.rglob("*.ipynb"))
        if path.with_suffix(".reads.json").exists()
        and path.stem not in failed
        and not nbformat.read(path, as_version=4).metadata.get("executed")
    ]
    with ThreadPoolExecutor(app.config.gallery_jobs) as pool:
        for _, together in groupby(sorted(fresh, key=sources), key=sources):
            # The server lets no real and synthetic data mix.
            turn_server_to("")
            together = list(together)
            # The first that fails ends it: those that wait are not begun.
            ran = pool.map(run_notebook, together)
            for path in status_iterator(
                together,
                "running notebooks... ",
                length=len(together),
                stringify_func=attrgetter("name"),
            ):
                try:
                    next(ran)
                except CellExecutionError as problem:
                    raise ExtensionError(
                        f"{path.name} failed:\n{problem}"
                    ) from None
                both = [path.with_suffix(".py"), path]
                zip_files(both, path.with_suffix(".zip"), path.parent)


def setup(app: Sphinx) -> dict:
    """Before and after Sphinx-Gallery writes the notebooks."""
    # Notebooks at a time. What they read is not counted, and each is a
    # process of its own that may need 1 GB.
    app.add_config_value("gallery_jobs", 2, "", types=[int])
    app.connect("config-inited", set_install_cell, priority=1)
    app.connect("builder-inited", run_new_notebooks, priority=600)
    return {"parallel_read_safe": True}
