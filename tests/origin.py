"""Hosts on 127.0.0.1 that misbehave as told, and a project that reads them.

As a program it is the launcher of another project, whose every host is here:

    python tests/origin.py ROOT ORIGIN ARGUMENTS-OF-THE-LAUNCHER …
"""

import hashlib
import http.server
import itertools
import socket
import struct
import sys
import threading
from collections import Counter, defaultdict
from pathlib import Path

NO_SUCH_KEY = b"<Error><Code>NoSuchKey</Code></Error>"
# What an object holds, what it never held, and what it is pinned by.
RIGHT = bytes(range(256)) * 4
WRONG = RIGHT[:-1] + b"\0"
PIN = f"sha256:{hashlib.sha256(RIGHT).hexdigest()}"
# Stands for `atlas_standin.py` and makes one object, of given bytes.
STANDIN = """
VERSION = "tiny"
def part_of(name):
    return "table" if name == {name!r} else None
def write_part(part, folder, cache):
    path = folder / {name!r}
    path.parent.mkdir(parents=True)
    path.write_bytes({content!r})
    return []
"""


def nowhere(name: str) -> str:
    """Stand for `atlas_store.origin_url` where every connection fails."""
    return f"http://127.0.0.1:1/{name}"


class Origin(http.server.ThreadingHTTPServer):
    """Answers each object's name with the behaviour that ``at`` has for it.

    A behaviour is called with the handler of one request. What is not in
    ``at`` is a key that the bucket does not have.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = f"http://127.0.0.1:{self.server_port}"
        self.at = defaultdict(lambda: status(404, NO_SUCH_KEY))
        self.asked = Counter()
        self.over = threading.Event()

    def url(self, name: str) -> str:
        """Stand for `atlas_store.origin_url`."""
        return f"{self.root}/{name}"

    def __enter__(self):
        serve = threading.Thread(target=self.serve_forever, args=(0.01,))
        serve.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """Stay quiet when a reader hangs up, as it should."""


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path[1:]
        self.server.asked[name] += 1
        self.server.at[name](self)

    def log_message(self, *_):
        pass

    def answer(self, code: int, headers: dict, body: bytes = b"") -> None:
        self.send_response(code)
        for header, value in headers.items():
            self.send_header(header, str(value))
        self.end_headers()
        self.wfile.write(body)


def _as_s3(content: bytes) -> dict:
    etag = hashlib.md5(content).hexdigest()
    return {"Content-Length": len(content), "ETag": f'"{etag}"'}


def good(content: bytes, **headers):
    """Give the bytes as S3 does; a header of None is left out."""
    merged = _as_s3(content)
    merged |= {key.replace("_", "-"): v for key, v in headers.items()}
    given = {key: value for key, value in merged.items() if value is not None}
    return lambda handler: handler.answer(200, given, content)


LOGIN = good(b"<html>Please log in</html>", ETag=None)


def status(code: int, body: bytes = b"", **headers):
    """Answer with a status."""
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    return lambda handler: handler.answer(code, given, body)


def in_turn(*behaviours):
    """Behave differently each time, and as the last one from then on."""
    turns = itertools.chain(behaviours, itertools.repeat(behaviours[-1]))
    return lambda handler: next(turns)(handler)


def truncated(content: bytes):
    """Hang up half-way."""
    half = content[: len(content) // 2]
    return lambda handler: handler.answer(200, _as_s3(content), half)


def hang(handler) -> None:
    """Accept the connection, and nothing more."""
    handler.server.over.wait(60)


def hang_midway(content: bytes):
    """Give half of the bytes, and nothing more."""

    def behave(handler):
        truncated(content)(handler)
        hang(handler)

    return behave


def drip(content: bytes, pause: float):
    """Give a byte at a time."""

    def behave(handler):
        handler.answer(200, _as_s3(content))
        for byte in content:
            handler.wfile.write(bytes([byte]))
            if handler.server.over.wait(pause):
                break

    return behave


def late(content: bytes, seconds: float):
    """Give the right answer after a while."""

    def behave(handler):
        handler.server.over.wait(seconds)
        good(content)(handler)

    return behave


def reset(handler) -> None:
    """Break the connection without a goodbye."""
    now = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
    handler.rfile.close()
    handler.connection.close()


if __name__ == "__main__":
    # Last on the path: a test may put a stand-in of its own before it.
    sys.path.append(str(Path(__file__).parents[1] / "docs" / "_ext"))
    import atlas_launch
    from atlas_store import Cloud, Limits

    project, hosts, *arguments = sys.argv[1:]
    atlas_launch.ROOT = Path(project)
    atlas_launch.STANDIN = Path(project, "standin")
    limits = Limits(backoff=0.01)
    sys.exit(
        atlas_launch.main(
            arguments,
            lambda root: Cloud(root, lambda name: f"{hosts}/{name}", limits),
        )
    )
