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
    words = ["-q", "--hypothesis-profile=soak", "--hypothesis-show-statistics", str(TESTS / "test_properties.py")]
    environment = os.environ | {"LATENT_SOAK_EXAMPLES": str(max(10, round(500 * effort)))}
    done = subprocess.run([sys.executable, "-m", "pytest", *words], capture_output=True, text=True, env=environment, cwd=TESTS.parent)
    assert done.returncode == 0, done.stdout[-6_000:]
    tried = [int(count) for count in re.findall(r"(\d+) passing\b", done.stdout)]
    assert sum(tried), "hypothesis words its statistics in another way: mend the pattern above"
    names = re.findall(r"^(\S+::\S+):$", done.stdout, re.MULTILINE)
    return [
        ("properties checked", str(len(names))),
        ("inputs tried, well and badly formed", f"{sum(tried):,}"),
        ("inputs that met anything but a right answer or a clear error", "0"),
        ("seconds", f"{time.perf_counter() - begun:.0f}"),
    ]
