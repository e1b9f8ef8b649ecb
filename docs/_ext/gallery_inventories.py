"""Renew ``docs/_inventories``: where libraries document what examples call.

    python docs/_ext/gallery_inventories.py [LIBRARY=objects.inv …]

takes the inventory of each library from its own site, or from a file, and
keeps the names that the examples call, as a build found them out. It needs
the gallery to be built, and the network for what no file is given for. A line
is "name kind page"; the place on the page is the name, as on all of them.
"""

import ast
import sys
import urllib.request
from pathlib import Path

from gallery_find import called
from gallery_functions import (
    ALIASES,
    INVENTORIES,
    SITES,
    candidates,
    library,
)
from sphinx.util.inventory import InventoryFile

DOCS = Path(__file__).parents[1]


def methods(page: Path) -> set[str]:
    """Return the calls of attributes on a page, as written."""
    tree = ast.parse(page.read_text())
    calls = (n.func for n in ast.walk(tree) if isinstance(n, ast.Call))
    return {ast.unparse(f) for f in calls if isinstance(f, ast.Attribute)}


def names_called() -> dict[str, set[tuple[str, ...]]]:
    """Return, by library, the names that each call may have, best first."""
    found = {}
    for page in sorted((DOCS / "aws_examples").rglob("*.py")):
        functions = called(page.read_text())
        for written in {*functions, *methods(page)}:
            full = functions.get(written)
            names = filter(None, [*candidates(page, written), full])
            names = [ALIASES.get(name, name) for name in names]
            if not names:
                continue
            # What is inherited from another library is not looked up there,
            # and what Python has built in not at all.
            own = [n for n in names if library(n) == library(full or names[0])]
            if full or (own and not own[0].startswith("builtins.")):
                found.setdefault(library(own[0]), set()).add(tuple(own))
    return found


def kept(content: bytes, calls: set[tuple[str, ...]]) -> list[str]:
    """Return the lines of an inventory that document what is called."""
    documented = {
        name: f"{name} {kind.removeprefix('py:')} {item.uri.partition('#')[0]}"
        for kind, items in InventoryFile.loads(content, uri="").data.items()
        if kind.startswith("py:")
        for name, item in items.items()
        if item.uri.endswith(f"#{name}")
    }
    lines = {
        next((documented[name] for name in names if name in documented), "")
        for names in calls
    }
    return sorted(lines - {""})


def main(arguments: list[str]) -> None:
    """Renew all inventories, or those for which a file is given."""
    given = dict(argument.split("=", 1) for argument in arguments)
    names = names_called()
    for name, site in SITES.items():
        path = INVENTORIES / f"{name}.txt"
        if given and name not in given:
            continue
        if name in given:
            content = Path(given[name]).read_bytes()
        else:
            with urllib.request.urlopen(f"{site}/objects.inv") as answer:
                content = answer.read()
        lines = [
            "# Sphinx inventory version 1",
            f"# Project: {name}",
            "# Version: names that the examples call",
            *kept(content, names.get(name, set())),
        ]
        path.write_text("".join(f"{line}\n" for line in lines))
        print(f"{path.name}: {len(lines) - 3} names")


if __name__ == "__main__":
    main(sys.argv[1:])
