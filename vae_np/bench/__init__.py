"""Training speed: one step of training timed beside PyTorch's, and beside the published tools.

`torch_twin` is the published model in PyTorch, also an oracle for ours; `steps` the step of each
contestant; `measure` the stopwatch; `children` runs it in a process for each setting, `vae-np bench`
from the command line.
"""
