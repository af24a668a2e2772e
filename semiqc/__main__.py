"""The process of the command ``semiqc``, which is ``python -m semiqc``, too.

It ends with the exit code of the command, whenever Ctrl-C comes: also while the command is being
loaded, and once it is done.
"""

import atexit
import os
import signal
import sys
from functools import partial
from typing import NoReturn

from semiqc.files.interrupts import INTERRUPTED


def program() -> NoReturn:
    """Do what the words of the process say, and end it."""
    # Called last of all: as Python ends, an interrupt would kill it and change the exit code.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    try:
        from semiqc.cli import main

        code = main()
    except KeyboardInterrupt:
        code = INTERRUPTED
        print("semiqc: interrupted", file=sys.stderr)
    # Threads of libraries may still be waited for. In the background there is no Ctrl-C.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, partial(_end, code))
    sys.exit(code)


def _end(code: int, *_: object) -> NoReturn:
    """Wait for nothing any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    program()
