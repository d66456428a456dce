"""Models that leave Python: `luxport.to_onnx`."""
