collect_ignore = ["run.py", "fixed_examples.py"]  # `make array-api-tests` runs another suite with them
