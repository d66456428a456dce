collect_ignore = ["run.py", "fixed_examples.py"]  # programs of `make array-api-tests`
