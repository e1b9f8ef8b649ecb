"""Show each number that tests found again by another route.

``make test`` with a mirror of the data writes ``_data/answers.json``: a row
for each number of a page that it compared, with both values.
"""

import json
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from docutils import nodes
from gallery_find import Example
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

COLUMNS = ("What", "On the page", "By another route", "Difference", "Route")


def difference(row: dict) -> str:
    """Return how far the two values are apart, and how far they may be."""
    apart = row["shown"] - row["other"]
    if not row["tolerance"]:
        return "none" if not apart else f"{apart:+,.6g}"
    return f"{apart:+.2g} (at most {row['tolerance']:.2g})"


def cells(row: dict) -> tuple[str, ...]:
    """Return a row as it is shown."""
    shown, other = (f"{row[key]:,.9g}" for key in ("shown", "other"))
    return (
        row["what"],
        f"{shown} {row['unit']}",
        f"{other} {row['unit']}",
        difference(row),
        row["by"],
    )


class Answers(SphinxDirective):
    """A table, with a heading in it for each page."""

    def run(self) -> list[nodes.Node]:
        """Return the table, in the order of the gallery."""
        path = Path(self.env.app.confdir, "_data", "answers.json")
        self.env.note_dependency(str(path))
        examples = {
            Path(name).name: example
            for name, example in self.env.gallery_examples.items()
        }
        rows = sorted(
            json.loads(path.read_text()),
            key=lambda row: examples[row["page"]].place,
        )
        body = nodes.tbody()
        for page, same in groupby(rows, key=itemgetter("page")):
            body += self.heading(examples[page])
            for row in same:
                entries = (
                    nodes.entry("", nodes.paragraph("", text))
                    for text in cells(row)
                )
                body += nodes.row("", *entries)
        head = nodes.row(
            "", *(nodes.entry("", nodes.paragraph("", c)) for c in COLUMNS)
        )
        columns = [nodes.colspec(colwidth=1) for _ in COLUMNS]
        group = nodes.tgroup(
            "", *columns, nodes.thead("", head), body, cols=len(COLUMNS)
        )
        return [nodes.table("", group, classes=["atlas-answers"])]

    def heading(self, example: Example) -> nodes.row:
        """Return a row with a link to the page that shows the numbers."""
        link = nodes.paragraph("", "", example.link(self.env))
        return nodes.row("", nodes.entry("", link, morecols=len(COLUMNS) - 1))


def setup(app: Sphinx) -> dict:
    """Add the directive ``answers``."""
    app.add_directive("answers", Answers)
    return {"parallel_read_safe": True}
