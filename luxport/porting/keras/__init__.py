"""Convert Keras 3 layers and models to luxport layers with their weights, and luxport models to Keras layers."""
