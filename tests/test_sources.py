"""Where the bytes come from: right bytes or a clear refusal, never between.

Nothing is imitated but the hosts, which are on 127.0.0.1 and misbehave as
`origin` tells them to: sockets, folders, processes, s3fs and pooch are real.
"""

import contextlib
import hashlib
import http.client
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import atlas_store
import origin as host
import pytest
import requests
from atlas_server import AtlasServer
from atlas_store import (
    ALSO_AT,
    REVALIDATED,
    Absent,
    Cloud,
    Folder,
    Limits,
    NotHeld,
    Refused,
    address,
    object_name,
    sha256,
    start,
)
from folders import flip_bit, objects_in, passes_sha256sum, write_folder
from origin import LOGIN, PIN, RIGHT, WRONG, nowhere

EXT = Path(atlas_store.__file__).parent
LIMITS = Limits(
    connect=1, read=1, total=3, tries=4, backoff=0.01, max_bytes=10_000
)
# Longer than any of these waits, and no promise of speed.
HANG_S = 10
[INDEX] = REVALIDATED
KEY = "s3/brainglobe/atlas/a/key"
FILE = "gin.g-node.org/BrainGlobe/a.csv"


@pytest.fixture
def cloud(origin, tmp_path):
    return Cloud(tmp_path / "cache", origin.url, LIMITS)


def python(program: str, *arguments, env=None) -> subprocess.Popen:
    """Start a program that can import the store."""
    env = os.environ | {"PYTHONPATH": str(EXT)} | (env or {})
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


# The network: how it fails is in test_faults --------------------------------

GIVEN = {
    "key": (host.good(RIGHT), KEY, None),
    "key in parts": (host.good(RIGHT, ETag='"ab-2"'), KEY, None),
    "empty key": (host.good(b""), KEY, None),
    "file": (host.good(RIGHT, ETag=None), FILE, None),
    "pinned, no length": (
        host.good(RIGHT, ETag=None, Content_Length=None), FILE, PIN,
    ),
    "pinned, redirected": (host.status(302, Location="/right"), FILE, PIN),
    "pinned by MD5": (
        host.good(RIGHT), FILE, f"md5:{hashlib.md5(RIGHT).hexdigest()}",
    ),
    "pinned without an algorithm": (host.good(RIGHT), FILE, PIN[7:].upper()),
}  # fmt: skip


def table(cases: dict, names: str):
    """Test each case by its name."""
    return pytest.mark.parametrize(names, cases.values(), ids=cases)


@table(GIVEN, "behaviour, name, pinned")
def test_a_good_answer_is_given_and_kept(
    origin, cloud, behaviour, name, pinned
):
    origin.at[name] = behaviour
    content = cloud.read(name, pinned)
    assert content in (RIGHT, b"")
    assert origin.asked[name] == 1
    assert Cloud(cloud.root, nowhere, LIMITS).read(name, pinned) == content


def test_wrong_bytes_are_told_by_both_digests(origin, cloud):
    origin.at[FILE] = host.good(WRONG)
    with pytest.raises(Refused) as refusal:
        cloud.read(FILE, PIN)
    expected, found = re.findall(r"[0-9a-f]{64}", str(refusal.value))
    assert (expected, found) == (sha256(RIGHT), sha256(WRONG))
    assert origin.asked[FILE] == 1


def test_a_host_is_given_the_time_it_asks_for(origin, cloud):
    busy = host.status(429, Retry_After=1)
    origin.at[KEY] = host.in_turn(busy, host.good(RIGHT))
    began = time.monotonic()
    assert cloud.read(KEY) == RIGHT
    assert time.monotonic() - began >= 1


def test_an_absent_key_is_asked_for_once(origin, cloud):
    for _ in range(2):
        with pytest.raises(Absent):
            cloud.read(KEY)
    with pytest.raises(Absent):
        Cloud(cloud.root, nowhere, LIMITS).read(KEY)
    assert origin.asked[KEY] == 1
    assert (cloud.root / "ABSENT").read_text() == f"{KEY}\n"


def test_another_address_gives_what_is_pinned(origin, cloud, monkeypatch):
    monkeypatch.setitem(ALSO_AT, sha256(RIGHT), (origin.url("right"),))
    origin.at[FILE] = host.status(410)
    assert cloud.read(FILE, PIN) == RIGHT
    with pytest.raises(Refused):
        cloud.read(FILE.replace("a.csv", "b.csv"))


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (host.good(RIGHT), True),
        (host.status(403), False),
        (host.status(404, host.NO_SUCH_KEY), False),
        (LOGIN, False),
    ],
)
def test_a_host_answers_if_it_gives_the_object(
    origin, cloud, behaviour, expected
):
    origin.at[KEY] = behaviour
    assert cloud.answers(KEY) is expected


# Names ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://bucket/a/b", "s3/bucket/a/b"),
        ("https://bucket.s3.us-west-2.amazonaws.com/a/b", "s3/bucket/a/b"),
        ("https://bucket.s3.amazonaws.com/a%20b", "s3/bucket/a b"),
        ("https://gin.g-node.org/a/b%25c", "gin.g-node.org/a/b%c"),
    ],
)
def test_an_address_names_one_object(url, name):
    assert object_name(url) == name


@pytest.mark.parametrize(
    "url",
    [
        "http://gin.g-node.org/a", "file:///etc/passwd", "/etc/passwd",
        "s3://bucket", "s3://bucket/", "s3://bucket/a/", "s3://bucket//a",
        "s3://bucket/../a", "s3://../a", "https://../a", "https:///a",
        "https://host/%2e%2e/a", "https://host/a%2F..%2Fb", "s3://b/a%0Ab",
        "https://host/a?version=1", "https://host/a#part", "s3://b/a%00",
    ],
)  # fmt: skip
def test_nothing_else_is_an_address(url):
    with pytest.raises(Refused, match=re.escape(url)):
        object_name(url)


# Keeping -------------------------------------------------------------------


def test_what_was_fetched_needs_no_network_again(origin, cloud):
    objects = {KEY: RIGHT, FILE: WRONG}
    for name, content in objects.items():
        origin.at[name] = host.good(content)
        cloud.read(name)
    later = Cloud(cloud.root, nowhere, LIMITS)
    assert {name: later.read(name) for name in objects} == objects
    assert passes_sha256sum(cloud.root)
    assert objects_in(cloud.root) == set(objects)


def test_a_change_at_the_origin_is_an_error(origin, cloud):
    origin.at[KEY] = host.good(RIGHT)
    cloud.read(KEY)
    (cloud.root / KEY).unlink()
    origin.at[KEY] = host.good(WRONG)
    with pytest.raises(Refused, match="has changed") as refusal:
        cloud.read(KEY)
    for part in (address(KEY), sha256(RIGHT), sha256(WRONG), "delete"):
        assert part in str(refusal.value)
    assert objects_in(cloud.root) == set()


def test_what_once_was_is_never_absent(origin, cloud):
    origin.at[KEY] = host.good(RIGHT)
    cloud.read(KEY)
    (cloud.root / KEY).unlink()
    del origin.at[KEY]
    with pytest.raises(Refused, match="has gone"):
        cloud.read(KEY)


def test_the_index_is_revalidated_once_a_build(origin, cloud):
    origin.at[INDEX] = host.good(RIGHT)
    cloud.read(INDEX)
    origin.at[INDEX] = host.good(WRONG)
    later = Cloud(cloud.root, origin.url, LIMITS)
    assert [later.read(INDEX), later.read(INDEX)] == [WRONG, WRONG]
    assert origin.asked[INDEX] == 2
    assert passes_sha256sum(cloud.root)


@pytest.mark.parametrize("gone", [host.status(404, host.NO_SUCH_KEY), None])
def test_an_old_index_is_better_than_none(origin, cloud, gone):
    origin.at[INDEX] = host.good(RIGHT)
    cloud.read(INDEX)
    origin.at[INDEX] = gone or host.status(500)
    later = Cloud(cloud.root, origin.url, LIMITS)
    assert later.read(INDEX) == RIGHT
    asked = origin.asked[INDEX]
    assert later.read(INDEX) == RIGHT
    assert origin.asked[INDEX] == asked


DAMAGE = {
    "bit flipped": flip_bit,
    "truncated": lambda path: os.truncate(path, 10),
    "deleted": Path.unlink,
}


@table(DAMAGE, "damage")
def test_a_cloud_fetches_again_what_is_damaged(origin, cloud, damage):
    origin.at[KEY] = host.good(RIGHT)
    cloud.read(KEY)
    damage(cloud.root / KEY)
    assert cloud.read(KEY) == RIGHT
    assert passes_sha256sum(cloud.root)


@table(DAMAGE, "damage")
def test_a_mirror_refuses_what_is_damaged(tmp_path, damage):
    mirror = Folder(write_folder(tmp_path, {KEY: RIGHT}, complete=["s3/"]))
    damage(tmp_path / KEY)
    with pytest.raises(Refused) as refusal:
        mirror.read(KEY)
    with contextlib.suppress(FileNotFoundError):
        damaged = (tmp_path / KEY).read_bytes()
        assert sha256(damaged) in str(refusal.value)
    for part in (address(KEY), sha256(RIGHT), mirror.way_out):
        assert part in str(refusal.value)


def test_a_pin_that_differs_from_what_is_held_is_fetched(origin, cloud):
    origin.at[FILE] = host.in_turn(host.good(WRONG), host.good(RIGHT))
    assert cloud.read(FILE) == WRONG
    assert cloud.read(FILE, PIN) == RIGHT
    assert passes_sha256sum(cloud.root)
    assert Cloud(cloud.root, nowhere, LIMITS).read(FILE) == RIGHT


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("s3/b/listed", None),
        ("s3/b/not/listed", NotHeld),
        ("s3/b/said/absent", Absent),
        ("s3/b/complete/no", Absent),
        ("s3/b/complete", NotHeld),
        ("s3/b/elsewhere", NotHeld),
    ],
)
def test_absent_is_not_the_same_as_not_held(tmp_path, name, outcome):
    write_folder(
        tmp_path,
        {"s3/b/listed": RIGHT},
        complete=["s3/b/complete/", ""],
        absent=["s3/b/said/absent"],
    )
    (tmp_path / "s3/b/not").mkdir()
    (tmp_path / "s3/b/not/listed").write_bytes(RIGHT)
    with pytest.raises(outcome) if outcome else contextlib.nullcontext():
        assert Folder(tmp_path).read(name) == RIGHT


def test_what_is_being_added_does_not_look_absent(tmp_path, monkeypatch):
    """Another process may write between the reading of two records."""
    lines = atlas_store._lines

    def read_then_add(path):
        before = lines(path)
        write_folder(tmp_path, {KEY: RIGHT}, complete=["s3/brainglobe/"])
        return before

    monkeypatch.setattr(atlas_store, "_lines", read_then_add)
    assert not Folder(tmp_path).is_absent(KEY)


def test_an_absence_that_cannot_be_kept_is_told(origin, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="ATLAS_CACHE"):
        Cloud(tmp_path / "file", origin.url, LIMITS).read(KEY)


def test_nothing_waits_for_a_fetch_that_hangs():
    program = "import time, atlas_store; atlas_store.start(time.sleep, 99)"
    assert python(program).wait(timeout=HANG_S) == 0


# The server ----------------------------------------------------------------


@pytest.fixture
def held(tmp_path):
    """Return a mirror of two objects and one absence."""
    return write_folder(
        tmp_path / "mirror",
        {KEY: RIGHT, FILE: WRONG},
        absent=["s3/brainglobe/absent"],
    )


@pytest.fixture
def serve():
    """Return a function that serves a store until the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda store_of, **options: stack.enter_context(
            AtlasServer(store_of, **options)
        )


@pytest.fixture
def server(serve, held):
    mirror = Folder(held)
    return serve(lambda name: mirror)


def get(server, name, method="GET", **headers) -> requests.Response:
    path = name.removeprefix("s3") if name[:3] == "s3/" else f"/-/https/{name}"
    return requests.request(method, server.url + path, headers=headers)


@pytest.mark.parametrize("name", [KEY, FILE])
def test_an_object_is_served_whole(server, held, name):
    answer = get(server, name)
    assert answer.content == (held / name).read_bytes()
    assert answer.headers["ETag"].strip('"') == (
        hashlib.md5(answer.content).hexdigest()
    )
    head = get(server, name, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == "1024"


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("0-0", 0, 1), ("2-9", 2, 10), ("1000-", 1000, 1024),
        ("-24", 1000, 1024), ("1000-9999", 1000, 1024), ("-9999", 0, 1024),
    ],
)  # fmt: skip
def test_a_range_is_served(server, asked, begin, end):
    answer = get(server, KEY, Range=f"bytes={asked}")
    assert answer.status_code == 206
    assert answer.content == RIGHT[begin:end]
    expected = f"bytes {begin}-{end - 1}/1024"
    assert answer.headers["Content-Range"] == expected


@pytest.mark.parametrize("asked", ["1024-", "2000-3000", "-0", "9-2"])
def test_a_range_outside_is_416(server, asked):
    answer = get(server, KEY, Range=f"bytes={asked}")
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */1024"


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("s3/brainglobe/absent", 404, "NoSuchKey"),
        ("s3/brainglobe/not/held", 409, "AtlasRefused"),
        ("s3/brainglobe", 409, "AtlasRefused"),
    ],
)
def test_what_is_not_there_is_told_as_s3_does(server, name, status, code):
    answer = get(server, name)
    assert answer.status_code == status
    assert f"<Code>{code}</Code>" in answer.text
    assert f"{address(name)}" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/brainglobe/../../etc/passwd", "/../etc/passwd", "//etc/passwd",
        "/brainglobe/%2e%2e/%2e%2e/etc/passwd", "/brainglobe/..%2fetc/passwd",
        "/-/https/../../etc/passwd", "/-/https/%2e%2e/etc/passwd",
    ],
)  # fmt: skip
def test_no_path_leaves_the_folder(server, path):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 409
    assert b"root:" not in answer.read()
    connection.close()


# What s3fs is asked, and its answer or its error.
S3FS = {
    "files.exists('brainglobe/absent')": "False",
    "files.info('brainglobe/absent')": "FileNotFoundError",
    "files.cat_file('brainglobe/absent')": "FileNotFoundError",
    "files.open('brainglobe/absent')": "FileNotFoundError",
    "files.ls('brainglobe/whole')": "['brainglobe/whole/key']",
    "files.info('brainglobe/whole/key')['size']": "1024",
    "files.cat_file('brainglobe/whole/key', start=1, end=3)": r"b'\x01\x02'",
    "files.open('brainglobe/whole/key').read(2)": r"b'\x00\x01'",
    "files.ls('brainglobe/other')": "cannot be listed",
    "files.cat_file('brainglobe/other')": "not held",
    "files.open('brainglobe/other').read()": "not held",
}
ASK_S3FS = """
import s3fs, sys
files = s3fs.S3FileSystem(anon=True)
for call in sys.argv[1:]:
    try:
        print(eval(call))
    except Exception as problem:
        print(type(problem).__name__, problem)
"""


def ask_s3fs(server, *calls) -> list[str]:
    """Return what s3fs answers, a line for each call."""
    env = {"AWS_ENDPOINT_URL": server.url}
    out, err = python(ASK_S3FS, *calls, env=env).communicate()
    assert err == ""
    return out.splitlines()


def test_s3fs_takes_the_server_for_s3(serve, tmp_path):
    mirror = Folder(
        write_folder(
            tmp_path,
            {"s3/brainglobe/whole/key": RIGHT},
            complete=["s3/brainglobe/whole/"],
            absent=["s3/brainglobe/absent"],
        )
    )
    answers = ask_s3fs(serve(lambda name: mirror), *S3FS)
    for answer, expected in zip(answers, S3FS.values(), strict=True):
        assert expected in answer


def test_what_a_page_reads_is_counted(server):
    server.turn_to("examples/a.py")
    get(server, KEY)
    get(server, KEY, Range="bytes=0-99")
    get(server, KEY, "HEAD")
    get(server, FILE)
    get(server, "s3/brainglobe/absent")
    get(server, "s3/brainglobe/not/held")
    query = {"url": address(FILE), "hash": PIN}
    requests.get(f"{server.url}/-/resolve", params=query)
    page = requests.post(f"{server.url}/-/page?name=examples%2Fb.py").json()
    assert page["name"] == "examples/a.py"
    assert (page["requests"], page["bytes"]) == (6, 1024 + 100 + 1024)
    assert page["objects"] == {
        KEY: {"sha256": sha256(RIGHT), "bytes": 1024, "source": "mirror"},
        FILE: {
            "sha256": sha256(WRONG),
            "bytes": 1024,
            "source": "mirror",
            "as_pinned": False,
        },
    }
    assert len(page["refused"]) == 1
    assert (server.page.name, server.page.requests) == ("examples/b.py", 0)


def test_a_reader_that_hangs_up_is_no_refusal(serve, tmp_path, capfd):
    mirror = Folder(write_folder(tmp_path, {KEY: bytes(50_000_000)}))
    server = serve(lambda name: mirror)
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("GET", KEY[2:])
    connection.getresponse().read(1)
    connection.close()
    server.shutdown()
    server.server_close()
    assert server.page.refused == []
    assert capfd.readouterr().err == ""


def test_readers_of_one_cold_object_share_a_request(origin, cloud, serve):
    origin.at[KEY] = host.late(RIGHT, 0.2)
    server = serve(lambda name: cloud)
    readers = [start(get, server, KEY) for _ in range(6)]
    assert [r.result().content for r in readers] == [RIGHT] * 6
    assert origin.asked[KEY] == 1


def test_s3fs_comes_back_for_a_slow_object(origin, cloud, serve):
    origin.at[KEY] = host.late(RIGHT, 0.25)
    server = serve(lambda name: cloud, patience=0.1)
    assert get(server, KEY).status_code == 503
    call = f"len(files.cat_file({KEY[3:]!r}))"
    assert ask_s3fs(server, call) == ["1024"]
    assert origin.asked[KEY] == 1


def test_pooch_waits_for_a_slow_object(origin, cloud, serve):
    origin.at[FILE] = host.late(RIGHT, 0.25)
    server = serve(lambda name: cloud, patience=0.1)
    query = {"url": address(FILE), "hash": ""}
    answer = requests.get(f"{server.url}/-/resolve", params=query).json()
    assert requests.get(answer["url"]).content == RIGHT
    assert answer["sha256"] == sha256(RIGHT)


@pytest.mark.parametrize("real_first", [True, False])
def test_a_page_does_not_mix_real_and_synthetic(serve, held, real_first):
    real, synthetic = Folder(held), Folder(held)
    synthetic.source = "stand-in"
    server = serve(lambda n: real if (n == KEY) == real_first else synthetic)
    assert get(server, KEY).status_code == 200
    refusal = get(server, FILE)
    assert refusal.status_code == 409
    assert "do not mix" in refusal.text
    server.turn_to("another page")
    assert get(server, FILE).status_code == 200


README = """
| what | real? |
|---|---|
| `a.zarr` s1, s2 | **not the real one**: made up. Beware |
| `a.zarr` s0, s3 | real |
| `table.csv` | real: `b.zarr` |
| `list.conf` | **not current**: old |
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("s3/b/a.zarr/s1/c", "a.zarr s1 s2 is not the real one: made up"),
        ("s3/b/a.zarr/s0/c/0", None),
        ("s3/b/a.zarr/s3/c/0", None),
        ("s3/b/c.zarr/s1/c/0", None),
        ("host/table.csv", None),
        ("host/list.conf", "list.conf is not current: old"),
    ],
)  # fmt: skip
def test_a_mirror_s_readme_says_what_is_not_real(tmp_path, name, said):
    write_folder(tmp_path, {name: b"x"})
    (tmp_path / "README.md").write_text(README)
    assert Folder(tmp_path).caveat_of(name) == said


def test_a_torn_record_is_named(tmp_path):
    (tmp_path / "SHA256SUMS").write_text("0123  a/b\nabc\n")
    with pytest.raises(Refused, match=r"SHA256SUMS has a line .*abc"):
        Folder(tmp_path)
