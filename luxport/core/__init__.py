"""The contract of a layer, and what every layer answers to. Knows no layer."""
