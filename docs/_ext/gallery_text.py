"""Write each page as plain text too, and a list of all of them: llms.txt.

For readers who are programs, and for people who prefer a terminal. The text
of ``page.html`` is ``page.txt``: prose, code, what it printed, and figures by
the words that describe them.
"""

from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.writers.text import TextTranslator


class PlainText(TextTranslator):
    """Sphinx's own text, with figures in words and addresses of links."""

    def visit_literal(self, node: nodes.Node) -> None:
        """Quote code as everybody does."""
        self.add_text("`")

    depart_literal = visit_literal

    def visit_image(self, node: nodes.Node) -> None:
        """Say in words what a figure shows; an ornament says nothing."""
        if alt := node.get("alt"):
            self.new_state(0)
            self.add_text(f"[Figure: {' '.join(alt.split())}]")
            self.end_state()
        raise nodes.SkipNode

    visit_imgsgnode = visit_image

    def visit_code_links_block(self, node: nodes.Node) -> None:
        """Leave code as it is, without the links of its names."""
        self.new_state()
        self.add_text(node.astext())
        self.end_state(wrap=False)
        raise nodes.SkipNode

    def visit_title(self, node: nodes.Node) -> None:
        """Leave out the label that the HTML writer gave to an admonition."""
        box = node.parent
        if isinstance(box, nodes.Admonition) and box.tagname != "admonition":
            raise nodes.SkipNode
        super().visit_title(node)

    def depart_reference(self, node: nodes.Node) -> None:
        """Tell where a link leads that leaves the site."""
        address = node.get("refuri", "")
        if "://" in address and node.astext() != address:
            self.add_text(f" <{address}>")

    def unknown_visit(self, node: nodes.Node) -> None:
        """Take from what an extension adds the text in it."""

    unknown_departure = unknown_visit


def first_paragraph(doctree: nodes.document) -> str:
    """Return what a page says first: what one will have at its end."""
    for paragraph in doctree.findall(nodes.paragraph):
        return " ".join(paragraph.astext().split())
    return ""


def write_text(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Write the text of a page beside it, and say in the page that it is."""
    if doctree is None or pagename not in set(pages(app.env)):
        return
    translator = PlainText(doctree, app.builder)
    doctree.walkabout(translator)
    path = Path(app.outdir, f"{pagename}.txt")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(translator.body.strip() + "\n")
    context["metatags"] += (
        '<link rel="alternate" type="text/plain" '
        f'href="{path.name}" title="This page as plain text" />'
    )


def pages(env: BuildEnvironment, top: str | None = None) -> Iterator[str]:
    """Return every page in the order of the tables of contents."""
    top = top or env.config.root_doc
    yield top
    for page in env.toctree_includes.get(top, ()):
        yield from pages(env, page)


def told(app: Sphinx, page: str) -> str:
    """Return what a page says first, with the words of its links."""
    doctree = app.env.get_doctree(page)
    # To resolve the links of whole pages takes longer than all else that a
    # build does if nothing has changed.
    doctree.children = list(doctree.findall(nodes.paragraph))[:1]
    app.env.apply_post_transforms(doctree, page)
    return first_paragraph(doctree)


def write_list(app: Sphinx, exception: Exception | None) -> None:
    """Write what the site is, and every page with its sentence."""
    if exception or app.builder.format != "html":
        return
    env, site = app.env, app.config.gallery_site
    root = env.config.root_doc
    # Pages that belong to no section come last, under a heading of their own.
    head = [f"# {app.config.project}", "", f"> {told(app, root)}", ""]
    loose, listed = ["## Help", ""], []
    for page in pages(env):
        inside = env.toctree_includes.get(page)
        title, sentence = env.titles[page].astext(), told(app, page)
        line = f"- [{title}]({site}{page}.txt): {sentence}"
        if page == root:
            continue
        elif inside:
            listed += ["", f"## {title}", "", sentence, ""]
        elif page in env.toctree_includes[root]:
            loose.append(line)
        else:
            listed.append(line)
    text = "\n".join([*head, *listed, "", *loose, ""])
    Path(app.outdir, "llms.txt").write_text(text.replace("\n\n\n", "\n\n"))


def setup(app: Sphinx) -> dict:
    """Write with each page, and at the end."""
    app.connect("html-page-context", write_text)
    app.connect("build-finished", write_list)
    return {"parallel_read_safe": True}
