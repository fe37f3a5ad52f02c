"""The archive of section 3 of the assignment: the two reports and the code, nothing else."""

import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from latent.report import SIGNED, WARNED, ReportError
from latent.report.build import DRY, digest
from latent.report.index import NOTEBOOKS
from latent.store import files

PDFS = {  # report → the notebooks it is made from
    "wet.pdf": [f"notebooks/{name}.ipynb" for name in NOTEBOOKS],
    "dry.pdf": [f"dry/{name}.ipynb" for name, pdf in DRY.items() if pdf == "dry.pdf"],
}
NEEDED = (*PDFS, "main.py", "utils.py")
TAKEN = (*NEEDED, "latent", "notebooks", "dry", "tests", "pyproject.toml", "environment.yml", "README.md", "LICENSE")
TEXT = {".py", ".ipynb", ".md", ".toml", ".yml", ".typ", ".json", ".html", ".js", ".css"}
PICTURES = {".png", ".jpg", ".svg"}  # that notebooks show; data and weights have other suffixes
LEFT_OUT = {"__pycache__", "data", "weights", "cache", "build", "dist"}  # folders, besides hidden ones
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first date a zip can hold: equal contents give equal bytes
PRIVATE = {
    "a path of someone's machine": r"(?<![\w.])/(?:home|Users|root)/\w|[A-Z]:\\{1,2}Users\\|/tmp/(?:ipykernel_)",
    "an access token": r"\b(?:gh[pousr]_|github_pat_|glpat-|hf_|sk-(?:\w+-)*)[A-Za-z0-9]{16}|\bAKIA[A-Z0-9]{16}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "a notebook's mark of trust": r'"trusted":\s*(?:true|false)',
}
BASE64 = re.compile(r"[A-Za-z0-9+/=]{300,}")  # the pictures in a notebook, where any word may turn up


def submit(id1: str, id2: str, root: Path, out: Path, anonymous: bool = False) -> Path:
    """Write `out`/<id1>-<id2>.zip from the project at `root` and return its path.

    Raises ReportError at a wrong identity number, a file that is missing, a report that is stale, made from the embedded stand-in or
    without authors (unless `anonymous`), a link out of the project, or a text that gives away a machine path, a user or a token.
    """
    for number in (id1, id2):
        if not re.fullmatch(r"[0-9]{9}", number):
            raise ReportError(f"{number!r} is not an identity number; give nine digits for each partner, as in 123456789 987654321")
    if id1 == id2:
        raise ReportError(f"both identity numbers are {id1}; give one for each partner")
    root = root.resolve()
    for name in NEEDED:
        if not (root / name).is_file():
            raise ReportError(f"{name} is missing; {'make the reports first' if name in PDFS else 'restore it'}")
    chosen = {path.relative_to(root).as_posix(): path for path in taken(root)}
    contents = {name: path.read_bytes() for name, path in sorted(chosen.items())}
    for name, data in contents.items():
        if name in PDFS:
            check_pdf(name, root, anonymous)
        elif Path(name).suffix not in PICTURES:
            check_text(name, data, root)
    return _write(contents, out / f"{id1}-{id2}.zip")


def taken(root: Path) -> Iterator[Path]:
    """The files of the submission. Raises ReportError at a link that leaves `root`, whatever it leads to."""
    for name in TAKEN:
        top = root / name
        for path in [top, *top.rglob("*")]:
            inside = path.relative_to(root)
            if any(part.startswith(".") or part in LEFT_OUT for part in inside.parts[:-1]) or inside.name.startswith("."):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise ReportError(f"{inside} is a link out of the project; put the file itself there, or remove the link")
            if path.is_file() and (path == top or path.suffix in TEXT | PICTURES):
                yield path


def check_pdf(name: str, root: Path, anonymous: bool = False) -> None:
    """Raise ReportError unless report `name` was made from the notebooks as they are now, on the real data, and names its authors."""
    pdf = (root / name).read_bytes()  # Typst writes the keywords uncompressed
    if WARNED.encode() in pdf:
        raise ReportError(
            f"{name} was made with the embedded stand-in data; run the notebooks on the real data, then make the reports again"
        )
    sources = [root / source for source in PDFS[name]]
    missing = [source for source in PDFS[name] if not (root / source).is_file()]
    if missing:
        raise ReportError(f"{missing[0]} is missing, so {name} cannot be checked; restore it")
    if digest(sources).encode() not in pdf:
        raise ReportError(f"{name} was not made from the notebooks as they are now; make the reports again")
    if SIGNED.encode() not in pdf and not anonymous:
        raise ReportError(f"{name} names no authors; make the reports again with `latent report --author NAME`, or give --anonymous")


def check_text(name: str, data: bytes, root: Path) -> None:
    """Raise ReportError where the file gives away this machine, its user or a token; the message quotes the line's number only."""
    home = os.path.expanduser("~")
    places = "|".join(re.escape(place) for place in {str(root), home} - {os.sep})
    user = re.escape(os.path.basename(home)) or "(?!)"  # no name, no match
    private = {
        **PRIVATE,
        "a path of this machine": rf"(?<![\w.])(?:{places})\b",
        "the name of this machine's user": rf"[/\\]{user}[/\\]|\b{user}@",
    }
    for number, line in enumerate(data.decode("utf-8", errors="replace").splitlines(), 1):
        line = BASE64.sub("", line)
        for what, pattern in private.items():
            if re.search(pattern, line):
                raise ReportError(f"{name}, line {number} holds {what}; remove it (in a notebook, mend the cell and run it again)")


def _write(contents: dict[str, bytes], target: Path) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    files.write(target, buffer.getvalue())
    return target
