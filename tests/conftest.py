"""What holds for all tests; set before torch or transformers are imported."""

import os

from hypothesis import settings

# Nothing asks the network, and `transformers` prints nothing.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
# Tiny models gain nothing from threads, and lose a lot when other work keeps the cores busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples every time, and no clock: other work on the machine must not fail a test.
settings.register_profile("hornbook", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("hornbook")
