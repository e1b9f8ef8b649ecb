"""What is noted of the numbers on the site is whole, and shown."""

import json
from collections import Counter

import pytest
from bs4 import BeautifulSoup
from conftest import ANSWERS, EXAMPLES, ROOT
from gallery_answers import cells, difference

ROWS = json.loads(ANSWERS.read_text())


def test_every_page_has_a_number_that_was_found_again():
    assert {row["page"] for row in ROWS} == {path.stem for path in EXAMPLES}
    assert max(Counter((r["page"], r["what"]) for r in ROWS).values()) == 1


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r['page']}-{r['what']}")
def test_row_is_what_a_test_says_still(row):
    assert abs(row["shown"] - row["other"]) <= row["tolerance"] * 1.05
    path, _, name = row["test"].partition("::")
    assert f"def {name}(" in (ROOT / path).read_text()


def test_difference_is_told_with_what_is_allowed():
    row = {"shown": 1.5, "other": 1.25, "tolerance": 0.5}
    assert difference(row) == "+0.25 (at most 0.5)"
    row = {"shown": 7.0, "other": 7.0, "tolerance": 0.0}
    assert difference(row) == "none"


def test_page_shows_every_row(site):
    html = (site / "how-we-know.html").read_text()
    [table] = BeautifulSoup(html, "html.parser").select("article table")
    shown = [
        tuple(cell.get_text(" ", strip=True) for cell in line.select("td"))
        for line in table.select("tbody tr")
    ]
    noted = [tuple(t.replace("'", "’") for t in cells(row)) for row in ROWS]
    headings = [line for line in shown if len(line) == 1]
    assert len(headings) == len(EXAMPLES)
    assert sorted(x for x in shown if len(x) > 1) == sorted(noted)


def test_a_number_that_differs_is_refused(agree):
    with pytest.raises(AssertionError, match="some page, some number"):
        agree("some page", "some number", 1, 2, "mm³", "nothing", 0.5)
