"""Measure variants side by side: fresh processes, by turns, in rounds.

A *sample* is one run of a variant in a process of its own. In each round every
variant has its turn, and a ratio is formed within a round, to the sample of
the baseline that ran just before: what slows the machine for a while slows
both. Of the rounds the median is told, with the lowest and the highest.
"""

import contextlib
import io
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[2]
LABELS = (
    "brainglobe/atlas/annotation-sets/allen_mouse-annotation/3_0/"
    "annotations_compressed.ome.zarr"
)


def cell(page: str, phrase: str) -> CodeType:
    """Return the only cell of a page that has a phrase, as code to run."""
    path = ROOT / "examples" / page
    [found] = [c for c in path.read_text().split("# %%\n") if phrase in c]
    return compile(found, path, "exec")


def run(code: CodeType, names: dict) -> None:
    """Run a cell with some names, and keep to itself what it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, names)


def memory_mb(line: str, account: str = "/proc/self/status") -> float:
    """Return a line of an account that the kernel keeps (Linux), in MB."""
    text = Path(account).read_text()
    return int(re.search(rf"{line}:\s+(\d+) kB", text)[1]) * 1024 / 1e6


def timed(call: Callable, *arguments) -> tuple[object, float]:
    """Return what a call returns, and how long it took, in seconds."""
    begun = time.perf_counter()
    result = call(*arguments)
    return result, time.perf_counter() - begun


def measured(call: Callable, *arguments) -> tuple[object, dict[str, float]]:
    """Run a call for the first time and again; return its result and cost.

    The peak is that of the whole process; `above_imports_mb` leaves out what
    it had before, which is mostly the packages.
    """
    before_mb = memory_mb("VmRSS")
    result, first_s = timed(call, *arguments)
    peak_mb = memory_mb("VmHWM")
    again, repeated_s = timed(call, *arguments)
    assert again == result
    return result, {
        "first_s": first_s,
        "repeated_s": repeated_s,
        "memory_mb": peak_mb,
        "above_imports_mb": peak_mb - before_mb,
    }


def fetched(*um: int) -> dict:
    """Return where the files of the first page are, and copies of levels."""
    fetch = [sys.executable, Path(__file__).with_name("fetch.py")]
    done = subprocess.run(
        [*fetch, *map(str, um)], stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout)


def tell(answer: Mapping, costs: Mapping[str, float]) -> None:
    """Print a sample. Variants that answer one question must agree."""
    print(json.dumps({"answer": answer, "costs": costs}))


def sample(command: list[str]) -> dict:
    """Return what a fresh process tells.

    Raises
    ------
    RuntimeError
        It failed.
    """
    # What a variant prints comes first; its sample is the last line.
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def spread(values: list[float]) -> dict[str, float]:
    """Return the median of some values, the lowest and the highest."""
    return {
        "median": round(statistics.median(values), 4),
        "low": round(min(values), 4),
        "high": round(max(values), 4),
    }


def agree(answers: dict[str, dict]) -> dict:
    """Return the answers of all variants as one.

    Raises
    ------
    ValueError
        Two of them differ.
    """
    together = {}
    for variant, answer in answers.items():
        for question, value in answer.items():
            if together.setdefault(question, value) != value:
                raise ValueError(
                    f"{variant} says {question} = {value}, others say "
                    f"{together[question]}: {answers}"
                )
    return together


def compare(
    commands: dict[str, list[str]],
    baseline: str,
    rounds: int,
    say: Callable[[str], None],
) -> tuple[dict[str, dict], list[dict]]:
    """Run all variants by turns; return each one's result, and all samples."""
    taken = []
    for number in range(rounds):
        turn = {}
        for variant, command in commands.items():
            turn[variant] = sample(command)
            costs = turn[variant]["costs"]
            told = ", ".join(f"{name} {x:.4g}" for name, x in costs.items())
            say(f"round {number + 1} of {rounds}, {variant}: {told}")
        agree({variant: s["answer"] for variant, s in turn.items()})
        taken.append({variant: s["costs"] for variant, s in turn.items()})
        answers = {variant: s["answer"] for variant, s in turn.items()}
    results = {}
    for variant, command in commands.items():
        results[variant] = {
            "command": f"python {' '.join(command)}",
            "answer": answers[variant],
            "costs": {
                name: {
                    "value": spread([turn[variant][name] for turn in taken]),
                    "ratio": spread(
                        [
                            turn[variant][name] / turn[baseline][name]
                            for turn in taken
                        ]
                    )
                    if all(turn[baseline].get(name) for turn in taken)
                    else None,
                }
                for name in taken[0][variant]
            },
        }
    return results, taken


def machine() -> dict:
    """Return what the seconds depend on."""
    from importlib.metadata import version

    cpu = Path("/proc/cpuinfo").read_text()
    packages = ("numpy", "zarr", "numcodecs", "s3fs", "obstore", "distributed")
    packages += ("sphinx", "sphinx-gallery", "pydata-sphinx-theme")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": re.search(r"model name\s*: (.+)", cpu)[1],
        "memory_gb": round(memory_mb("MemTotal", "/proc/meminfo") / 1000),
        "versions": {"Python": sys.version.split()[0]}
        | {name: version(name) for name in packages},
    }


def measure(
    group: ModuleType, rounds: int, say: Callable, **only
) -> dict[str, object]:
    """Return the results of a group: one file with variants.

    Parameters
    ----------
    group : module
        Has `BASELINE`, `VARIANTS` (functions by name), `COMPARISONS` (what
        each is run with, in order) and `TARGETS`; may have `derive`.
    rounds : int
        How often each variant has its turn.
    """
    file = str(Path(group.__file__).relative_to(ROOT))
    comparisons, rows = {}, {}
    for name in only.get("comparisons", group.COMPARISONS):
        commands = {
            variant: [file, variant, *name.split()]
            for variant in group.VARIANTS
        }
        say(f"{file} {name}".strip())
        comparisons[name], rows[name] = compare(
            commands, group.BASELINE, rounds, say
        )
        for variant, result in comparisons[name].items():
            text = group.VARIANTS[variant].__doc__
            result["what"] = text.splitlines()[0]
    targets = []
    for name, variant, cost, kind, at_most in group.TARGETS:
        if name in comparisons:
            reached = comparisons[name][variant]["costs"][cost][kind]["median"]
            targets.append(
                {
                    "comparison": name,
                    "variant": variant,
                    "cost": cost,
                    "kind": kind,
                    "at_most": at_most,
                    "measured": reached,
                    "met": reached <= at_most,
                }
            )
    derive = getattr(group, "derive", lambda rows: {})
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": machine(),
        "command": f"make bench ONLY={Path(file).stem}",
        "rounds": rounds,
        "baseline": group.BASELINE,
        "comparisons": comparisons,
        "derived": derive(rows),
        "targets": targets,
    }
