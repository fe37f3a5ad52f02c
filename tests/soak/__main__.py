"""Run all long tests and write what they found: `python -m soak [EFFORT] [FILE]`; effort 1 takes minutes, 0.1 looks whether it runs."""

import sys
import tempfile
import time
from pathlib import Path

import torch

from latent.compute import device
from latent.store import files
from soak import damage, inputs, kills, load, memory

KINDS = {
    "Trainings that are interrupted": kills.rows,
    "Ten notebooks at once": load.rows,
    "Files that are not what they should be": damage.rows,
    "Inputs of every kind": inputs.rows,
    "Memory": memory.rows,
}
HEAD = """# Reliability

Written by `make soak`, which stops at the first thing that goes wrong: these are counts of what went right.
Trainings are tiny ones on stand-in data, in real processes; memory is that of the CPU recipes on images of the real number and size.
"""


def main(effort: float = 1.0, file: str = "results/reliability.md") -> None:
    """Every kind in turn; the file is written at the end, if nothing failed."""
    begun, lines = time.perf_counter(), [HEAD]
    for title, rows in KINDS.items():
        print(f"{title} …", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            found = rows(Path(folder), effort)
        lines += [f"## {title}\n", "| what | found |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in found), ""]
        print("\n".join(f"  {what}: {value}" for what, value in found), flush=True)
    machine = f"{device.describe(torch.device('cpu'))}, torch {torch.__version__.split('+')[0]}"
    lines.append(f"{(time.perf_counter() - begun) / 60:.1f} minutes in all, on one machine ({machine}).\n")
    files.write(Path(file), "\n".join(lines).encode())


if __name__ == "__main__":
    main(*(convert(word) for convert, word in zip((float, str), sys.argv[1:])))
