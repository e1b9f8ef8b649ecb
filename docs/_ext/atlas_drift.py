"""Ask the hosts whether they still give what the published site was made from.

    python docs/_ext/atlas_drift.py [LIST]

LIST is the ``_data.sha256`` of a site, as a file or an address; else that of
the site that is published. Every object in it is fetched again and compared,
but the index, which is meant to change: the versions that pages read are
compared with those that the index and its manifests name now. Each difference
is a line; the exit status says whether there is one.
"""

import configparser
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import requests
from atlas_launch import HOSTS, ROOT
from atlas_store import (
    REVALIDATED,
    Absent,
    Cloud,
    Refused,
    address,
    sha256,
)
from gallery_address import find_repository, find_site

[INDEX] = REVALIDATED
ATLASES = INDEX.rpartition("/atlases/")[0]
# "/kind/component/version", as manifests name it and addresses hold it.
COMPONENT = re.compile(r"/([a-z-]+/[\w-]+)/([\w.]+)(?:/|$)")


def listed(text: str) -> dict[str, str]:
    """Return the digests of the objects that a list names.

    Raises
    ------
    ValueError
        It is no such list, or an empty one.
    """
    rows = re.findall(r"(?m)^([0-9a-f]{64})  (\S+)$", text)
    if not rows or len(rows) != len(text.splitlines()):
        raise ValueError("not a list of objects and their digests")
    return {name: digest for digest, name in rows}


def changed(cloud: Cloud, objects: dict[str, str]) -> list[str]:
    """Return what the hosts no longer give as it was."""
    found, silent = [], set()
    for host, (_, probe) in HOSTS.items():
        # Once, and not for each object of the host until a time limit ends.
        if not cloud.answers(probe):
            silent.add(f"{host}/")
            found.append(f"{address(host)} does not answer")
    for name, digest in objects.items():
        if name.startswith(tuple(silent)):
            continue
        try:
            now = sha256(cloud.read(name))
        except Absent:
            found.append(f"{address(name)} has gone")
        except Refused as problem:
            found.append(str(problem))
        else:
            if now != digest and name != INDEX:
                found.append(
                    f"{address(name)} has changed: it was {digest}, and is "
                    f"{now}"
                )
    return found


def superseded(cloud: Cloud, objects: dict[str, str]) -> list[str]:
    """Return what pages read in a version that no manifest names any more."""
    index = configparser.ConfigParser()
    index.optionxform = str
    current, found = defaultdict(set), []
    try:
        index.read_string(cloud.read(INDEX).decode())
        entries = index["atlases"].items()
    except (Absent, Refused, ValueError, KeyError, configparser.Error) as no:
        reason = " ".join(str(no).split())
        return [f"{address(INDEX)} cannot be read: {reason}"]
    for entry, version in entries:
        place = f"/atlases/{entry}/{version.replace('.', '_')}/manifest.json"
        try:
            manifest = cloud.read(ATLASES + place).decode()
        except (Absent, Refused, ValueError) as problem:
            found.append(f"{entry} {version} has no manifest: {problem}")
            continue
        for location in re.findall(r'"location": *"([^"]+)"', manifest):
            for component, now in COMPONENT.findall(location)[:1]:
                current[component].add(now)
    read = {
        named
        for name in objects
        for named in COMPONENT.findall(name.removeprefix(ATLASES))[:1]
        if name.startswith(ATLASES)
    }
    return found + [
        f"{component}: pages read {version}, the manifests name "
        f"{' and '.join(sorted(current[component])) or 'none'}"
        for component, version in sorted(read)
        if version not in current[component]
    ]


def text_of(place: str) -> str:
    """Return the text of a file or of an address.

    Raises
    ------
    OSError
        It cannot be had.
    """
    if not place.startswith(("http://", "https://")):
        return Path(place).read_text()
    answer = requests.get(place, timeout=30)
    answer.raise_for_status()
    return answer.text


def main(place: str = "", make_cloud: Callable = Cloud) -> int:
    """Print every difference; return the exit status."""
    if not place:
        site = find_site(find_repository(ROOT))
        place = f"{site}_data.sha256" if site else "LIST"
    try:
        objects = listed(text_of(place))
    except (OSError, ValueError) as problem:
        print(f"{place}: {problem}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="atlas-drift-") as folder:
        cloud = make_cloud(Path(folder))
        found = changed(cloud, objects)
        found += superseded(cloud, objects)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(objects)} objects, {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
