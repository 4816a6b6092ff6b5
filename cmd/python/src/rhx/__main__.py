"""``python -m rhx``: the program itself."""

from __future__ import annotations

import os
import subprocess
import sys

from ._errors import NotInstalled
from ._process import find


def main() -> int:
    """Become rhx; where a process cannot, wait for it."""
    try:
        argv = [find(), *sys.argv[1:]]
    except NotInstalled as e:
        print(f"rhx: {e}", file=sys.stderr)
        return 1
    if os.name != "nt":
        os.execv(argv[0], argv)
    try:
        return subprocess.call(argv)
    except KeyboardInterrupt:  # rhx got it, too
        return 130


if __name__ == "__main__":
    sys.exit(main())
