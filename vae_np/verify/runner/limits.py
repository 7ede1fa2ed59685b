"""What a learner's process may use, as far as the system enforces it; its children inherit the limits."""

import math
from contextlib import suppress

FILE_SIZE = 100 * 2**20
OPEN_FILES = 256
PROCESSES = 64  # counted by the warden: the system's own limit is one for all that the user runs


def limit_resources(seconds: float, memory: int) -> None:
    """Limit processor time, address space, the size of a file and the number of open ones; no core dumps.

    Parameters
    ----------
    seconds
        Wall-clock limit of the run. Processor time gets one more, so it matters to processes out of reach.
    memory
        Bytes of address space of each process.
    """
    try:
        import resource
    except ImportError:  # not on this system
        return

    def limit(kind: int, soft: int, hard: int) -> None:
        most = resource.getrlimit(kind)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        with suppress(OSError, ValueError):  # macOS knows RLIMIT_AS and refuses it
            resource.setrlimit(kind, (soft, hard))

    processor = math.ceil(seconds) + 1
    limit(resource.RLIMIT_CPU, processor, processor + 1)  # at the first a signal, at the second the end
    limit(resource.RLIMIT_AS, memory, memory)
    limit(resource.RLIMIT_FSIZE, FILE_SIZE, FILE_SIZE)
    limit(resource.RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES)
    limit(resource.RLIMIT_CORE, 0, 0)
