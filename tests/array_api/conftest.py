collect_ignore = ["run.py"]  # it runs another suite, which `make array-api-tests` does
