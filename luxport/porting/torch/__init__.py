"""Convert PyTorch modules to luxport layers with their parameters and states, and luxport models to modules."""
