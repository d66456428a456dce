"""The contract of a layer and what works on all layers: setup, printing, counting, locating errors."""
