"""List the examples by the functions of libraries that they call.

The functions are found in the syntax trees of the programs, so that the list
cannot be out of date. Their documentation is found in ``docs/_inventories``.
"""

import json
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

from docutils import nodes
from gallery_find import depend_on_all
from sphinx.application import Sphinx
from sphinx.ext.intersphinx import InventoryAdapter
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

INVENTORIES = Path(__file__).parents[1] / "_inventories"
SITES = tomllib.loads((INVENTORIES / "sites.toml").read_text())
logger = logging.getLogger(__name__)

# Everybody knows them, and nobody looks for an example of them.
NOISE = {
    *(f"matplotlib.pyplot.{name}" for name in ("figure", "show", "subplots")),
    *(f"numpy.{name}" for name in ("arange", "array", "empty", "zeros")),
    *("numpy.ones", "pathlib.Path"),
}

# Documented under another name.
ALIASES = {
    "numpy.abs": "numpy.absolute",
    "s3fs.S3FileSystem": "s3fs.core.S3FileSystem",
    "zarr.config.set": "zarr.config",
    **{
        f"numpy.{function}.{method}": f"numpy.ufunc.{method}"
        for function in ("add", "maximum", "minimum", "multiply")
        for method in ("accumulate", "at", "outer", "reduce", "reduceat")
    },
}
# Documented nowhere that could be linked to.
UNDOCUMENTED = {
    *("DracoPy.decode", "tqdm.tqdm"),
    "distributed.deploy.subprocess.SubprocessCluster",
}


def candidates(page: Path, written: str) -> list[str]:
    """Return the names under which a call on a page may be documented."""
    noted = page.with_suffix(".codeobj.json")
    objects = json.loads(noted.read_text()) if noted.exists() else {}
    return [
        f"{found[module]}.{found['name']}"
        for found in objects.get(written, ())
        for module in ("module_short", "module")
    ]


def library(name: str) -> str:
    """Return the library of a full name, as inventories are called."""
    first = name.split(".")[0]
    if first == "mpl_toolkits":
        return "matplotlib"
    return "python" if first in sys.stdlib_module_names else first


class FunctionList(SphinxDirective):
    """A section for each library, a line for each function."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        depend_on_all(self.env)
        inventory = InventoryAdapter(self.env).main_inventory
        documented = {
            name: item.uri
            for kind, items in inventory.items()
            if kind.startswith("py:")
            for name, item in items.items()
        }
        users, uris = defaultdict(set), {}
        for example in self.env.gallery_examples.values():
            path = Path(self.env.srcdir, example.docname)
            for written, full in example.calls.items():
                names = [*candidates(path, written), full]
                uris[full] = next(filter(None, map(documented.get, names)), "")
                users[full].add(example)
                # What is not run is not known so well.
                known = uris[full] or full in UNDOCUMENTED
                if example.cost and not known:
                    logger.warning(
                        "%s calls %s, which no inventory documents: see "
                        "docs/_inventories/README.md",
                        example.docname,
                        full,
                    )
        sections = defaultdict(
            lambda: nodes.definition_list(classes=["atlas-lookup"])
        )
        for full in sorted(set(users) - NOISE, key=str.lower):
            name = nodes.literal("", full)
            if uris[full]:
                name = nodes.reference("", "", name, refuri=uris[full])
            line = nodes.paragraph()
            for example in sorted(users[full], key=lambda e: e.place):
                line += [nodes.Text(", ")] * bool(line.children)
                line += example.link(self.env)
            sections[library(full)] += nodes.definition_list_item(
                "", nodes.term("", "", name), nodes.definition("", line)
            )
        built = []
        # The library with most functions first.
        for title, listed in sorted(
            sections.items(), key=lambda s: -len(s[1])
        ):
            title = "Python" if title == "python" else title
            section = nodes.section("", nodes.title("", title), listed)
            section["names"] = [nodes.fully_normalize_name(title)]
            section["classes"] = ["atlas-functions"]
            self.state.document.note_implicit_target(section)
            built.append(section)
        return built


def use_inventories(app: Sphinx, config) -> None:
    """Let intersphinx find every library without a network."""
    config.intersphinx_mapping = {
        name: (site, f"_inventories/{name}.txt")
        for name, site in SITES.items()
    }


def add_aliases(app: Sphinx) -> None:
    """Let intersphinx know the other names too."""
    for items in InventoryAdapter(app.env).main_inventory.values():
        for other, name in ALIASES.items():
            if name in items:
                items[other] = items[name]


def setup(app: Sphinx) -> dict:
    """Add the directive ``function-list``, after intersphinx has loaded."""
    app.add_directive("function-list", FunctionList)
    # Before intersphinx looks at it.
    app.connect("config-inited", use_inventories, priority=100)
    app.connect("builder-inited", add_aliases, priority=900)
    return {"parallel_read_safe": True}
