"""The conformance suite: what every backend must mean, case by case and number by number."""
