"""Model files: detecting their format, reading BSON, JLD2 and safetensors, and writing files atomically."""
