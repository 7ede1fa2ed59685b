"""`python -m vae_np` is the same program as `vae-np`."""

import sys

from vae_np.cli import main

if __name__ == "__main__":
    sys.exit(main())
