"""The stand-in's surfaces, in neuroglancer's precomputed format.

Each is one Draco mesh in one fragment, as the bucket's are: x, y, z in nm,
and half-way between the centres of voxels inside and outside, of which the
first is at 0.
"""

import struct
from pathlib import Path

import numpy as np

BITS = 16


def infos(place, um, size, structures):
    """Return {object name: content} of the descriptions below a place.

    `size` is the number of voxels along x, y and z; `structures` are rows
    with an id, an acronym and a name.
    """
    nm = um * 1000
    scale = {"chunk_sizes": [[256, 256, 64]],
             "compressed_segmentation_block_size": [8, 8, 8],
             "encoding": "compressed_segmentation",
             "key": f"{nm}_{nm}_{nm}", "resolution": [nm] * 3,
             "size": list(size), "voxel_offset": [0, 0, 0]}  # fmt: skip
    names = [f"{row['acronym']}: ({row['name']})" for row in structures]
    label = {"id": "abbreviation", "type": "label", "values": names}
    ids = [row["id"] for row in structures]
    return {
        f"{place}/info": {
            "data_type": "uint32", "mesh": "mesh", "num_channels": 1,
            "scales": [scale], "segment_properties": "segment_properties",
            "type": "segmentation"},
        f"{place}/segment_properties/info": {
            "@type": "neuroglancer_segment_properties",
            "inline": {"ids": ids, "properties": [label]}},
        f"{place}/mesh/info": {
            "@type": "neuroglancer_multilod_draco",
            "vertex_quantization_bits": BITS,
            "transform": [1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 0],
            "lod_scale_multiplier": 1.0},
    }  # fmt: skip


def write_mesh(folder: Path, structure_id, mask, um) -> None:
    """Write the surface of a mask (z, y, x), and the manifest of its parts."""
    # Nobody waits for these who reads no surface.
    import DracoPy
    from skimage.measure import marching_cubes

    vertices, faces, *_ = marching_cubes(np.pad(mask, 1).astype("f4"), 0.5)
    points = ((vertices[:, ::-1] - 1) * um * 1000).astype("f4")
    first = points.min(axis=0)
    size = float((points.max(axis=0) - first).max())
    fragment = DracoPy.encode(
        points, faces.astype("u4"), quantization_bits=BITS,
        compression_level=0, quantization_range=size,
        quantization_origin=first.tolist(),
    )  # fmt: skip
    # One level of detail, of one fragment, as large as the whole.
    manifest = struct.pack(
        "<3f3fIf3fI3II", *[size] * 3, *first, 1, size, 0, 0, 0, 1, 0, 0, 0,
        len(fragment),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(structure_id)).write_bytes(fragment)
    (folder / f"{structure_id}.index").write_bytes(manifest)
