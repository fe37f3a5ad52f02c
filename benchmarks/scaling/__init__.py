"""What becomes of a training on 8, 64 and 512 GPUs, from what is measured here: `python -m benchmarks.scaling` writes docs/scaling.md."""
