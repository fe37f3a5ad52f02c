"""What is kept, whole or not at all: results, checkpoints, files."""
