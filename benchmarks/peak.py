"""Run a script and print the peak memory of its process: `PYTHON peak.py SCRIPT ARGUMENTS...`.

It needs nothing but Python, so it runs in the environment of any tool. The last line printed is JSON.
"""

import json
import resource
import runpy
import sys

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6))
