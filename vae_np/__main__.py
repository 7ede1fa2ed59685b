"""The process: `vae-np` and `python -m vae_np` begin and end here."""

import sys

from vae_np.signals import ignore_signals, raise_on_signals


def run() -> int:
    """Run the program with the words of the command line and return its exit status.

    A signal to end is answered in one line at any time: also while the program is loaded, when `main` cannot
    answer it yet, and when it is done.
    """
    try:
        raise_on_signals()
        from vae_np.cli import main

        return main()
    except KeyboardInterrupt as ended:
        print("vae-np: interrupted", file=sys.stderr)
        return 128 + getattr(ended, "number", 2)
    finally:
        ignore_signals()


if __name__ == "__main__":
    sys.exit(run())
