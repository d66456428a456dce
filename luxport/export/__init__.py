"""Export of models to files that run without Python: `luxport.to_onnx`."""
