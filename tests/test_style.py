"""The rules of the house that a program can check."""

import ast
import re
import subprocess
import sys
import tomllib
import warnings

import pytest
import yaml
from conftest import EXAMPLES, ROOT, each_example, run

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BASE = {
    re.match(r"[\w-]+", requirement)[0]: requirement
    for requirement in PYPROJECT["project"]["dependencies"]
}
HEADER = re.compile(r"\A# /// script\n((?:# .*\n)+)# ///\n")
TAGS = re.compile(r"(?m)^# sphinx_gallery_tags = .*\n\n")
# What a package is imported as, where its name differs.
DISTRIBUTIONS = {"DracoPy": "dracopy", "skimage": "scikit-image"}


def header(text: str) -> dict:
    """Return the PEP 723 header of an example."""
    lines = HEADER.match(text)[1].splitlines()
    return tomllib.loads("\n".join(line[2:] for line in lines))


def cells(text: str) -> list[str]:
    """Return the cells of an example, the first with its docstring."""
    return re.split(r"(?m)^# %%\n", HEADER.sub("", text))


def code_lines(cell: str) -> list[str]:
    """Return the lines of a cell that are neither empty nor comment."""
    lines = [line for line in cell.splitlines() if line.strip()]
    return [line for line in lines if not line.startswith("#")]


@each_example
def test_header_lists_what_is_imported(example):
    text = example.read_text()
    declared = header(text)
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
        )
    } - sys.stdlib_module_names
    needed = {DISTRIBUTIONS.get(name, name) for name in imported}
    needed |= {"s3fs"} if "s3://" in text else set()
    needed |= {"tqdm"} if "progressbar=True" in text else set()
    names = [re.match(r"[\w-]+", r)[0] for r in declared["dependencies"]]
    assert names == sorted(needed)
    for name, requirement in zip(names, declared["dependencies"], strict=True):
        assert requirement == BASE.get(name, requirement)
    floor = PYPROJECT["project"]["requires-python"].split(",")[0]
    assert declared["requires-python"] == floor


@each_example
def test_example_is_a_plain_program(example):
    tree = ast.parse(example.read_text())
    forbidden = (ast.ClassDef, ast.Try, ast.Global, ast.AsyncFunctionDef)
    assert not [n for n in ast.walk(tree) if isinstance(n, forbidden)]
    for word in ("os.environ", "getenv", "__file__", "sys.path", "sys.exit"):
        assert word not in example.read_text()
    imports = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    first_cell = example.read_text().index("\n# %%\n")
    assert max(imports) <= example.read_text()[:first_cell].count("\n") + 1
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    for function in functions:
        assert function.end_lineno - function.lineno < 12
        assert example.read_text().count(f"{function.name}(") >= 3


@each_example
def test_example_has_the_anatomy(example):
    text = example.read_text()
    docstring = ast.get_docstring(ast.parse(text))
    title, underline, _, subtitle, *rest = docstring.splitlines()
    assert len(title) <= 50
    assert set(underline) == {"="}
    assert len(underline) == len(title)
    for word in example.stem.split("_"):
        assert word in title.lower()
    assert len(subtitle) <= 79
    assert subtitle.endswith((".", "?"))
    assert len([line for line in rest if line]) <= 8
    code = [cell for cell in cells(text)[1:] if code_lines(cell)]
    assert 4 <= len(code) <= 9
    assert sorted(len(code_lines(c)) for c in code)[len(code) // 2] <= 12
    assert len(TAGS.sub("", HEADER.sub("", text)).splitlines()) <= 180
    assert ".. seealso::" in cells(text)[-1]
    assert "plt.show()" in text
    widths = re.findall(r"figsize=\(([\d.]+)", text)
    assert all(float(width) <= 7.2 for width in widths)
    assert text.count("fig.alt = ") == len(re.findall(r"plt\.show\(\)", text))


@each_example
def test_example_uses_the_words_of_the_glossary(example):
    foreign = r"(?i)pixel|pyramid|parcellation|label image|brain region"
    assert re.findall(foreign, example.read_text()) == []


def test_each_section_has_a_header_that_says_something():
    for folder in {example.parent for example in EXAMPLES}:
        text = (folder / "GALLERY_HEADER.rst").read_text()
        assert text.count(".") >= 2, f"{folder.name}: 2 to 4 sentences"


def test_configuration_is_values_only():
    tree = ast.parse((ROOT / "docs/conf.py").read_text())
    logic = (ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.If, ast.For)
    assert not [n for n in ast.walk(tree) if isinstance(n, logic)]


def test_lock_names_versions_and_hashes_and_no_host():
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index" not in lock
    assert "--find-links" not in lock
    pins = re.findall(r"(?m)^([\w.-]+)==", lock)
    assert set(BASE) <= set(pins)
    for pin in re.split(r"(?m)^(?=\w)", lock)[1:]:
        assert "--hash=sha256:" in pin, pin.splitlines()[0]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_lock_serves_each_python(python, tmp_path):
    """Of every package that this Python needs, the lock has one version."""
    from packaging.markers import Marker

    lock = (ROOT / "requirements.lock").read_text()
    chosen = []
    for line in re.findall(r"(?m)^[\w.-]+==.*", lock):
        pin, _, marker = line.rstrip(" \\").partition(" ; ")
        where = {
            "python_full_version": f"{python}.5",
            "python_version": python,
            "sys_platform": "linux",
            "platform_system": "Linux",
        }
        if not marker or Marker(marker).evaluate(where):
            chosen.append(pin.split("==")[0])
    assert len(chosen) == len(set(chosen))
    assert {*BASE, "sphinx", "sphinx-gallery", "pytest"} <= set(chosen)


def test_make_alone_prints_every_target():
    done = run(["make"])
    makefile = (ROOT / "Makefile").read_text()
    [phony] = re.findall(r"(?m)^\.PHONY: (.*)", makefile)
    for target in phony.split():
        assert re.search(rf"(?m)^{target} +\w", done.stdout), target


@pytest.mark.parametrize("target", ["one", "changed", "run", "mirror"])
def test_make_says_which_variable_is_missing(target):
    done = run(["make", target])
    assert done.returncode != 0
    assert f"as in: make {target} " in done.stderr


def test_nothing_generated_is_tracked_and_the_tree_is_the_design_s():
    tracked = run(["git", "ls-files"]).stdout.split()
    if not tracked:
        warnings.warn("not a git checkout", stacklevel=1)
        return
    top = {path.split("/")[0] for path in tracked}
    assert {name for name in top if not name.startswith(".")} == {
        *("docs", "examples", "tests", "pyproject.toml", "Makefile"),
        *("README.md", "LICENSE", "CITATION.cff", "requirements.lock"),
    }
    ignored = subprocess.run(
        ["git", "ls-files", "-ci", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ignored.stdout == ""


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / ".github/workflows").glob("*.yml")),
    ids=lambda path: path.stem,
)
def test_workflow_calls_make_and_is_pinned(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert "timeout-minutes" in job, name
        assert "permissions" in job, name
        for step in job["steps"]:
            if "run" in step:
                assert step["run"].startswith("make "), step["run"]
            else:
                assert re.search(r"@[0-9a-f]{40}$", step["uses"])
