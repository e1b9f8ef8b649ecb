"""Show what comes of each fault, as the tests recorded it.

``.. faults:: network`` is a table of the faults that have that place in
``docs/_data/faults.json``; ``.. faults::`` says when they were recorded.
"""

import json
from pathlib import Path

from docutils import nodes
from gallery_catalogue import row
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

COLUMNS = ("Fault", "Done to", "Outcome", "What is said")


class Faults(SphinxDirective):
    """A table of faults, or of what was recorded with which versions."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table, or a sentence."""
        path = Path(self.env.app.confdir, "_data", "faults.json")
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text(encoding="utf-8"))
        if not self.arguments:
            versions = ", ".join(map(" ".join, record["versions"].items()))
            said = f"Recorded on {record['date']} with {versions}."
            return [nodes.paragraph("", said)]
        faults = [
            fault
            for fault in record["faults"]
            if fault["where"] == self.arguments[0]
        ]
        if not faults:
            raise self.error(f"no faults of {self.arguments[0]} are recorded")
        head = nodes.thead("", row([[[nodes.Text(name)]] for name in COLUMNS]))
        lines = nodes.tbody("", *map(line, faults))
        columns = [nodes.colspec(colwidth=width) for width in (22, 18, 12, 48)]
        group = nodes.tgroup("", *columns, head, lines, cols=len(COLUMNS))
        return [nodes.table("", group, classes=["atlas-faults"])]


def line(fault: dict) -> nodes.row:
    """Return the row of one fault; what is said is a quotation if it stops."""
    said = nodes.Text(fault["message"])
    if fault["outcome"] == "stops":
        said = nodes.literal("", fault["message"])
    cells = fault["fault"], fault["done_to"], fault["outcome"]
    return row([*([[nodes.Text(text)]] for text in cells), [[said]]])


def setup(app: Sphinx) -> dict:
    """Add the directive ``faults``."""
    app.add_directive("faults", Faults)
    return {"parallel_read_safe": True}
