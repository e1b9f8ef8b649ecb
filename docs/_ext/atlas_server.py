"""A server on 127.0.0.1 that gives examples their objects and counts them.

It answers as S3 does (``/bucket/key``) for zarr, and at ``/-/…`` for the
redirect of pooch and for the build:

``/-/resolve?url=…&hash=…``
    The local address and the SHA-256 of an ``https://`` object, as JSON.
``/-/https/host/path``
    That object.
``/-/page?name=…`` (POST)
    Starts to count for another page; returns what the last one read.
"""

import concurrent.futures
import dataclasses
import hashlib
import http.server
import json
import re
import sys
import threading
import traceback
import urllib.parse
from collections.abc import Callable
from xml.sax.saxutils import escape

from atlas_check import check
from atlas_store import (
    Absent,
    Folder,
    Refused,
    address,
    matches,
    object_name,
    sha256,
    start,
)

# A reader gives up on a connection after 10 s (the pages on the cloud say so)
# or s3fs's own 15, and asks again; it is told before that to come back.
PATIENCE_S = 8


@dataclasses.dataclass
class Page:
    """What was read for one page: bytes are those of the answers' bodies."""

    name: str = ""
    requests: int = 0
    bytes: int = 0
    objects: dict = dataclasses.field(default_factory=dict)
    refused: list = dataclasses.field(default_factory=list)

    @property
    def sources(self) -> set[str]:
        """Return where the objects of the page came from."""
        return {read["source"] for read in self.objects.values()}


class _Busy(Exception):
    """The object is still on its way."""


class AtlasServer(http.server.ThreadingHTTPServer):
    """Serve objects; ``store_of`` tells which folder an object is read from.

    Parameters
    ----------
    store_of : callable
        Takes an object's name and returns a `Folder`.
    patience : float
        Seconds to wait for an object before the reader is asked to come back.
    on_page : callable
        Takes the `Page` that ends when another begins.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        store_of: Callable[[str], Folder],
        patience: float = PATIENCE_S,
        on_page: Callable[[Page], None] = lambda page: None,
    ):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.page = Page()
        self._store_of = store_of
        self.patience = patience
        self._on_page = on_page
        self._lock = threading.Lock()
        self._pending: dict[tuple, concurrent.futures.Future] = {}

    def __enter__(self):
        # So long, in seconds, may `shutdown` have to wait for it.
        interval = 0.05
        threading.Thread(
            target=self.serve_forever, args=(interval,), daemon=True
        ).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def turn_to(self, name: str) -> Page:
        """Count for another page from now on; return the last one."""
        with self._lock:
            last, self.page = self.page, Page(name)
        self._on_page(last)
        return last

    def get(
        self,
        name: str,
        pinned: str | None = None,
        patience: float | None = None,
    ) -> bytes:
        """Return an object's bytes; readers of one object share one fetch."""
        store = self._store_of(name)
        key = (name, pinned)
        with self._lock:
            future = self._pending.get(key)
            if future is None:
                future = start(self._read, store, name, pinned)
                self._pending[key] = future
        try:
            content = future.result(patience)
        except TimeoutError:
            raise _Busy(f"{address(name)} is still on its way.") from None
        finally:
            # An outcome waits for the first reader that comes back for it.
            with self._lock:
                if future.done() and self._pending.get(key) is future:
                    del self._pending[key]
        read = {"sha256": sha256(content), "bytes": len(content)}
        read["source"] = store.source
        if pinned:
            read["as_pinned"] = matches(content, pinned)
        if caveat := store.caveat_of(name):
            read["caveat"] = caveat
        with self._lock:
            self._refuse_mixture(name, store)
            self.page.objects.setdefault(name, {}).update(read)
        return content

    @staticmethod
    def _read(store: Folder, name: str, pinned: str | None) -> bytes:
        content = store.read(name, pinned)
        check(name, content, store.read)
        return content

    def listing(self, prefix: str) -> dict[str, int]:
        """Return the names and sizes of the objects below a prefix."""
        return self._store_of(prefix).sizes_below(prefix)

    def _refuse_mixture(self, name: str, store: Folder) -> None:
        others = self.page.sources - {store.source}
        if others and "stand-in" in others | {store.source}:
            raise Refused(
                f"{address(name)} would come from the {store.source}, but "
                f"this page already read from the {' and '.join(others)}: "
                "real and synthetic data do not mix. Set ATLAS_SOURCE to one "
                "of cloud, standin or a mirror's directory."
            )

    def count(self, n_bytes: int) -> None:
        """Add one request and its answer's body to the page."""
        with self._lock:
            self.page.requests += 1
            self.page.bytes += n_bytes

    def handle_error(self, request, client_address):
        """Stay quiet when a reader hangs up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one packet each; waiting for more is a stall.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        # What is asked is answered only when it is known: a reader that hangs
        # up while it is sent is no refusal.
        try:
            answer = self._answer()
        except Absent as problem:
            answer = self._problem(404, "NoSuchKey", problem)
        except _Busy as problem:
            answer = self._problem(503, "SlowDown", problem)
        except Exception as problem:
            if not isinstance(problem, Refused):
                traceback.print_exc()
            self.server.page.refused.append(str(problem))
            answer = self._problem(409, "AtlasRefused", problem)
        self._send(*answer)

    do_HEAD = do_GET

    def do_POST(self):
        name = self.path.partition("?name=")[2]
        page = self.server.turn_to(urllib.parse.unquote_plus(name))
        self._send(200, json.dumps(dataclasses.asdict(page)).encode())

    def _answer(self) -> tuple:
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        if path == "/-/resolve":
            return self._resolve(asked["url"], asked.get("hash"))
        if path.startswith("/-/https/"):
            return self._object(object_name(f"https://{path[9:]}"))
        if "list-type" in asked:
            return self._listing(path.strip("/"), asked.get("prefix", ""))
        return self._object(object_name(f"s3:/{path}"))

    def _resolve(self, url: str, pinned: str | None) -> tuple:
        """Tell pooch's redirect where an object is and how to check it."""
        name = object_name(url)
        try:
            content = self.server.get(name, pinned or None)
        except Absent as problem:
            raise Refused(str(problem)) from None
        kind, _, rest = name.partition("/")
        local = f"/{rest}" if kind == "s3" else f"/-/https/{name}"
        answer = {
            "url": self.server.url + urllib.parse.quote(local),
            "sha256": sha256(content),
        }
        return 200, json.dumps(answer).encode()

    def _object(self, name: str) -> tuple:
        content = self.server.get(name, patience=self.server.patience)
        size = len(content)
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": f'"{hashlib.md5(content).hexdigest()}"',
            "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT",
        }
        status = 200
        asked = self.headers.get("Range", "")
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
        if wanted and any(wanted.groups()):
            first, last = wanted.groups()
            begin = int(first) if first else max(0, size - int(last))
            end = min(int(last) + 1, size) if first and last else size
            if begin >= end:
                status, content = self._problem(
                    416, "InvalidRange", f"{address(name)}: {size} bytes"
                )
                return status, content, {"Content-Range": f"bytes */{size}"}
            status, content = 206, content[begin:end]
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
        self.server.count(0 if self.command == "HEAD" else len(content))
        return status, content, headers

    def _listing(self, bucket: str, prefix: str) -> tuple:
        """Answer ListObjectsV2: s3fs asks it when a key does not exist."""
        top = f"s3/{bucket}/"
        sizes = self.server.listing(top + prefix)
        contents = "".join(
            f"<Contents><Key>{escape(name.removeprefix(top))}</Key>"
            f"<Size>{size}</Size></Contents>"
            for name, size in sizes.items()
        )
        body = (
            f"<ListBucketResult><Name>{escape(bucket)}</Name>"
            f"<KeyCount>{len(sizes)}</KeyCount>{contents}</ListBucketResult>"
        )
        self.server.count(0)
        return 200, body.encode()

    def _problem(self, status: int, code: str, problem) -> tuple:
        self.server.count(0)
        if status == 409 and self.command == "HEAD":
            # Its answer cannot carry the message. One byte is promised, so
            # that the reader asks for it with GET, and is told then.
            return 200, b"?"
        if self.path.startswith("/-/"):
            return status, str(problem).encode()
        body = (
            f"<Error><Code>{code}</Code>"
            f"<Message>{escape(str(problem))}</Message></Error>"
        )
        return status, body.encode()

    def _send(self, status: int, body: bytes, headers=None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
