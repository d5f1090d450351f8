"""What the whole suite needs of a process: Ctrl-C, and one thread a worker.

A shell that starts the suite in the background has it ignore Ctrl-C; tests that interrupt runs need it back. Workers of
pytest share the cores: with BLAS and OpenMP on as many threads as there are cores in each, small products wait for one
another in loops, and tests of a second took minutes.
"""

import os
import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # read when a library is loaded
    os.environ.setdefault(_name, "1")
_THREADS = int(os.environ["OMP_NUM_THREADS"]) if os.environ["OMP_NUM_THREADS"].isdigit() else 1


def pytest_runtest_setup():
    """Give each test torch as the suite set it, whatever an earlier one left."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads") and torch.get_num_threads() != _THREADS:
        torch.set_num_threads(_THREADS)
