"""What the page on speed tells was measured, and can be measured again."""

import json
import sys

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT, run
from gallery_benchmarks import span

GROUPS = ("structures", "remote", "size", "workers", "build", "weight")
MEASURED = json.loads((ROOT / "docs/_data/benchmarks.json").read_text())
each_group = pytest.mark.parametrize("name", GROUPS)


def variants(group: dict):
    """Return each variant of a group, with its comparison."""
    for comparison, compared in group["comparisons"].items():
        for variant, found in compared.items():
            yield comparison, variant, found


def group_of(name: str) -> dict:
    """Return what was measured of a group."""
    assert name in MEASURED, f"make bench ONLY={name}"
    return MEASURED[name]


@each_group
def test_each_group_was_measured_on_the_real_data(name):
    group = group_of(name)
    assert group["source"] in ("mirror", "cloud")
    assert group["command"] == f"make bench ONLY={name}"
    assert group["rounds"] >= 1
    assert {"cores", "cpu", "memory_gb", "versions"} <= set(group["machine"])
    assert all(
        group["baseline"] in compared
        for compared in group["comparisons"].values()
    )


@each_group
def test_medians_lie_within_their_spread(name):
    group = group_of(name)
    spreads = list(group["derived"].values())
    for _, variant, found in variants(group):
        for cost in found["costs"].values():
            spreads.append(cost["value"])
            if ratio := cost["ratio"]:
                spreads.append(ratio)
                if variant == group["baseline"]:
                    assert set(ratio.values()) == {1}
    assert spreads
    for found in spreads:
        assert found["low"] <= found["median"] <= found["high"]


@each_group
def test_all_variants_gave_the_same_answer(name):
    for compared in group_of(name)["comparisons"].values():
        agreed = {}
        for found in compared.values():
            for question, value in found["answer"].items():
                assert agreed.setdefault(question, value) == value


def test_the_answers_are_those_of_the_atlas():
    counts = {
        comparison: found["answer"].get("RSP voxels")
        for name in ("structures", "size")
        for comparison, _, found in variants(group_of(name))
        if found["answer"]
    }
    assert counts.pop("10 µm") > 10_000_000
    expected = {"": 672_063, "25 µm": 672_063}
    assert counts == expected | {"50 µm": 83_858, "100 µm": 10_456}


@each_group
def test_targets_are_judged_by_what_was_measured(name):
    group = group_of(name)
    for target in group["targets"]:
        compared = group["comparisons"][target["comparison"]]
        cost = compared[target["variant"]]["costs"][target["cost"]]
        assert target["measured"] == cost[target["kind"]]["median"]
        assert target["met"] == (target["measured"] <= target["at_most"])


@each_group
def test_commands_name_what_exists(name):
    commands = run(["make"]).stdout
    assert "make bench" in commands
    for comparison, variant, found in variants(group_of(name)):
        python, file, *words = found["command"].split()
        assert python == "python"
        assert f"def {variant}(" in (ROOT / file).read_text()
        assert words == [variant, *comparison.split()]


@each_group
def test_page_shows_what_was_measured(name, site):
    html = (site / "benchmarks.html").read_text()
    page = BeautifulSoup(html, "html.parser").select_one("article").text
    group = group_of(name)
    for _, _, found in variants(group):
        assert found["what"] in page.replace("’", "'")
        assert found["command"] in page
    rst = (ROOT / "docs/benchmarks.rst").read_text()
    options = rst.split(f".. benchmark:: {name}\n")[1].split("\n\n")[0]
    columns = options.split(":costs:")[1].split(":")[0].split()
    for _, variant, found in variants(group):
        for column in columns:
            cost = found["costs"].get(column.split("+")[0])
            if cost:
                assert span(cost["value"]) in page
            if cost and cost["ratio"] and variant != group["baseline"]:
                assert f"× {span(cost['ratio'])}" in page
    told = page.split(group["command"])[1]
    assert group["date"] in told
    assert group["machine"]["cpu"] in told
    missed = [t for t in group["targets"] if not t["met"]]
    assert ("missed" in page) or not missed


def test_can_be_measured_again(tmp_path):
    """One round of one size: the answers of all variants agree."""
    program = (
        "import json, sys; sys.path.insert(0, 'tests/benchmarks')\n"
        "import rounds, size\n"
        "found = rounds.measure(size, 1, print, comparisons=['100 µm'])\n"
        "print(json.dumps(found))"
    )
    launch = [sys.executable, "docs/_ext/atlas_launch.py", sys.executable]
    done = run([*launch, "-c", program], "standin")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    compared = found["comparisons"]["100 µm"]
    assert set(compared) == {"whole", "rows", "chunks"}
    counted = {v: f["answer"]["RSP voxels"] for v, f in compared.items()}
    assert len(set(counted.values())) == 1
    assert min(counted.values()) > 0


def test_variants_that_disagree_are_an_error():
    sys.path.insert(0, str(ROOT / "tests/benchmarks"))
    from rounds import agree

    assert agree({"one": {"n": 2}, "other": {"n": 2, "m": 1}, "none": {}})
    with pytest.raises(ValueError, match="other says n = 3"):
        agree({"one": {"n": 2}, "other": {"n": 3}})
