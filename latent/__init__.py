"""Six small image encoders with a 128-dimensional latent, and everything that trains, shows and judges them."""

__version__ = "1.0.0"
