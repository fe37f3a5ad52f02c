"""Long tests, run by `make soak`: each module is one kind of trouble and gives the rows that results/reliability.md shows."""
