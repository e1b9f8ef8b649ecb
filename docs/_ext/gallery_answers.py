"""Show each number that tests found again by another route.

``make test`` with a mirror of the data writes ``_data/answers.json``: a row
for each number of a page that it compared, with both values.
"""

import json
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from docutils import nodes
from gallery_catalogue import row
from gallery_find import Example
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

COLUMNS = ("What", "On the page", "By another route", "Difference", "Route")


def difference(answer: dict) -> str:
    """Return how far the two values are apart, and how far they may be."""
    if not answer["tolerance"]:
        return "none"
    apart = answer["shown"] - answer["other"]
    return f"{apart:+.2g} (at most {answer['tolerance']:.2g})"


def cells(answer: dict) -> tuple[str, ...]:
    """Return an answer as it is shown."""
    shown, other = (
        f"{answer[key]:,.9g} {answer['unit']}" for key in ("shown", "other")
    )
    return answer["what"], shown, other, difference(answer), answer["by"]


def line(texts: tuple[str, ...]) -> nodes.row:
    """Return a row of the table."""
    return row([[[nodes.Text(text)]] for text in texts])


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
        answers = sorted(
            json.loads(path.read_text()),
            key=lambda answer: examples[answer["page"]].place,
        )
        body = nodes.tbody()
        for page, same in groupby(answers, key=itemgetter("page")):
            body += self.heading(examples[page])
            body += [line(cells(answer)) for answer in same]
        head = nodes.thead("", line(COLUMNS))
        columns = [nodes.colspec(colwidth=1) for _ in COLUMNS]
        group = nodes.tgroup("", *columns, head, body, cols=len(COLUMNS))
        return [nodes.table("", group, classes=["atlas-answers"])]

    def heading(self, example: Example) -> nodes.row:
        """Return a row with a link to the page that shows the numbers."""
        link = nodes.paragraph("", "", example.link(self.env))
        return nodes.row("", nodes.entry("", link, morecols=len(COLUMNS) - 1))


def setup(app: Sphinx) -> dict:
    """Add the directive ``answers``."""
    app.add_directive("answers", Answers)
    return {"parallel_read_safe": True}
