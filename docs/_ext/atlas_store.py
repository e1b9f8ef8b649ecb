"""The objects that examples read: held in a folder, or fetched into one.

An *object* is one whole file of the cloud. Its name is its place in a folder:
``gin.g-node.org/a/b`` is ``https://gin.g-node.org/a/b`` and ``s3/bucket/key``
is ``s3://bucket/key``, also when it is asked for by its https address. Three
files in the folder describe the rest: ``SHA256SUMS`` (every object and its
digest), ``ABSENT`` (objects that the origin said do not exist) and
``COMPLETE`` (prefixes below which nothing is missing from the folder).

Absent is not the same as not held: zarr takes a missing chunk for background,
so an object that is merely not here must stop the reader, never look absent.
"""

import concurrent.futures
import contextlib
import dataclasses
import fcntl
import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import requests
import urllib3

S3_HOST = re.compile(r"(?P<bucket>[a-z0-9.-]+)\.s3(?:[.-][a-z0-9-]+)?\."
                     r"amazonaws\.com")  # fmt: skip
# The index of the bucket is the one object that is meant to change.
REVALIDATED = {"s3/brainglobe/atlas/atlases/last_versions.conf"}
# Where else to ask for an object that is pinned by its SHA-256, for the day
# its own host goes: {digest: (address, ...)}.
ALSO_AT: dict[str, tuple[str, ...]] = {}
RETRIED = {429, 500, 502, 503, 504}
# A word in what the libraries say of a failure, and what it means.
PLAINLY = {
    "resolve": "the name of its host is not found",
    "refused": "its host refuses the connection",
    "timed out": "its host says nothing (timed out)",
    "reset by peer": "its host broke the connection (reset)",
    "IncompleteRead": "the answer breaks off before its end",
}


class Absent(Exception):
    """The origin says that there is no such object."""


class Refused(Exception):
    """The object cannot be given; the message says why and the way out."""


class NotHeld(Refused):
    """The object may exist, but not here."""


class _Passing(Exception):
    """A failure that may be over at the next try."""

    def __init__(self, message: str, retry_after: float = 0):
        super().__init__(message)
        self.retry_after = retry_after


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one fetch may cost. Times in seconds."""

    connect: float = 5
    read: float = 10
    total: float = 300
    tries: int = 4
    backoff: float = 0.5
    max_bytes: int = 512 * 2**20


def object_name(url: str) -> str:
    """Return the name of the object at an ``https://`` or ``s3://`` address.

    Raises
    ------
    Refused
        For another scheme, a query, or a path that leaves its folder.
    """
    parts = urlsplit(url)
    host = S3_HOST.fullmatch(parts.netloc)
    if parts.scheme == "s3" or (parts.scheme == "https" and host):
        root = f"s3/{host['bucket'] if host else parts.netloc}"
    elif parts.scheme == "https":
        root = parts.netloc
    else:
        raise Refused(f"{url}: only https:// and s3:// addresses are read.")
    name = root + unquote(parts.path)
    segments = name.split("/")
    if (
        not parts.path
        or parts.query
        or parts.fragment
        or not name.isprintable()
        or {"", ".", ".."} & set(segments)
    ):
        raise Refused(f"{url}: not the plain address of one object.")
    return name


def address(name: str) -> str:
    """Return the address that a reader would use for an object."""
    return f"s3://{name[3:]}" if name[:3] == "s3/" else f"https://{name}"


def origin_url(name: str) -> str:
    """Return the https address that holds an object."""
    if name.startswith("s3/"):
        _, bucket, key = name.split("/", 2)
        return f"https://{bucket}.s3.amazonaws.com/{quote(key)}"
    host, path = name.split("/", 1)
    return f"https://{host}/{quote(path)}"


def sha256(content: bytes) -> str:
    """Return the hexadecimal SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def matches(content: bytes, pinned: str) -> bool:
    """Tell whether bytes have a digest written as pooch writes it."""
    algorithm, _, digest = pinned.rpartition(":")
    found = hashlib.new(algorithm or "sha256", content).hexdigest()
    return found == digest.lower()


def start(call, *arguments) -> concurrent.futures.Future:
    """Begin a call in a thread that nothing has to wait for.

    Unlike the threads of an executor, which Python joins before it exits.
    """
    future = concurrent.futures.Future()

    def work():
        try:
            future.set_result(call(*arguments))
        except Exception as problem:
            future.set_exception(problem)

    threading.Thread(target=work, daemon=True).start()
    return future


def _lines(path: Path) -> list[str]:
    # An empty line in COMPLETE would be a prefix of everything.
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if line]


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _rows(sums: dict[str, str]) -> list[str]:
    return [f"{digest}  {name}" for name, digest in sums.items()]


class Folder:
    """Objects in a folder, each one checked whenever it is read."""

    source = "mirror"
    way_out = "Copy the mirror again, or use ATLAS_SOURCE=cloud."

    def __init__(self, root: Path):
        self.root = Path(root)
        # What was asked for in vain.
        self.lacked: set[str] = set()
        self._load()
        # A row "| `name` s2 | **not the real one**: why. … |" of the table in
        # a mirror's README tells what it holds in place of the real thing;
        # a row that begins otherwise speaks for its own objects.
        self._said = [
            (set(re.findall("`(.+?)`", names)), re.findall(r"\bs\d\b", names),
             re.sub(r"[*`]", "", said).split(". ")[0])
            for names, said in re.findall(
                r"(?m)^\| (.+?) \| (.+?) \|$",
                "\n".join(_lines(self.root / "README.md")),
            )
        ]  # fmt: skip

    def caveat_of(self, name: str) -> str | None:
        """Return what the folder says that an object is not, if anything."""
        # "s3" at its beginning is no level.
        parts = set(name.split("/")[1:])
        about = [
            f"{' '.join([*sorted(names), *levels])} is {said}"
            for names, levels, said in self._said
            if names & parts and (not levels or parts & set(levels))
        ]
        caveats = [line for line in about if " is not " in line]
        # What describes an array is right even if its voxels are not.
        if len(caveats) < len(about) or name.endswith("/zarr.json"):
            return None
        return caveats[0] if caveats else None

    def _load(self) -> None:
        # What is said to be absent is read first and set last: another
        # process or thread may add objects meanwhile, and they must not look
        # absent for a moment.
        absent = set(_lines(self.root / "ABSENT"))
        complete = tuple(_lines(self.root / "COMPLETE"))
        rows = [s.split(maxsplit=1) for s in _lines(self.root / "SHA256SUMS")]
        if wrong := [row for row in rows if len(row) != 2]:
            raise Refused(
                f"{self.root / 'SHA256SUMS'} has a line {wrong[0]} instead of "
                f"a digest and a name. {self.way_out}"
            )
        self.sums = {name.removeprefix("*"): digest for digest, name in rows}
        self.absent, self.complete = absent, complete

    def is_absent(self, name: str) -> bool:
        """Tell whether an object is known not to exist."""
        said = name in self.absent or name.startswith(self.complete)
        return said and name not in self.sums

    def read(self, name: str, pinned: str | None = None) -> bytes:
        """Return an object's bytes, of the recorded digest.

        ``pinned`` is the digest that an example asks for. A mirror may hold
        another copy of the same data, so that only the cloud insists on it.

        Raises
        ------
        Absent
            There is no such object.
        NotHeld
            There may be, but not in this folder.
        Refused
            What is held is damaged.
        """
        expected = self.sums.get(name)
        if expected is None:
            if self.is_absent(name):
                raise Absent(f"{address(name)} does not exist.")
            self.lacked.add(name)
            raise NotHeld(
                f"{address(name)} is not held by the {self.source}, which "
                "does not say either that it does not exist. "
                f"{self.way_out}"
            )
        try:
            content = (self.root / name).read_bytes()
            found = sha256(content)
        except OSError as problem:
            found = f"none ({problem.strerror})"
        if found != expected:
            raise Refused(
                f"{address(name)} is damaged in the {self.source}: expected "
                f"SHA-256 {expected}, found {found}. {self.way_out}"
            )
        return content

    def sizes_below(self, prefix: str) -> dict[str, int]:
        """Return the size, in bytes, of the objects below a prefix.

        Raises
        ------
        NotHeld
            The folder does not know all of them.
        """
        names = sorted(name for name in self.sums if name.startswith(prefix))
        none = not names and self.is_absent(prefix.rstrip("/"))
        if not none and not prefix.startswith(self.complete):
            self.lacked.add(prefix)
            raise NotHeld(
                f"{address(prefix)} cannot be listed: the {self.source} does "
                "not know every key below it. Read objects by their names."
            )
        return {name: (self.root / name).stat().st_size for name in names}

    @contextlib.contextmanager
    def _locked(self, name: str):
        """Hold the folder against everybody else, to put an object into it.

        Raises
        ------
        Refused
            The folder cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with open(self.root / ".lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._load()
                yield
        except OSError as problem:
            raise Refused(
                f"{address(name)} cannot be kept in {self.root}: {problem}. "
                "Make room there, or set ATLAS_CACHE to another folder."
            ) from problem

    def _write(self, name: str, content: bytes) -> None:
        """Write a file of the locked folder: whole, or not at all."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # One name is enough under the lock, and what an interrupted process
        # left there is written over.
        partial = self.root / ".partial"
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)


class StandIn(Folder):
    """The synthetic atlas; a part of it is made when it is first asked for."""

    source = "stand-in"
    way_out = "Delete the folder .cache/standin, and it is made again."

    def __init__(self, root: Path):
        # It imports zarr, which nobody waits for who reads real data.
        import atlas_standin

        self._maker = atlas_standin
        self.version = atlas_standin.VERSION
        super().__init__(Path(root, self.version))

    def read(self, name: str, pinned: str | None = None) -> bytes:
        """Return an object's bytes; see `Folder.read`."""
        try:
            return super().read(name)
        except NotHeld:
            part = self._maker.part_of(name)
            if part is None:
                raise NotHeld(
                    f"{address(name)} has no stand-in. Use the network, or "
                    "a mirror that holds it (ATLAS_SOURCE=directory)."
                ) from None
        with self._locked(name):
            if name not in self.sums and not self.is_absent(name):
                self._make(part)
        return super().read(name)

    def _make(self, part: str) -> None:
        made = self.root / ".making"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        complete = self._maker.write_part(part, made, self.root / ".work")
        sums = dict(self.sums)
        for path in sorted(p for p in made.rglob("*") if p.is_file()):
            name = str(path.relative_to(made))
            sums[name] = sha256(path.read_bytes())
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, self.root / name)
        self._write("SHA256SUMS", _text(_rows(sums)))
        self._write("COMPLETE", _text([*self.complete, *complete]))
        self._load()


class Cloud(Folder):
    """The real hosts, and a folder that keeps what was fetched from them."""

    source = "cloud"
    way_out = "Try again with the network, or see ATLAS_SOURCE in README.md."

    def __init__(
        self, root: Path, origin=origin_url, limits: Limits | None = None
    ):
        super().__init__(root)
        self._origin = origin
        self._limits = limits or Limits()
        self._asked: set[str] = set()

    def answers(self, name: str) -> bool:
        """Tell whether the origin gives an object at once, held or not."""
        quick = dataclasses.replace(self._limits, read=5, total=8, tries=1)
        try:
            self._fetch_from(self._origin(name), name, None, quick)
        except (Refused, Absent):
            return False
        return True

    def read(self, name: str, pinned: str | None = None) -> bytes:
        """Return an object's bytes, fetched if they are not held.

        Raises
        ------
        Absent
            The origin says that there is no such object.
        Refused
            It cannot be had whole and verified, or it is not the one pinned,
            or it has changed since it was first fetched.
        """
        stale = name in REVALIDATED and name not in self._asked
        held = None
        with contextlib.suppress(Refused):
            held = super().read(name)
            if not stale and (not pinned or matches(held, pinned)):
                return held
        try:
            content = self._fetch(name, pinned)
        except (Absent, Refused) as problem:
            if stale and held is not None:
                content = held  # An old index is better than none.
            elif isinstance(problem, Absent):
                self._keep_absence(name)
                raise
            else:
                raise
        else:
            self._keep(name, content, pinned)
        self._asked.add(name)
        return content

    def _fetch(self, name: str, pinned: str | None) -> bytes:
        places = [self._origin(name)]
        if pinned:
            places += ALSO_AT.get(pinned.rpartition(":")[2].lower(), ())
        problems = []
        for place in places:
            try:
                content = self._fetch_from(place, name, pinned, self._limits)
            except Refused as problem:
                problems.append(str(problem))
                continue
            if not pinned or matches(content, pinned):
                return content
            problems.append(
                f"{place}: expected {pinned} as pinned in the example, found "
                f"sha256:{sha256(content)} ({len(content)} bytes)"
            )
        raise Refused(
            f"{address(name)} cannot be fetched: {'; '.join(problems)}. "
            f"{self.way_out}"
        )

    def _fetch_from(self, url, name, pinned, limits: Limits) -> bytes:
        """Ask one place, again after what may pass, until the deadline."""
        deadline = time.monotonic() + limits.total
        for attempt in range(limits.tries):
            wait = limits.backoff * 2**attempt
            try:
                return self._ask(url, name, pinned, limits, deadline)
            except _Passing as problem:
                failure = problem
                wait = max(wait, min(problem.retry_after, 30))
            except (
                requests.RequestException,
                urllib3.exceptions.HTTPError,
            ) as problem:
                failure = problem
            remaining = deadline - time.monotonic()
            if attempt == limits.tries - 1 or remaining < wait:
                break
            time.sleep(wait)
        said = str(failure)
        plain = [text for sign, text in PLAINLY.items() if sign in said]
        raise Refused(
            f"{url}: {[*plain, said][0]} (asked {attempt + 1} times)"
        )

    def _ask(self, url, name, pinned, limits, deadline) -> bytes:
        from_bucket = name.startswith("s3/") and not pinned
        with requests.Session() as session:
            session.max_redirects = 5
            with session.get(
                url,
                stream=True,
                timeout=(limits.connect, limits.read),
                # A login page is a redirect away, and only a digest tells.
                allow_redirects=bool(pinned),
                headers={"Accept-Encoding": "identity"},
            ) as answer:
                self._check_status(answer, name, from_bucket)
                length = answer.raw.length_remaining
                content = self._body(answer, length, limits, deadline)
        etag = answer.headers.get("ETag", "").strip('"')
        if from_bucket and not etag:
            raise Refused(f"{url}: no ETag, so the answer is not from S3")
        if from_bucket and re.fullmatch("[0-9a-f]{32}", etag):
            if hashlib.md5(content).hexdigest() != etag:
                raise _Passing(f"the bytes do not match the ETag {etag}")
        elif length is None and not pinned:
            raise Refused(f"{url}: neither length nor digest to check by")
        return content

    @staticmethod
    def _check_status(answer, name: str, from_bucket: bool) -> None:
        status = answer.status_code
        if status == 200:
            return
        if status in RETRIED:
            after = answer.headers.get("Retry-After", "")
            raise _Passing(
                f"status {status}", float(after) if after.isdigit() else 0
            )
        # S3 also says 404 for a bucket that does not exist, and other hosts
        # say it for anything.
        if from_bucket and status == 404:
            reason = answer.raw.read(2000)
            if b"<Code>NoSuchKey</Code>" in reason:
                raise Absent(f"{address(name)} does not exist (status 404).")
        raise Refused(f"{answer.url}: status {status} {answer.reason}")

    @staticmethod
    def _body(answer, length: int | None, limits, deadline: float) -> bytes:
        too_large = f"{answer.url}: larger than {limits.max_bytes} bytes"
        if (length or 0) > limits.max_bytes:
            raise Refused(too_large)
        content = bytearray()
        # read1 returns what has come, so that a drip cannot outlast the
        # deadline behind a buffer that is never full. It raises an error if
        # less comes than was announced.
        while part := answer.raw.read1(2**20):
            content += part
            if len(content) > limits.max_bytes:
                raise Refused(too_large)
            if time.monotonic() > deadline:
                raise Refused(
                    f"{answer.url}: only {len(content)} bytes came in "
                    f"{limits.total:g} s"
                )
        return bytes(content)

    def _keep(self, name: str, content: bytes, pinned: str | None) -> None:
        """Put an object into the folder and record its digest."""
        digest = sha256(content)
        with self._locked(name):
            recorded = self.sums.get(name, digest)
            may_change = pinned or name in REVALIDATED
            if recorded != digest and not may_change:
                raise Refused(
                    f"{address(name)} has changed at its origin: expected "
                    f"SHA-256 {recorded}, found {digest}. If the change is "
                    f"meant, delete {self.root}."
                )
            self._write(name, content)
            if self.sums.get(name) != digest:
                sums = self.sums | {name: digest}
                self._write("SHA256SUMS", _text(_rows(sums)))
                self.sums = sums

    def _keep_absence(self, name: str) -> None:
        """Record that an object does not exist, unless it once did."""
        with self._locked(name):
            if name in self.sums:
                raise Refused(
                    f"{address(name)} has gone from its origin: expected "
                    f"SHA-256 {self.sums[name]}, found none. {self.way_out}"
                )
            absent = self.absent | {name}
            self._write("ABSENT", _text(sorted(absent)))
            self.absent = absent


def write_mirror(folder: Folder, target: Path) -> None:
    """Copy everything a folder holds, checked, with its records."""
    target.mkdir(parents=True, exist_ok=True)
    # The records go first and come last: without them a half-made mirror is
    # none, and those of an older one would tell lies about it.
    for record in ("SHA256SUMS", "ABSENT", "COMPLETE"):
        (target / record).unlink(missing_ok=True)
    sums = {}
    for name in sorted(folder.sums):
        content = folder.read(name)
        sums[name] = sha256(content)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content)
    (target / "ABSENT").write_bytes(_text(sorted(folder.absent)))
    (target / "SHA256SUMS").write_bytes(_text(_rows(sums)))
