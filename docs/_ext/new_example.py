"""Begin an example from the template: what ``make new`` calls."""

import re
import sys
from pathlib import Path
from string import Template

DOCS = Path(__file__).parents[1]
TEMPLATE = DOCS / "_templates" / "example.py.txt"
EXAMPLES = DOCS.parent / "examples"
RULE = (
    "A name is section/verb_object, in lower case and at most 50 characters, "
    "as in: make new NAME=slices/draw_planes"
)


def begin(name: str) -> str:
    """Write an example; return what to do next.

    Raises
    ------
    ValueError
        The name breaks a rule, or is taken.
    """
    section, _, stem = name.rpartition("/")
    sections = sorted(p.name for p in EXAMPLES.iterdir() if p.is_dir())
    if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", stem) or len(stem) > 50:
        raise ValueError(f'"{name}" is no name for an example. {RULE}')
    if section not in sections:
        raise ValueError(
            f'There is no section "{section}": the sections are '
            f"{', '.join(sections)}. {RULE}"
        )
    # Names go into addresses without their section's: they are unique.
    if taken := list(EXAMPLES.rglob(f"{stem}.py")):
        raise ValueError(f"{taken[0].relative_to(DOCS.parent)} is there.")
    title = stem.replace("_", " ").capitalize()
    text = Template(TEMPLATE.read_text()).substitute(
        title=title, underline="=" * len(title)
    )
    path = EXAMPLES / section / f"{stem}.py"
    path.write_text(text)
    return f"""{path.relative_to(DOCS.parent)} is written. Next:
  1. give "{stem}" its place in gallery_order in docs/conf.py;
  2. make live PATTERN={stem}, and look at http://127.0.0.1:8000;
  3. replace every TODO: a test refuses the word."""


if __name__ == "__main__":
    try:
        print(begin(*sys.argv[1:]))
    except ValueError as problem:
        sys.exit(str(problem))
