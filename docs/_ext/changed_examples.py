"""Print a pattern for the examples that a change touches: for `make changed`.

    python docs/_ext/changed_examples.py BASE

compares the files here with the commit at which they left BASE. An example is
run if it changed, and so are all if what decides their results did. Besides,
where a page shows the pictures of an example, as the home page does, a change
of either runs both.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONF = "docs/conf.py"
# What decides the results of every example; see `gallery_key`.
DECIDES = ("docs/_ext/", "pyproject.toml", "requirements.lock")
# These say where a page stands, not what it holds.
PLACES = {"gallery_order", "redirects"}
EVERY, NONE = r"\.py", "(?!)"


def git(*words: str) -> str:
    """Return what git says.

    Raises
    ------
    SystemExit
        It fails; the message is its own.
    """
    done = subprocess.run(
        ["git", "-C", ROOT, *words], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr.strip())
    return done.stdout


def settings(text: str) -> list[str]:
    """Return the statements of conf.py that decide what a page holds."""
    return [
        ast.dump(line)
        for line in ast.parse(text).body
        if not isinstance(line, ast.Assign)
        or PLACES.isdisjoint(getattr(n, "id", "") for n in line.targets)
    ]


def shown_by(text: str, stems: set[str]) -> set[str]:
    """Return the examples of which a text shows pictures."""
    pictures = re.findall(r"sphx_glr_(\w+?)_(?:\d{3}|thumb)(?=[._])", text)
    for words in re.findall(r"\.\. minigallery::(.*(?:\n +.*)*)", text):
        pictures += re.findall(r"(\w+)\.py", words)
    return stems & set(pictures)


def touched(changed: set[str], conf_before: str) -> set[str] | None:
    """Return the names of the examples to run, or None for all of them."""
    conf = (ROOT / CONF).read_text()
    if any(path.startswith(DECIDES) for path in changed) or (
        CONF in changed and settings(conf) != settings(conf_before)
    ):
        return None
    examples = {p.stem: p for p in (ROOT / "examples").rglob("*.py")}
    pages = [*examples.values(), *ROOT.glob("docs/*.rst")]
    pages += ROOT.glob("examples/**/*.rst")
    shows = {p: shown_by(p.read_text(), {*examples}) for p in pages}
    first = {p for p in pages if str(p.relative_to(ROOT)) in changed}
    stems = {p.stem for p in first if p.suffix == ".py"}
    run = stems.union(*(shows[page] for page in first))
    for page, shown in shows.items():
        # Of a page in prose nothing is to be run.
        if shown & stems and page.suffix == ".py":
            run.add(page.stem)
    return run


def main(base: str) -> str:
    """Return the pattern; say on standard error what it is for."""
    start = git("merge-base", base, "HEAD").strip()
    changed = git("diff", "--name-only", "--no-renames", start).splitlines()
    changed += git("ls-files", "--others", "--exclude-standard").splitlines()
    before = git("show", f"{start}:{CONF}") if CONF in changed else ""
    run = touched(set(changed), before)
    told = "every example" if run is None else " ".join(sorted(run))
    print(f"To run: {told or 'no example'}", file=sys.stderr)
    if run is None:
        return EVERY
    return rf"/({'|'.join(sorted(run))})\.py" if run else NONE


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
