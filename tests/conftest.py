"""What holds for all tests; set before torch or transformers are imported."""

import atexit
import contextlib
import functools
import gc
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from hornbook.core import machine, pool
from hornbook.core.home import home
from hornbook.tokenize import fast

# Nothing asks the network, and `transformers` prints nothing.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
# Messages are compared in English, whatever the language of who runs the tests.
os.environ["LC_ALL"] = "C.UTF-8"
# Tiny models gain nothing from threads, and lose a lot when other work keeps the cores busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Rewriting the tests' asserts takes seconds of each process, unless the result is kept.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Where this is installed, jsonschema imports it, which takes two seconds of each process, for a
# format of addresses that no schema here names.
sys.modules.setdefault("rfc3987_syntax", None)

# A shell's background jobs ignore Ctrl-C, and so would the commands that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A home of the tests' own, with the models that were pulled and the kernels that were built:
# nothing else that tests leave there counts.
_OWN, _HOME = home(), Path(tempfile.mkdtemp(prefix="hornbook-tests-"))
(_OWN / "kernels").mkdir(parents=True, exist_ok=True)
for name in ("models", "kernels"):
    (_HOME / name).symlink_to((_OWN / name).absolute())
os.environ["HORNBOOK_HOME"] = str(_HOME)
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

# A process measures this machine once, not for each of the runs that its tests train.
_sustained, _seconds = machine.sustained, {}


def sustained(work, *given):
    """Seconds of a call, as measured the first time that work of this name was measured."""
    name = work.__qualname__
    if name not in _seconds:
        _seconds[name] = _sustained(work, *given)
    return _seconds[name]


# Every new tokenizer is tried with thousands of texts, which takes a tenth of a second: a part of
# them is enough here.
_probe_texts = fast.probe_texts
fast.probe_texts = lambda words: _probe_texts(words)[:300]

# A test that wants processes says how many (`Local(2)`): each of them takes a second to start.
pool.processors = lambda: range(1)

# What tests write need not outlive a loss of power: each wait for the disk is milliseconds.
os.fsync = lambda descriptor: None

machine.sustained = sustained
machine._matmul_rate = functools.cache(machine._matmul_rate)

# The same examples every time, and no clock: other work on the machine must not fail a test.
settings.register_profile("hornbook", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("hornbook")


@contextlib.contextmanager
def process_as_it_was():
    """Commands run in the tests' own process, and a command changes where Python looks."""
    environment, path = dict(os.environ), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)


@pytest.fixture(autouse=True)
def process_left_as_it_was():
    with process_as_it_was():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef):
    """What several tests share is made before any fixture of one test begins."""
    if fixturedef.scope == "function":
        return (yield)
    with process_as_it_was():
        return (yield)


TOGETHER = ("tests/serve/", "tests/evaluate/", "tests/tokenize/", "tests/test_")
"""Files that share what is made once a process: servers, models, tokenizers, our parsed source."""
LONGEST = (
    "tests/serve/", "test_classify.py", "test_finetune.py", "test_resume.py", "test_families.py",
    "test_life.py", "test_outputs.py", "test_compare.py", "test_tables.py", "test_learned_rules.py",
)  # fmt: skip


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With --dist loadfile whole files by turns, in our order, and some of them to one process."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next((start for start in TOGETHER if file.startswith(start)), file)

    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_collection_finish():
    """What was imported stays: to look through it for garbage takes a tenth of the whole time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_collection_modifyitems(items):
    """Long files first: otherwise one processor waits for another's last one."""
    items.sort(key=lambda item: not any(name in item.nodeid for name in LONGEST))


def pytest_runtest_setup(item):
    """Real data are found by one variable, and missed by one reason."""
    if item.get_closest_marker("data") and not os.environ.get("HORNBOOK_DATA"):
        pytest.skip("HORNBOOK_DATA does not name the folder of data sets")
