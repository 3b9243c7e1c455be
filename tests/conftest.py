"""What holds for all tests; set before torch or transformers are imported."""

import os

# Nothing asks the network, and `transformers` prints nothing.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
# Tiny models gain nothing from threads, and lose a lot when other work keeps the cores busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")
