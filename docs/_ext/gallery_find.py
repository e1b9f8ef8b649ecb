"""Help to find an example: cards, tags, a filter, and related examples.

An example names its tasks and its difficulty in one line. What it reads says
of which species, and how much; the words are those of ``_data/tags.toml``.
"""

import ast
import bisect
import dataclasses
import math
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from gallery_card import field, reads_of
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

VOCABULARY = Path(__file__).parents[1] / "_data" / "tags.toml"
TAGS = tomllib.loads(VOCABULARY.read_text())
BY_HAND = ("task", "difficulty")
# Where one word for the data that were moved ends and the next begins.
BYTES = (1e6, 5e6)


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """What is known of an example besides its results."""

    docname: str
    place: int
    title: str
    sentence: str
    tags: dict
    calls: dict
    cost: str

    def link(self, env: BuildEnvironment) -> addnodes.pending_xref:
        """Return a link to its page."""
        return addnodes.pending_xref(
            "",
            nodes.inline("", self.title),
            refdoc=env.docname,
            refdomain="std",
            reftype="doc",
            reftarget=f"/{self.docname}",
            refexplicit=True,
            refwarn=True,
        )

    @property
    def traits(self) -> Counter:
        """Return what it may share with another one, and how much it counts.

        Two pages for one task are nearer than two that call one function.
        """
        section = self.docname.rpartition("/")[0]
        tasks = [f"task {task}" for task in self.tags["task"]]
        return Counter(
            {section: 1.5}
            | dict.fromkeys(tasks, 3)
            | dict.fromkeys(self.calls.values(), 1)
        )


def measured_tags(reads: dict) -> dict[str, list[str]]:
    """Return the species of which atlases were read, and how much was."""
    atlases = re.findall(
        r"(?:annotations|atlas/[\w-]+)/([\w-]+)/", "\n".join(reads["objects"])
    )
    species = {
        next((w for w in re.split("[_-]", a) if w in TAGS["species"]),
             "other-animals")
        for a in atlases
    }  # fmt: skip
    size = list(TAGS["data"])[bisect.bisect(BYTES, reads["bytes"])]
    return {
        "species": [tag for tag in TAGS["species"] if tag in species],
        "data": [size],
    }


def by_hand(text: str) -> list[str]:
    """Return the tags that an example's line names."""
    line = re.search(r"(?m)^# sphinx_gallery_tags = (\[.*\])$", text)
    return ast.literal_eval(line[1]) if line else []


def called(text: str) -> dict[str, str]:
    """Return the calls of imported names: as written, and in full."""
    tree = ast.parse(text)
    full = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                whole = name.name if name.asname else name.name.split(".")[0]
                full[name.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                full[name.asname or name.name] = f"{node.module}.{name.name}"
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            written = ast.unparse(node.func)
            first, dot, rest = written.partition(".")
            if first in full and written.replace(".", "").isidentifier():
                found[written] = full[first] + dot + rest
    return found


def example_at(app: Sphinx, path: Path) -> Example:
    """Read an example where Sphinx-Gallery put its program."""
    docname = path.relative_to(app.srcdir).with_suffix("").as_posix()
    text = path.read_text()
    # Sphinx has made its quotation marks before these words are put in.
    docstring = ast.get_docstring(ast.parse(text)).replace("'", "’")
    title, sentence, *_ = [*docstring.split("\n\n"), ""]
    reads = reads_of(app, docname)
    named = by_hand(text)
    tags = {f: [t for t in TAGS[f] if t in named] for f in BY_HAND}
    cost = ""
    if reads:
        tags |= measured_tags(reads)
        megabytes = f"{reads['bytes'] / 1e6:.1f} MB"
        if megabytes == "0.0 MB":
            megabytes = "under 0.1 MB"
        cost = f"{megabytes} · {reads['seconds']:.1f} s"
    return Example(
        docname=docname,
        place=app.config.gallery_order.index(path.stem),
        title=title.splitlines()[0],
        sentence=" ".join(sentence.split()),
        tags={facet: tags.get(facet, []) for facet in TAGS},
        calls=called(text),
        cost=cost,
    )


def gallery_of(env: BuildEnvironment) -> str:
    """Return the name of the folder with the examples' pages."""
    return env.config.sphinx_gallery_conf["gallery_dirs"][0]


def read_examples(app: Sphinx, env: BuildEnvironment) -> None:
    """Read all examples, in the order in which to learn them."""
    gallery = Path(app.srcdir, gallery_of(env))
    examples = [example_at(app, path) for path in gallery.rglob("*.py")]
    examples.sort(key=lambda example: example.place)
    env.gallery_examples = {e.docname: e for e in examples}


def outdated(app: Sphinx, env: BuildEnvironment, *_: set) -> list[str]:
    """Return all examples if what makes them related is not as it was.

    The pages depend on that alone, not on all that stands in the others.
    """

    def described() -> dict[str, tuple]:
        known = getattr(env, "gallery_examples", {})
        return {
            name: (example.title, example.sentence, example.traits)
            for name, example in known.items()
        }

    before = described()
    read_examples(app, env)
    return [] if described() == before else list(env.gallery_examples)


def depend_on(env: BuildEnvironment, *docnames: str) -> None:
    """Have a page built again when one of these examples has changed."""
    env.note_dependency(str(VOCABULARY))
    for docname in docnames:
        for suffix in (".py", ".reads.json"):
            env.note_dependency(str(Path(env.srcdir, docname + suffix)))


def depend_on_all(env: BuildEnvironment) -> None:
    """Have a page built again when any example, or where it links, has."""
    depend_on(env, *env.gallery_examples)
    for path in Path(env.srcdir, "_inventories").glob("*.txt"):
        env.note_dependency(str(path))
    # It names the examples: there may be a new one.
    key = Path(env.srcdir, gallery_of(env), "build_key.json")
    env.note_dependency(str(key))


def words(tag: str) -> str:
    """Return a tag as it is shown."""
    return tag.replace("-", " ")


class Card(SphinxDirective):
    """A picture, a title that links, a sentence, the cost and the tags."""

    required_arguments = 1
    option_spec: ClassVar = {"picture": directives.unchanged_required}
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the card."""
        example = self.env.gallery_examples[self.arguments[0].strip("/")]
        depend_on(self.env, example.docname)
        data = " ".join(
            f'data-{facet}="{" ".join(tags)}"'
            for facet, tags in example.tags.items()
        )
        shown = [f for f in TAGS if f != "data"]
        tags = " · ".join(words(t) for f in shown for t in example.tags[f])
        facts = "<br>".join(filter(None, (example.cost, tags)))
        picture = nodes.image(
            uri=self.options["picture"],
            alt="",
            classes=["no-scaled-link"],
            loading="lazy",
            width="400",
            height="280",
        )
        return [
            nodes.raw(
                "",
                f'<div class="sphx-glr-thumbcontainer" {data}>',
                format="html",
            ),
            picture,
            nodes.paragraph("", "", example.link(self.env)),
            nodes.raw(
                "",
                f'<div class="atlas-answer">{"".join(self.content)}</div>'
                f'<div class="atlas-facts">{facts}</div>'
                "</div>",
                format="html",
            ),
        ]


class Filter(SphinxDirective):
    """The form that hides the cards without what is ticked."""

    def run(self) -> list[nodes.Node]:
        """Return the form, with the words that any example has."""
        depend_on_all(self.env)
        examples = self.env.gallery_examples.values()
        sets = []
        for facet, tags in TAGS.items():
            used = {tag for e in examples for tag in e.tags[facet]}
            boxes = "".join(
                f'<label><input type="checkbox" name="{facet}" value="{tag}">'
                f"<span>{words(tag)}</span></label>"
                for tag in tags
                if tag in used
            )
            if boxes:
                sets.append(
                    f"<fieldset><legend>{facet.title()}</legend>{boxes}"
                    "</fieldset>"
                )
        if not sets:
            return []
        form = (
            '<form class="atlas-filter" aria-label="Filter the examples">'
            f"{''.join(sets)}<p><output>{len(examples)} examples</output> "
            '<button type="reset" hidden>Show all</button></p></form>'
        )
        return [nodes.raw("", form, format="html")]


class TagList(SphinxDirective):
    """The vocabulary, each word with a link to its examples."""

    def run(self) -> list[nodes.Node]:
        """Return a definition list for each kind of tag."""
        depend_on_all(self.env)
        examples = self.env.gallery_examples.values()
        built = []
        for facet, tags in TAGS.items():
            listed = nodes.definition_list(classes=["atlas-lookup"])
            for tag, meaning in tags.items():
                n = sum(tag in e.tags[facet] for e in examples)
                text, _ = self.parse_inline(f"{meaning} ({n})")
                listed += nodes.definition_list_item(
                    "",
                    nodes.term("", "", link_to_tag(self.env, facet, tag)),
                    nodes.definition("", nodes.paragraph("", "", *text)),
                )
            title = nodes.title("", facet.title())
            section = nodes.section("", title, listed)
            section["names"] = [facet]
            self.state.document.note_implicit_target(section)
            built.append(section)
        return built


def link_to_tag(
    env: BuildEnvironment, facet: str, tag: str
) -> nodes.reference:
    """Return a link to the index that shows the examples with a tag."""
    gallery = env.config.sphinx_gallery_conf["gallery_dirs"][0]
    uri = env._app.builder.get_relative_uri(env.docname, f"{gallery}/index")
    return nodes.reference(
        "", words(tag), refuri=f"{uri}?{facet}={tag}", internal=True
    )


def related(example: Example, examples: list[Example]) -> list[Example]:
    """Return the three that share the rarest traits with an example."""
    n_with = Counter(trait for e in examples for trait in e.traits)

    def weight(traits: Counter) -> float:
        rarity = {t: math.log(len(examples) / n_with[t]) for t in traits}
        return sum(traits[t] * rarity[t] for t in traits)

    def likeness(other: Example) -> float:
        shared = weight(example.traits & other.traits)
        return shared / math.sqrt(weight(other.traits) or 1)

    others = [e for e in examples if e is not example and likeness(e) > 0]
    return sorted(others, key=likeness, reverse=True)[:3]


def list_tags(app: Sphinx, doctree: nodes.document) -> None:
    """Name a page's tags on its card."""
    # Sphinx-Gallery's own lists of tags cannot be reached by keyboard.
    for node in list(doctree.findall(nodes.Element)):
        if "sphx-glr-example-tags" in node["classes"] or (
            isinstance(node, nodes.raw) and "sg-tag-list" in node.astext()
        ):
            node.parent.remove(node)
    example = app.env.gallery_examples.get(app.env.docname)
    for card in doctree.findall(nodes.field_list):
        if example and "atlas-card" in card["classes"]:
            links = [
                link_to_tag(app.env, facet, tag)
                for facet, tags in example.tags.items()
                for tag in tags
            ]
            card += field("Tags", *links)


def list_related(app: Sphinx, doctree: nodes.document) -> None:
    """Name the related examples at the end of a page, with what they give."""
    env = app.env
    example = env.gallery_examples.get(env.docname)
    if not example:
        return
    if others := related(example, list(env.gallery_examples.values())):
        listed = nodes.definition_list(classes=["atlas-lookup"])
        for other in others:
            listed += nodes.definition_list_item(
                "",
                nodes.term("", "", other.link(env)),
                nodes.definition("", nodes.paragraph("", other.sentence)),
            )
        title = nodes.title("", "Related examples")
        section = nodes.section("", title, listed)
        section["ids"] = ["related-examples"]
        next(doctree.findall(nodes.section)).append(section)


def nest_sections(app: Sphinx, doctree: nodes.document) -> None:
    """Put the sections of the index under its title: a page has one."""
    if app.env.docname == f"{gallery_of(app.env)}/index":
        first, *others = [n for n in doctree if isinstance(n, nodes.section)]
        for section in others:
            doctree.remove(section)
            first += section


def add_script(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Load the script where there is something to filter."""
    if 'class="atlas-filter"' in context.get("body", ""):
        app.add_js_file("filter.js", loading_method="defer")


def setup(app: Sphinx) -> dict:
    """Act before a page's contents are listed, and after its card is made."""
    app.add_directive("gallery-card", Card)
    app.add_directive("gallery-filter", Filter)
    app.add_directive("tag-list", TagList)
    app.connect("env-get-outdated", outdated)
    app.connect("doctree-read", nest_sections, priority=390)
    app.connect("doctree-read", list_related, priority=390)
    app.connect("doctree-read", list_tags, priority=600)
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True}
