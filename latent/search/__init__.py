"""How values were chosen: single trials, and sweeps over ranges."""
