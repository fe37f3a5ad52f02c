"""The property tests of `make test`, with many more inputs, and others every time."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]


def rows(folder: Path, effort: float) -> list[tuple[str, str]]:
    """Run them in a process of their own; hypothesis counts the inputs."""
    begun = time.perf_counter()
    words = ["-q", "--hypothesis-profile=soak", "--hypothesis-show-statistics", str(TESTS / "project/test_properties.py")]
    environment = os.environ | {"LATENT_SOAK_EXAMPLES": str(max(10, round(500 * effort)))}
    done = subprocess.run([sys.executable, "-m", "pytest", *words], capture_output=True, text=True, env=environment, cwd=TESTS.parent)
    assert done.returncode == 0, done.stdout[-6_000:]
    tried, refused = counts(done.stdout)
    assert tried and refused, "hypothesis words its statistics in another way: mend the patterns below"
    names = re.findall(r"^(\S+::\S+):$", done.stdout, re.MULTILINE)
    known = re.findall(r"(\d+) xfailed", done.stdout)
    return [
        ("properties checked", str(len(names))),
        ("inputs tried, well and badly formed", f"{tried:,}"),
        ("malformed inputs among them, refused with a clear error", f"{refused:,}"),
        ("inputs that met anything but a right answer or a clear error", "0"),
        ("known faults, each with a test that waits for its mend", known[0] if known else "0"),
        ("seconds", f"{time.perf_counter() - begun:.0f}"),
    ]


def counts(said: str) -> tuple[int, int]:
    """How many inputs hypothesis says it has tried, and how many of them were refused, which it gives in percent of all it drew."""
    tried = refused = 0
    for property_ in re.split(r"^\S+::\S+:$", said, flags=re.MULTILINE):
        passed = [int(count) for count in re.findall(r"(\d+) passing\b", property_)]
        drawn = [int(a) + int(b) for a, b in re.findall(r"(\d+) passing, \d+ failing, and (\d+) invalid", property_)]
        share = re.findall(r"\* (\d+\.\d+)%, refused$", property_, re.MULTILINE)
        tried += sum(passed)
        refused += round(float(share[0]) / 100 * drawn[-1]) if share else 0
    return tried, refused
