"""Child process that does not outlive its parent: `python -m ops.local.child MODULE ...`.

The parent holds the other end of the child's standard input. When that closes, however the parent
ended (kill -9 included), the child gets the SIGTERM that the parent could not send any more.
"""

import os
import runpy
import signal
import sys
import threading


def _watch_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Runs the module that the first argument names, as `python -m` does."""
    threading.Thread(target=_watch_parent, name="parent", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
