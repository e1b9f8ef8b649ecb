"""The surfaces' numbers, found again, and the view that a page has of one.

Volumes, centres and closed edges are summed here over triangles read from the
files; the voxels come from the labels, where the pages use the masks.
"""

import base64
import csv
import json
import re
from functools import cache
from urllib.parse import urlsplit

import DracoPy
import gallery_surface
import numpy as np
import pytest
import zarr
from bs4 import BeautifulSoup
from conftest import ROOT, STANDIN, run_afresh, run_example
from folders import write_folder
from scipy import ndimage, sparse
from skimage.measure import marching_cubes

BUILD, READ = (
    ROOT / f"examples/surfaces/{verb}_surface.py" for verb in ("build", "read")
)
ATLAS = "s3/brainglobe/atlas"
SET = f"{ATLAS}/annotation-sets/allen_mouse-annotation/3_0"
MESHES = f"{SET}/annotations.precomputed"
PLY = "dentate_gyrus.ply"


def voxels_of(folder, structure_id):
    """Return the voxels of a structure at 50 µm, from the labels."""
    table = f"{ATLAS}/terminologies/allen_mouse-terminology/3_0"
    with (folder / table / "terminology.csv").open(encoding="utf-8") as file:
        below = [
            int(row["annotation_value"])
            for row in csv.DictReader(file)
            if structure_id in json.loads(row["root_identifier_path"])
        ]
    labels = folder / SET / "annotations_compressed.ome.zarr/s2"
    return np.isin(zarr.open_array(labels, mode="r")[:], below)


def first_mm(folder):
    """Return where the masks' metadata put the first voxel of 50 µm."""
    text = (folder / SET / "annotations.ome.zarr/zarr.json").read_text()
    [image] = json.loads(text)["attributes"]["ome"]["multiscales"]
    [translation] = [
        dataset["coordinateTransformations"][1]["translation"][1:]
        for dataset in image["datasets"]
        if dataset["coordinateTransformations"][0]["scale"][1] == 0.05
    ]
    return np.array(translation)


def read_ply(path):
    """Return the header, vertices and triangles of a binary PLY file."""
    header, content = path.read_bytes().split(b"end_header\n", 1)
    n, m = map(int, re.findall(rb"element \w+ (\d+)", header))
    vertices = np.frombuffer(content, "<f4", 3 * n).reshape(n, 3)
    rows = np.frombuffer(content, "u1", 13 * m, 12 * n).reshape(m, 13)
    assert (rows[:, 0] == 3).all()
    triangles = rows[:, 1:].copy().view("<i4")
    return header.decode(), vertices.astype(float), triangles


def solid(vertices, triangles):
    """Return the volume that triangles enclose, and its centre."""
    corners = vertices[triangles].astype(float)
    sixths = np.linalg.det(corners)
    centre = (sixths[:, None] * corners.sum(axis=1)).sum(axis=0) / 4
    return sixths.sum() / 6, centre / sixths.sum()


def edges_of(triangles):
    """Return the edges, and of each the triangles to which it belongs."""
    sides = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges, edge_of = np.unique(sides, axis=0, return_inverse=True)
    order = np.argsort(edge_of.ravel(), kind="stable")
    assert (np.bincount(edge_of.ravel()) == 2).all(), "it is not closed"
    return edges, (order // 3).reshape(-1, 2)


def roughness(vertices, triangles):
    """Return the mean angle between neighbouring triangles, in degrees."""
    p, q, r = np.moveaxis(vertices[triangles].astype(float), 1, 0)
    normals = np.cross(q - p, r - p)
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    one, other = edges_of(triangles)[1].T
    cosines = np.sum(normals[one] * normals[other], axis=1)
    return np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean()


@pytest.fixture
def folder(source, tmp_path):
    """Return the folder of a source's objects, in which the labels are."""
    # The stand-in makes what is read, and this page reads them.
    run_example(
        ROOT / "examples/volumes/describe_shape.py", source[0], tmp_path
    )
    return source[1]


@pytest.fixture(scope="module")
def built_by(tmp_path_factory):
    """Return a function: source -> what the page prints, the file it wrote."""

    @cache
    def build(source):
        place = tmp_path_factory.mktemp("built")
        return run_afresh(BUILD, source, place), place / PLY

    return build


@pytest.fixture
def built(source, folder, built_by):
    """Return what the page prints, the file it wrote, and the voxels."""
    return *built_by(source[0]), folder


def test_build_surface_measures_what_it_builds(built, agree):
    printed, path, folder = built
    _, vertices, triangles = read_ply(path)
    is_dg = voxels_of(folder, 726)
    voxels_mm3 = is_dg.sum() / 8000
    found = re.search(r"mask \d+ of level s2: ([\d.]+) mm³", printed)
    by = "the annotation, whole, and the table's paths"
    row = found[1], voxels_mm3, "mm³", by, 0.00051
    agree("build_surface", "mask of DG, 50 µm", *row)
    assert f"{len(vertices):,} vertices, {len(triangles):,} tri" in printed
    edges, _ = edges_of(triangles)
    joined = sparse.coo_array(
        (np.ones(len(edges)), edges.T), [len(vertices)] * 2
    )
    parts, _ = sparse.csgraph.connected_components(joined)
    euler = len(vertices) - len(edges) + len(triangles)
    found = re.search(
        rf"closed: True, parts: (\d+)\nEuler number {euler}: (\d+) h", printed
    )
    by = "the edges of the file's triangles"
    agree("build_surface", "surface of DG", found[1], parts, "parts", by)
    row = "through the surface of DG", found[2], parts - euler // 2, "handles"
    agree("build_surface", *row, by)
    # The same voxels, marched over by the older of the two algorithms.
    raw, faces, *_ = marching_cubes(
        np.pad(is_dg, 1).astype(float), 0.5, method="lorensen"
    )
    raw_mm3 = abs(solid(raw, faces)[0]) / 8000
    found = re.search(r"\n([\d.]+) mm³, ([-+.\d]+)% of voxels", printed)
    by = "the older algorithm of marching cubes"
    tolerance = 1e-3 * raw_mm3
    what = "inside the surface of DG"
    agree("build_surface", what, found[1], raw_mm3, "mm³", by, tolerance)
    share = 100 * (float(found[1]) / voxels_mm3 - 1)
    by = "the annotation, whole, and the volume as printed"
    agree("build_surface", "surface to voxels", found[2], share, "%", by, 0.02)
    smooth_mm3, _ = solid(vertices, triangles)
    [(share, degrees)] = re.findall(
        r"Taubin 64: +([-+.\d]+)% volume, +([\d.]+)°", printed
    )
    other = 100 * (smooth_mm3 / float(found[1]) - 1)
    row = "Taubin 64, volume", share, other, "%", "the file's triangles", 0.02
    agree("build_surface", *row)
    row = "Taubin 64, angle", degrees, roughness(vertices, triangles), "°"
    agree("build_surface", *row, "the file's triangles", 0.06)


def test_smoothing_shrinks_or_not_as_the_page_says(built, agree):
    printed, _, folder = built
    mask = np.pad(voxels_of(folder, 726), 1).astype(float)
    raw, faces, *_ = marching_cubes(mask, 0.5)
    assert f"\n{abs(solid(raw, faces)[0]) / 8000:.3f} mm³, " in printed
    edges, _ = edges_of(faces)
    both = np.concatenate([edges, edges[:, ::-1]]).T
    near = sparse.csr_array((np.ones(both.shape[1]), both))
    near = sparse.diags_array(1 / near.sum(axis=1)) @ near
    for name, back in ("Laplace", 0.5), ("Taubin", -0.52):
        vertices = raw.astype(float)
        for n in range(16):
            step = (0.5, back)[n % 2]
            vertices = vertices + step * (near @ vertices - vertices)
        share = solid(vertices, faces)[0] / solid(raw, faces)[0] - 1
        found = re.search(
            rf"{name} 16: +([-+.\d]+)% volume, +([\d.]+)°", printed
        )
        by = "sparse matrices of neighbours"
        row = f"{name} 16, volume", found[1], 100 * share, "%", by, 0.006
        agree("build_surface", *row)
        row = f"{name} 16, angle", found[2], roughness(vertices, faces), "°"
        agree("build_surface", *row, by, 0.06)


def test_build_surface_lies_between_the_voxels_and_is_no_mirror_image(built):
    printed, path, folder = built
    header, vertices, triangles = read_ply(path)
    assert header in printed
    index = (vertices[:, ::-1] - first_mm(folder)) / 0.05
    inside = ndimage.map_coordinates(
        voxels_of(folder, 726).astype(float), index.T, order=1
    )
    assert inside.mean() == pytest.approx(0.5, abs=0.02)
    # Left, down and back, in this order, are a right hand's.
    assert "x right-to-left, y superior-to-inferior, z anterior-" in header
    left, down, back = (-1, 0, 0), (0, 0, -1), (0, -1, 0)
    assert np.dot(np.cross(left, down), back) == 1
    assert "z, y, x: determinant -1\nx, y, z: determinant +1" in printed
    assert solid(vertices, triangles)[0] > 0
    assert "equal triangles True,\nvertices within 0.001 µm: True" in printed


def test_build_surface_runs_again_over_its_file(built_by, tmp_path):
    (tmp_path / PLY).write_text("not a surface")
    printed = run_afresh(BUILD, "standin", tmp_path)
    assert printed == built_by("standin")[0]
    assert [path.name for path in tmp_path.iterdir()] == [PLY]


def check_read_surface(printed, folder, agree):
    """Compare what the page prints with the files of a folder."""
    content = (folder / MESHES / "mesh/254").read_bytes()
    mesh = DracoPy.decode(content)
    assert f"\n{len(content):,} of {len(content):,} bytes\n" in printed
    mm3, centre_mm = solid(mesh.points / 1e6, mesh.faces)
    is_rsp = voxels_of(folder, 254)
    voxels_mm3 = is_rsp.sum() / 8000
    edges_of(mesh.faces)
    found = re.search(r"closed: True, ([\d.]+) mm³", printed)
    by = "the file's triangles, decoded by the test"
    row = found[1], abs(mm3), "mm³", by, 0.00051
    agree("read_surface", "inside the surface of RSP", *row)
    assert f"level s2: {voxels_mm3:.3f} mm³" in printed
    shown = re.search(r"encloses ([-+.\d]+)%", printed)[1]
    other = 100 * (abs(mm3) / voxels_mm3 - 1)
    agree("read_surface", "surface to voxels", shown, other, "%", by, 0.0051)
    [box] = ndimage.find_objects(is_rsp.astype(int))
    mean = np.array(ndimage.center_of_mass(is_rsp))
    zero_um = 1000 * (centre_mm[::-1] - 0.05 * mean)
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    found = re.findall(
        r"voxel 0 at ([-+.\d]+) µm, ends at ([-+.\d]+) and ([-+.\d]+)", printed
    )
    for axis, numbers in enumerate(np.array(found, dtype=float)):
        ends = [
            low[2 - axis] / 50_000 - box[axis].start,
            high[2 - axis] / 50_000 - box[axis].stop + 1,
        ]
        for what, shown, other, unit in zip(
            ("voxel 0", "lower end", "upper end"),
            numbers,
            [zero_um[axis], *ends],
            ("µm", "voxels", "voxels"),
            strict=True,
        ):
            row = f"axis {axis}, {what}", shown, other, unit, by, 0.06
            agree("read_surface", *row)
    return zero_um


def test_read_surface(source, folder, tmp_path, agree):
    printed = run_example(READ, source[0], tmp_path)
    zero_um = check_read_surface(printed, folder, agree)
    assert np.abs(zero_um).max() < 5
    move_um = 1000 * first_mm(folder)
    assert f"nearest: at zero; to meet the metadata, move it by {move_um}" in (
        printed
    )


def test_read_surface_on_the_real_atlas(mirror, tmp_path, agree):
    printed = run_example(READ, str(mirror), tmp_path)
    shown = re.search(r"level s2: ([\d.]+) mm³", printed)[1]
    by = "the figure known for 50 µm: 83,858 voxels"
    what = "RSP, the voxels that the surface is of"
    agree("read_surface", what, shown, 83_858 / 8000, "mm³", by, 0.0005)


@pytest.mark.parametrize(
    ("moved_um", "found"),
    [(25, "corner at zero"), (20, "as the metadata say")],
)
def test_read_surface_decides_from_the_data(moved_um, found, tmp_path):
    (tmp_path / "cwd").mkdir()
    run_example(READ, "standin", tmp_path / "cwd")
    masks, meshes = (
        [path for path in (STANDIN / place).rglob("*") if path.is_file()]
        for place in (f"{SET}/annotations.ome.zarr", MESHES)
    )
    objects = {
        str(path.relative_to(STANDIN)): path.read_bytes()
        for path in [*masks, *meshes]
    }
    mesh = DracoPy.decode(objects[f"{MESHES}/mesh/254"])
    objects[f"{MESHES}/mesh/254"] = DracoPy.encode(
        mesh.points + 1000 * moved_um, mesh.faces, quantization_bits=16
    )
    complete = [f"{SET}/annotations.ome.zarr/"]
    moved = write_folder(tmp_path / "moved", objects, complete)
    printed = run_afresh(READ, str(moved), tmp_path / "cwd")
    assert f"nearest: {found};" in printed
    move_um = 1000 * first_mm(moved) - moved_um
    assert f"move it by {move_um} µm" in printed


# The view -------------------------------------------------------------------


FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


@pytest.fixture
def wrote(tmp_path):
    """Return a function that writes a tetrahedron, and what it wrote."""

    def write(comment, vertices, faces=FACES):
        header = (
            f"ply\nformat ascii 1.0\n{comment}\nelement vertex 4\n"
            "property float x\nproperty float y\nproperty float z\n"
            "element face 4\nproperty list uchar int vertex_indices\n"
            "end_header\n"
        )
        rows = ["{} {} {}\n".format(*vertex) for vertex in vertices]
        rows += ["3 {} {} {}\n".format(*face) for face in faces]
        (tmp_path / PLY).write_text(header + "".join(rows))
        return tmp_path / PLY

    return write


def geometry(figure):
    """Return the vertices and triangles that a view carries."""
    vertices, triangles = (
        np.frombuffer(base64.b64decode(figure[f"data-{name}"]), dtype)
        for name, dtype in (("vertices", "<i2"), ("triangles", "<u2"))
    )
    return vertices.reshape(-1, 3).astype(float), triangles.reshape(-1, 3)


@pytest.mark.parametrize(
    ("order", "signs"),
    [("xyz", (1, -1, -1)), ("zyx", (-1, -1, 1))],
    ids=["a right hand", "a left hand"],
)
def test_view_is_turned_to_the_reader_and_not_mirrored(wrote, order, signs):
    """A corner each to the left, up and to the front, of different lengths."""
    leads = {"x": "right-to-left", "y": "superior-to-inferior"}
    leads["z"] = "anterior-to-posterior"
    comment = "comment mm: " + ", ".join(
        f"{own} {leads[name]}" for own, name in zip("xyz", order, strict=True)
    )
    corners = np.array([[0, 0, 0], [3, 0, 0], [0, 2, 0], [0, 0, 1]])
    axis = ["xyz".index(name) for name in order]
    file = corners[:, axis] * signs
    # Each file's triangles enclose a volume above zero, as it stands.
    faces = FACES if order == "xyz" else FACES[:, ::-1]
    assert solid(file, faces)[0] > 0
    view = gallery_surface.view(wrote(comment, file, faces))
    figure = BeautifulSoup(view, "html.parser").figure
    vertices, triangles = geometry(figure)
    steps = vertices[1:] - vertices[0]
    np.testing.assert_allclose(steps / steps[0, 0], np.diag([3, 2, 1]) / 3,
                               atol=1e-4)  # fmt: skip
    assert solid(vertices, triangles)[0] > 0


def test_file_that_does_not_name_its_axes_stops_the_build(wrote):
    path = wrote("comment mm", np.eye(4, 3))
    with pytest.raises(ValueError, match=PLY):
        gallery_surface.view(path)


@pytest.fixture
def page(site):
    """Return the built page that has a view."""
    return site / "aws_examples/surfaces/build_surface.html"


def test_view_is_light_and_its_shape_is_the_file_s(page, site):
    soup = BeautifulSoup(page.read_text(), "html.parser")
    [figure] = soup.select("figure.atlas-surface")
    assert len(str(figure)) < 63_000
    [link] = soup.select("a.download[href$='.ply']")
    size = (page.parent / link["href"]).stat().st_size
    assert link.text == f"{PLY} ({size / 1e6:.1f} MB)"
    _, whole, faces = read_ply(page.parent / link["href"])
    vertices, triangles = geometry(figure)
    shown, total = re.findall(r"([\d,]+) of ([\d,]+) tri", figure.text)[0]
    assert (shown, total) == (f"{len(triangles):,}", f"{len(faces):,}")
    scale = np.ptp(whole, axis=0) / np.ptp(vertices, axis=0)
    assert scale == pytest.approx(scale.mean(), rel=0.03)
    mm3 = solid(vertices, triangles)[0] * scale.prod()
    assert mm3 == pytest.approx(solid(whole, faces)[0], rel=0.05)


def test_only_a_page_with_a_view_loads_the_script(site):
    for path in site.rglob("*.html"):
        text = path.read_text()
        has_view = 'class="atlas-surface"' in text
        assert has_view == ("_static/surface.js" in text), path.name


@pytest.fixture
def opened(browser, page, request):
    """Return the page in a browser; it asked for nothing from elsewhere."""
    width, theme = getattr(request, "param", (1280, "light"))
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=theme
    )
    tab = context.new_page()
    asked, complaints = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on(
        "console",
        lambda message: (
            message.type in ("error", "warning")
            and complaints.append(message.text)
        ),
    )
    tab.goto(page.as_uri())
    yield tab
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data"}
    assert complaints == []
    context.close()


def drawn(tab):
    """Return the picture that the view shows, after what was asked of it."""
    tab.evaluate("new Promise(done => requestAnimationFrame(() => "
                 "requestAnimationFrame(done)))")  # fmt: skip
    return tab.evaluate(
        "document.querySelector('.atlas-surface canvas').toDataURL()"
    )


@pytest.mark.parametrize(
    "opened", [(1280, "light"), (320, "dark")], indirect=True
)
def test_view_is_drawn(opened):
    canvas = opened.locator(".atlas-surface canvas")
    drawn(opened)
    share, shades, light = canvas.evaluate(
        """canvas => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d")
            .getImageData(0, 0, width, height);
          const colours = [];
          for (let i = 0; i < data.length; i += 4)
            if (data[i + 3] > 127) colours.push(data[i]);
          const light = colours.reduce((sum, c) => sum + c) / colours.length;
          return [colours.length / width / height,
                  new Set(colours).size, light];
        }"""
    )
    assert 0.03 < share < 0.9
    assert shades > 20
    assert light > 120, "it shows the inside"
    box = canvas.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= opened.viewport_size["width"]


def test_keys_turn_and_zoom_the_view_and_home_restores_it(opened):
    output = opened.locator(".atlas-surface output")
    canvas = opened.locator(".atlas-surface canvas")
    first, said = drawn(opened), output.text_content()
    assert said == "Seen from anterior, superior, right."
    canvas.focus()
    for key in "ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown", "+", "-":
        opened.keyboard.press("Home")
        before = drawn(opened)
        assert before == first, key
        scrolled = opened.evaluate("window.scrollY")
        opened.keyboard.press(key)
        assert drawn(opened) != first, key
        assert opened.evaluate("window.scrollY") == scrolled, key
    opened.keyboard.press("Home")
    for _ in range(12):
        opened.keyboard.press("ArrowLeft")
    drawn(opened)
    assert "posterior" in output.text_content()
    style = canvas.evaluate("canvas => getComputedStyle(canvas).outline")
    assert re.search(r"solid [3-9]px", style), "focus cannot be seen"
    assert "Arrow keys" in canvas.get_attribute("aria-label")


def test_buttons_and_a_drag_do_what_keys_do(opened):
    first = drawn(opened)
    buttons = opened.locator(".atlas-surface button")
    assert buttons.count() == 7
    for n in range(6):
        buttons.nth(n).click()
        assert drawn(opened) != first
        buttons.nth(6).click()
        assert drawn(opened) == first
    canvas = opened.locator(".atlas-surface canvas")
    canvas.hover(position={"x": 400, "y": 400})
    box = canvas.bounding_box()
    opened.mouse.down()
    opened.mouse.move(box["x"] + 500, box["y"] + 400, steps=4)
    opened.mouse.up()
    turned = drawn(opened)
    assert turned != first, "a drag turns nothing"
    opened.mouse.move(box["x"] + 300, box["y"] + 300)
    assert drawn(opened) == turned, "it turns without a button held"


def test_without_javascript_the_still_figure_remains(browser, page):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(page.as_uri())
    assert not tab.locator(".atlas-surface").is_visible()
    assert tab.locator("img.sphx-glr-single-img").first.is_visible()
    assert tab.get_by_text(PLY).last.is_visible()
    context.close()
