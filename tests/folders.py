"""Folders of objects, written and judged without the project's own code."""

import subprocess
from pathlib import Path


def objects_in(folder: Path) -> set[str]:
    """Return the files of a folder, without its records."""
    own = {"SHA256SUMS", "ABSENT", "COMPLETE", ".lock"}
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)) for p in files} - own


def write_folder(folder: Path, objects: dict, complete=(), absent=()) -> Path:
    """Write a mirror by hand."""
    for name, content in objects.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    list_objects(folder)
    for record, lines in ("COMPLETE", complete), ("ABSENT", absent):
        text = "".join(f"{line}\n" for line in lines)
        (folder / record).write_text(text)
    return folder


def list_objects(folder: Path) -> None:
    """Write SHA256SUMS as the program of that name does."""
    names = sorted(objects_in(folder))
    listed = subprocess.check_output(["sha256sum", *names], cwd=folder)
    (folder / "SHA256SUMS").write_bytes(listed)


def passes_sha256sum(folder: Path) -> bool:
    """Tell whether every object that is listed is there and right."""
    check = ["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"]
    return subprocess.run(check, cwd=folder).returncode == 0


def flip_bit(path: Path) -> None:
    """Damage a file as little as can be."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
