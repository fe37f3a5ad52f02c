"""Tests run on the embedded stand-ins with results in a folder of their own; tests of real data ask for it by name."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REAL_DATA = Path(os.environ.get("LATENT_DATA", Path(__file__).parents[2] / "shared/data")).resolve()

# Tests of many inputs: a few of them in `make test`, the same every time; many new ones in `make soak`.
_ANY = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("fast", max_examples=12, derandomize=True, database=None, **_ANY)
settings.register_profile("soak", max_examples=int(os.environ.get("LATENT_SOAK_EXAMPLES", 500)), database=None, **_ANY)
settings.load_profile("fast")


@pytest.fixture(autouse=True)
def embedded(monkeypatch, tmp_path):
    """No test reads or writes the project's real results or data by accident."""
    monkeypatch.setenv("LATENT_DATA", "embedded")
    monkeypatch.setenv("LATENT_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("LATENT_RECIPE", "tiny")


@pytest.fixture
def real_data(monkeypatch):
    """The real MNIST and CIFAR-10; skipped where they are not at hand."""
    if not (REAL_DATA / "cifar-10-batches-py").is_dir():
        pytest.skip("no real data: set LATENT_DATA")
    monkeypatch.setenv("LATENT_DATA", str(REAL_DATA))
    return REAL_DATA
