"""How fast the project is, each figure beside what it is compared with: `python -m benchmarks`."""
