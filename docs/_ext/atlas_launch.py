"""Run a command so that examples read their objects from the chosen source.

``ATLAS_SOURCE`` is ``cloud``, ``standin``, ``auto`` (the default), ``offline``
or the directory of a mirror. The command and its children find the real
addresses redirected to a server that lives as long as they do; see
``atlas_server``.

    python docs/_ext/atlas_launch.py [--example FILE] COMMAND …
    python docs/_ext/atlas_launch.py --mirror DIRECTORY
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from atlas_server import AtlasServer, Page
from atlas_store import (
    Cloud,
    Folder,
    Refused,
    StandIn,
    address,
    sha256,
    start,
    write_mirror,
)

REDIRECT = Path(__file__).parent / "redirect"
ROOT = Path(__file__).parents[2]
STANDIN = ROOT / ".cache" / "standin"
# The hosts that examples read: how an example names one, and a small object
# by which to see whether it answers.
HOSTS = {
    "gin.g-node.org": (
        ("https://gin.g-node.org/",),
        "gin.g-node.org/BrainGlobe/atlases-v2/raw/master/annotations/"
        "allen_mouse_v1/structures.csv",
    ),
    "s3/brainglobe": (
        ("s3://brainglobe/", "https://brainglobe.s3."),
        "s3/brainglobe/atlas/atlases/last_versions.conf",
    ),
}
# What would send s3fs past AWS_ENDPOINT_URL.
OVERRIDES = {
    "AWS_ENDPOINT_URL_S3",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "FSSPEC_S3_ENDPOINT_URL",
}


def say(message: str) -> None:
    """Print to standard error: standard output is the command's own."""
    print(f"atlas: {message}", file=sys.stderr, flush=True)


class Sources:
    """Which folder each host's objects are read from, decided once."""

    def __init__(self, source: str, cloud: Cloud, examples: list[Path]):
        self.cloud = cloud
        self._examples = examples
        if source == "auto":
            self._default = cloud
            self._stores = self._decide()
        elif source in ("cloud", "standin"):
            self._default = StandIn(STANDIN) if source == "standin" else cloud
            self._stores = {}
        else:
            self._default = self._mirror(Path(source))
            self._stores = {}
        self.describe()

    @property
    def lacked(self) -> list[str]:
        """Return what was asked for that a mirror does not hold."""
        return sorted(self._default.lacked)

    def store_of(self, name: str) -> Folder:
        """Return the folder from which an object is read."""
        for host, store in self._stores.items():
            if name.startswith(f"{host}/"):
                return store
        return self._default

    def summary(self) -> dict[str, str]:
        """Return what distinguishes the data of one build from another's."""
        stores = self._stores or {"all": self._default}
        return {host: self._identity(store) for host, store in stores.items()}

    def describe(self) -> None:
        """Say what was chosen."""
        if not self._stores:
            say(f"every object comes from the {self._default.source}")
        for host, store in self._stores.items():
            say(f"{address(host)} comes from the {store.source}")
            if store.source == "stand-in":
                say(
                    f"WARNING: {address(host)} does not answer, and the cache "
                    "does not hold what the examples read: SYNTHETIC DATA. "
                    "For the real thing connect to the network, or set "
                    "ATLAS_SOURCE to a mirror's directory."
                )

    def remember(self, page: Page) -> None:
        """Record what a page read, so that `auto` knows when it is held."""
        if page.name and not page.refused and page.sources == {"cloud"}:
            record = {
                "example": sha256((ROOT / page.name).read_bytes()),
                "objects": sorted(page.objects),
            }
            path = self._record_of(ROOT / page.name)
            # Without the record `auto` asks the host: a full cache will do.
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(record, indent=1))

    def _record_of(self, example: Path) -> Path:
        return self.cloud.root / "pages" / f"{example.stem}.json"

    def _decide(self) -> dict[str, Folder]:
        """Take each host that examples name from the cloud if it can be."""
        readers = {
            host: [
                example
                for example in self._examples
                if any(form in example.read_text() for form in forms)
            ]
            for host, (forms, _) in HOSTS.items()
        }
        readers = {host: found for host, found in readers.items() if found}
        # A name server that hangs must not hold us up.
        probes = {
            host: start(self.cloud.answers, HOSTS[host][1]) for host in readers
        }
        concurrent.futures.wait(probes.values(), timeout=10)
        return {
            host: self.cloud
            if (probe.done() and probe.result())
            or all(self._held(example) for example in readers[host])
            else StandIn(STANDIN)
            for host, probe in probes.items()
        }

    def _held(self, example: Path) -> bool:
        """Tell whether the cache has all that an example read last time."""
        try:
            record = json.loads(self._record_of(example).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        return record["example"] == sha256(example.read_bytes()) and all(
            name in self.cloud.sums and (self.cloud.root / name).exists()
            for name in record["objects"]
        )

    @staticmethod
    def _mirror(root: Path) -> Folder:
        if not (root / "SHA256SUMS").is_file():
            sys.exit(
                f"atlas: ATLAS_SOURCE={root} is not a mirror: it has no file "
                "SHA256SUMS. Use cloud, offline, standin, auto, or the "
                "directory that `make mirror DIR=…` wrote."
            )
        return Folder(root)

    @staticmethod
    def _identity(store: Folder) -> str:
        if store.source == "mirror":
            digest = sha256((store.root / "SHA256SUMS").read_bytes())
            return f"mirror {digest}"
        if store.source == "stand-in":
            return f"stand-in {store.version}"
        return store.source


def environment(server: AtlasServer, sources: Sources, pooch: str) -> dict:
    """Return the environment in which real addresses lead to the server."""
    env = {n: v for n, v in os.environ.items() if n not in OVERRIDES}
    paths = [str(REDIRECT), env.get("PYTHONPATH")]
    direct = ["127.0.0.1", env.get("NO_PROXY") or env.get("no_proxy")]
    direct = ",".join(filter(None, direct))
    return env | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "NO_PROXY": direct,
        "no_proxy": direct,
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ALLOW_HTTP": "true",
        "ATLAS_SERVER": server.url,
        "ATLAS_POOCH": pooch,
        "ATLAS_SOURCES": json.dumps(sources.summary()),
    }


def run(command: list[str], sources: Sources, example: str = "") -> int:
    """Run a command with the server beside it; return its exit status."""
    with (
        tempfile.TemporaryDirectory(prefix="atlas-pooch-") as pooch,
        AtlasServer(sources.store_of, on_page=sources.remember) as server,
    ):
        server.turn_to(example)
        env = environment(server, sources, pooch)
        with subprocess.Popen(command, env=env) as child:
            # A cancelled job ends the launcher; the command ends with it.
            before = signal.signal(
                signal.SIGTERM, lambda *_: child.terminate()
            )
            status = None
            while status is None:
                with contextlib.suppress(KeyboardInterrupt):
                    status = child.wait()
            signal.signal(signal.SIGTERM, before)
        if status == 0:
            server.turn_to("")
    # As a shell says that a signal ended it.
    return status if status >= 0 else 128 - status


def run_offline(command: list[str], cloud: Cloud, example: str = "") -> int:
    """Run from what was fetched before, or all again from the stand-in."""
    if cloud.sums:
        held = Sources(str(cloud.root), cloud, [])
        status = run(command, held, example)
        if status == 0 or not held.lacked:
            return status
        say(f"{cloud.root} lacks {', '.join(map(address, held.lacked))}")
    say("WARNING: not all was fetched before that is read: SYNTHETIC DATA.")
    return run(command, Sources("standin", cloud, []), example)


def main(argv: list[str], make_cloud: Callable = Cloud) -> int:
    """Parse the command line; ``make_cloud`` lets tests stand for hosts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--example", default="")
    parser.add_argument("--mirror", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args(argv)
    if not asked.mirror and not asked.command:
        parser.error("say a COMMAND to run, or --mirror DIRECTORY")
    every = sorted((ROOT / "examples").rglob("*.py"))
    cache = Path(os.environ.get("ATLAS_CACHE") or ROOT / ".cache" / "atlas")
    cloud = make_cloud(cache)
    if asked.mirror:
        sources = Sources("cloud", cloud, every)
        for example in every:
            name = str(example.relative_to(ROOT))
            if status := run([sys.executable, example], sources, name):
                return status
        write_mirror(cloud, asked.mirror)
        say(f"{asked.mirror} holds {len(cloud.sums)} objects")
        return 0
    source = os.environ.get("ATLAS_SOURCE") or "auto"
    examples = [ROOT / asked.example] if asked.example else every
    if source == "offline":
        return run_offline(asked.command, cloud, asked.example)
    return run(asked.command, Sources(source, cloud, examples), asked.example)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as problem:
        sys.exit(f"atlas: {problem}")
