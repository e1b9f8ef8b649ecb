"""Give readers without JavaScript the theme that they prefer.

Which theme a page has is set by a script. Without it a page is in neither. Of
each rule of the styles that holds for one theme, this writes one that holds
where no script ran and the reader prefers that theme.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

STYLES = ["styles/pydata-sphinx-theme.css", "pygments.css", "gallery.css"]


def rules_for(theme: str, css: str) -> str:
    """Return the rules of a theme, for a page where no script ran."""
    css = re.sub(r"(?s)/\*.*?\*/", "", css)
    named = re.compile(rf'\[data-theme="?{theme}"?\]')
    rules = re.findall(r"([^{}]+)({[^{}]*})", css)
    return "".join(
        named.sub('[data-theme="auto"]', selector) + style
        for selector, style in rules
        if named.search(selector)
    )


def write_noscript(app: Sphinx, exception: Exception | None) -> None:
    """Write the style that pages link to for such readers."""
    if exception or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    css = "".join((static / name).read_text() for name in STYLES)
    light, dark = rules_for("light", css), rules_for("dark", css)
    with open(static / "noscript.css", "w") as file:
        file.write((Path(app.confdir) / "_static/noscript.css").read_text())
        file.write(f"@media not (prefers-color-scheme: dark) {{{light}}}\n")
        file.write(f"@media (prefers-color-scheme: dark) {{{dark}}}\n")


def setup(app: Sphinx) -> dict:
    """Act when all styles are in their place; the theme writes one late."""
    app.connect("build-finished", write_noscript, priority=900)
    return {"parallel_read_safe": True}
