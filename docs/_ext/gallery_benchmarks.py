"""Show what was measured: every number comes from ``_data/benchmarks.json``.

``make bench`` writes that file; this shows a group of it as a figure, a table
for each comparison, and the targets, met or missed.
"""

import json
import os
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from gallery_catalogue import row
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

MEASURED = Path(__file__).parents[1] / "_data" / "benchmarks.json"
UNITS = {"s": "s", "mb": "MB", "kb": "kB", "requests": "requests"}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = "osD^vP"


def number(value: float) -> str:
    """Return a number with three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def span(found: dict) -> str:
    """Return a median, with the lowest and the highest unless all agree."""
    low, median, high = (
        number(found[name]) for name in ("low", "median", "high")
    )
    return median if low == high else f"{median} ({low}–{high})"


def words(name: str) -> str:
    """Return what a name of the file is called on the page."""
    return name.replace("_", " ")


def cost_name(cost: str) -> tuple[str, str]:
    """Return what a cost is called, and its unit."""
    name, _, unit = cost.rpartition("_")
    return words(name), UNITS[unit]


def cell(found: dict, column: str, is_baseline: bool) -> list:
    """Return the lines of a cell: a cost, its ratio, what else is counted."""
    cost, *others = column.split("+")
    if cost not in found["costs"]:
        return text("–")
    lines = [span(found["costs"][cost]["value"])]
    if (ratio := found["costs"][cost]["ratio"]) and not is_baseline:
        lines.append(f"× {span(ratio)}")
    for unit in others:
        counted = found["costs"][f"{cost.rpartition('_')[0]}_{unit}"]
        lines.append(f"{span(counted['value'])} {UNITS[unit]}")
    return text(*lines)


def text(*lines: str) -> list[list[nodes.Node]]:
    """Return the lines of a cell."""
    return [[nodes.Text(line)] for line in lines]


def table(head: list[str], rows: list[list]) -> nodes.table:
    """Return a table; the first column is as wide as three others."""
    widths = [3, *[1] * (len(head) - 1)]
    columns = [nodes.colspec(colwidth=width) for width in widths]
    titles = nodes.thead("", row([text(title) for title in head]))
    body = nodes.tbody("", *(row(cells) for cells in rows))
    group = nodes.tgroup("", *columns, titles, body, cols=len(head))
    return nodes.table("", group, classes=["atlas-benchmark"])


def results(compared: dict, baseline: str, columns: list) -> nodes.table:
    """Return a table of variants: what each cost, and its ratio."""
    rows = []
    for variant, found in compared.items():
        said = nodes.Text(found["what"])
        first = [[said], [nodes.literal("", found["command"])]]
        is_baseline = variant == baseline
        rows.append([first, *(cell(found, c, is_baseline) for c in columns)])
    costs = [column.partition("+")[0] for column in columns]
    heads = ["{} ({})".format(*cost_name(cost)) for cost in costs]
    return table(["What", *heads], rows)


def targets(found: list[dict], comparisons: dict) -> nodes.table:
    """Return a table of the targets, those that are missed among them."""
    rows = []
    for target in found:
        name, unit = cost_name(target["cost"])
        where = f"{target['comparison']}, " if target["comparison"] else ""
        what = comparisons[target["comparison"]][target["variant"]]["what"]
        if target["kind"] == "ratio":
            name, unit = f"{name} ({unit}), × the baseline", ""
        said = [f"{number(target[k])} {unit}" for k in ("at_most", "measured")]
        rows.append(
            [
                text(f"{where}{what}"),
                text(name),
                *map(text, said),
                text("met" if target["met"] else "missed"),
            ]
        )
    head = ["What", "Cost", "At most", "Measured", "Target"]
    return table(head, rows)


def circumstances(group: dict) -> nodes.paragraph:
    """Return when, where and on what a group was measured."""
    machine = group["machine"]
    versions = ", ".join(
        f"{name} {version}" for name, version in machine["versions"].items()
    )
    n = group["rounds"]
    line = nodes.paragraph("", "", classes=["atlas-benchmark-note"])
    line += nodes.literal("", group["command"])
    line += nodes.Text(
        f" on {group['date']}: {n} {'round' if n == 1 else 'rounds'}, data "
        f"from the {group['source']}; {machine['cores']} cores "
        f"({machine['cpu']}), {machine['memory_gb']} GB; {versions}."
    )
    return line


def dots(figure, group: dict, costs: list[str]) -> None:
    """Draw the ratio of each variant to the baseline, with its spread."""
    from matplotlib.ticker import LogLocator

    panels = [
        (comparison, cost)
        for comparison in group["comparisons"]
        for cost in costs
    ]
    first = next(iter(group["comparisons"].values()))
    names = [n for n in first if n != group["baseline"]]
    rows = [panels[i : i + 3] for i in range(0, len(panels), 3)]
    figure.set_size_inches(7.2, len(rows) * (0.9 + 0.26 * len(names)))
    axes = figure.subplots(
        len(rows), len(rows[0]), sharey=True, sharex="all", squeeze=False
    )
    for (comparison, cost), ax in zip(panels, axes.flat, strict=False):
        found = group["comparisons"][comparison]
        ax.axvline(1, color="black", linewidth=0.8)
        for place, variant in enumerate(names):
            ratio = found[variant]["costs"].get(cost, {}).get("ratio")
            if ratio:
                ax.plot([ratio["low"], ratio["high"]], [place] * 2, "0.6")
                ax.plot(ratio["median"], place, "o", color=COLOURS[0])
        ax.set_title(" ".join([*cost_name(cost)[:1], comparison]).strip())
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.tick_params(axis="x", labelsize="small")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter("")
        ax.grid(axis="x", color="0.9")
        ax.set_axisbelow(True)
    for ax in axes[:, 0]:
        ax.set_yticks(range(len(names)), map(words, names))
        ax.set_ylim(len(names) - 0.5, -0.5)
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    figure.supxlabel(f"ratio to {words(group['baseline'])}", fontsize=10)


def curves(figure, group: dict, costs: list[str]) -> None:
    """Draw each variant's cost against the size of a voxel."""
    figure.set_size_inches(7.2, 3.2)
    axes = figure.subplots(1, len(costs), squeeze=False)[0]
    for ax, cost in zip(axes, costs, strict=True):
        compared = group["comparisons"]
        name, unit = cost_name(cost)
        for place, variant in enumerate(next(iter(compared.values()))):
            known = {
                float(size.split()[0]): found[variant]["costs"][cost]["value"]
                for size, found in compared.items()
                if cost in found[variant]["costs"]
            }
            values = [value["median"] for value in known.values()]
            errors = [
                [v["median"] - v["low"] for v in known.values()],
                [v["high"] - v["median"] for v in known.values()],
            ]
            style = {"color": COLOURS[place], "marker": MARKERS[place]}
            ax.errorbar(
                known.keys(), values, errors, **style, label=words(variant)
            )
        sizes = [float(size.split()[0]) for size in compared]
        ax.set(xscale="log", yscale="log", xlabel="voxel (µm)")
        ax.set_title(f"{name} ({unit})")
        ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
        ax.xaxis.set_minor_formatter("")
        ax.yaxis.set_major_formatter("{x:,g}")
        ax.invert_xaxis()
        ax.grid(color="0.9")
    axes[0].legend()


DRAWN = {"dots": dots, "curves": curves}


class Benchmark(SphinxDirective):
    """A group: figure, tables, what is derived, targets, circumstances."""

    required_arguments = 1
    option_spec: ClassVar = {
        "costs": directives.unchanged_required,
        "figure": lambda kind: directives.choice(kind, tuple(DRAWN)),
        "figure-costs": directives.unchanged_required,
        "alt": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """Return the group, or that it was not measured yet."""
        self.env.note_dependency(str(MEASURED))
        name = self.arguments[0]
        known = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
        if name not in known:
            command = nodes.literal("", f"make bench ONLY={name}")
            said = nodes.Text("Not measured yet: ")
            return [nodes.paragraph("", "", said, command)]
        group = known[name]
        costs = self.options["costs"].split()
        built = []
        if "figure" in self.options:
            built.append(self.figure(name, group))
        for comparison, compared in group["comparisons"].items():
            if comparison:
                title = nodes.strong("", comparison)
                built.append(nodes.paragraph("", "", title))
            built.append(results(compared, group["baseline"], costs))
        if group["derived"]:
            listed = nodes.bullet_list()
            for what, found in group["derived"].items():
                line = nodes.paragraph("", f"{words(what)}: {span(found)}")
                listed += nodes.list_item("", line)
            built.append(listed)
        if group["targets"]:
            built.append(targets(group["targets"], group["comparisons"]))
        return [*built, circumstances(group)]

    def figure(self, name: str, group: dict) -> nodes.image:
        """Draw the figure of a group; return it with its words.

        Raises
        ------
        docutils.utils.SystemMessage
            It has none. The build stops.
        """
        if "alt" not in self.options:
            raise self.error(f"{name}: a figure needs :alt:")
        # Nothing of matplotlib is needed unless this page is read again.
        import matplotlib
        from matplotlib.figure import Figure

        costs = self.options.get("figure-costs", self.options["costs"])
        folder = Path(self.env.doctreedir, "benchmarks")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"benchmark_{name}.png"
        with matplotlib.rc_context(matplotlib.rcParamsDefault):
            drawn = Figure(layout="constrained")
            DRAWN[self.options["figure"]](drawn, group, costs.split())
            # Twice the width of the page's column, for fine screens.
            drawn.savefig(path, dpi=200)
        here = Path(self.env.doc2path(self.env.docname)).parent
        alt = " ".join(self.options["alt"].split())
        return nodes.image(
            uri=Path(os.path.relpath(path, here)).as_posix(),
            alt=alt,
            classes=["no-scaled-link"],
        )


def setup(app: Sphinx) -> dict:
    """Add the directive ``benchmark``."""
    app.add_directive("benchmark", Benchmark)
    return {"parallel_read_safe": True}
