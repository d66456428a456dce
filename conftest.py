"""What all tests share: one thread per framework, and quiet frameworks."""

import os

# Idle worker threads that spin slow every other process down on a small machine; the tests are small.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
