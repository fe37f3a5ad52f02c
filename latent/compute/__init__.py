"""How the computing is done: on which device, in which processes, by which kernels."""
