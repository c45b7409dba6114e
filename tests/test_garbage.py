"""What the garbage collector closes: generators and blocks that were left suspended."""

import subprocess
import sys
from pathlib import Path


def test_collections_anywhere_neither_crash_nor_lose_a_span():
    """
    On CPython 3.11 a variable that is set by a finalizer, while another is being set, takes the process down.

    Twelve spans a round: three of the stream, two of the bare generator, four of finalizers, three outside.
    """
    program = Path(__file__).with_name("collected.py")
    run = subprocess.run([sys.executable, program, "300"], capture_output=True, text=True, timeout=100)

    assert ("3600\n", "", 0) == (run.stdout, run.stderr, run.returncode)
