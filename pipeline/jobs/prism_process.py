"""Becomes Prism, which by itself would outlive a killed parent.

Arguments: the parent's process, Prism, Prism's own arguments.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that the kernel sends when the parent dies."""


def main(parent: int, command: list[str]) -> None:
    """Run the command in our place, for as long as `parent` lives."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:  # it may have died before we asked
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
