"""The learner's side: load the file, call its function with the arguments that come, send back the arrays."""

import os
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, BinaryIO

from vae_np.errors import InputError
from vae_np.verify.outputs import WrongOutputError, as_arrays, call, where_raised
from vae_np.verify.runner.wire import MOST_BYTES, packed, read_message

LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname", "socket.getnameinfo")
ADDRESSED = ("socket.connect", "socket.sendmsg", "socket.sendto")


def serve(file: Path, function: str, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer calls until there are no more.

    Parameters
    ----------
    file, function
        What to load.
    requests, replies
        Each request names the outputs and holds the arguments; the first reply says that the file is loaded.
    """
    process = os.getpid()

    def reply(fields: dict[str, Any], *arrays: Any) -> None:  # noqa: ANN401
        if os.getpid() != process:  # the function has forked, and both have come back
            os._exit(0)
        replies.write(packed(fields, arrays))
        replies.flush()

    sys.addaudithook(_refuse_network)
    try:
        fn = load(file, function)
    except InputError as error:
        return reply({"input_error": str(error)})
    except WrongOutputError as wrong:
        return reply({"wrong": str(wrong)})
    reply({"loaded": True})
    while True:
        try:
            request, arrays = read_message(requests, text=True)
        except EOFError:
            return None
        values = iter(arrays)
        arguments = [next(values) if given is None else given for given in request["arguments"]]
        try:
            outputs = as_arrays(request["outputs"], call(fn, arguments))
            if sum(output.nbytes for output in outputs) > MOST_BYTES:
                shapes = ", ".join(f"{output.shape}" for output in outputs)
                raise WrongOutputError(f"it returns far too many values: the shape is {shapes}")
        except WrongOutputError as wrong:
            reply({"wrong": str(wrong)})
        except BaseException as raised:  # KeyboardInterrupt, or raised while we look at what it returned
            reply({"wrong": f"it raises {where_raised(raised, str(file))}"})
        else:
            reply({}, *outputs)


def load(file: Path, function: str) -> Callable[..., Any]:
    """Run the learner's file and take the function out of it.

    Parameters
    ----------
    file
        An absolute path. Modules beside it can be imported, but do not stand in for installed ones.
    function
        The name.

    Returns
    -------
    callable
        The function.

    Raises
    ------
    InputError
        If the file has nothing of that name.
    WrongOutputError
        If running the file fails, or what has the name is no function.
    """
    name = f"checked_{file.stem}"
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look a module up by its name
    sys.path.append(str(file.parent))
    try:
        spec.loader.exec_module(module)
    except SystemExit as ended:
        raise WrongOutputError(f"the file ends itself with SystemExit: {ended}") from None
    except SyntaxError as wrong:
        line = f", in line {wrong.lineno}" if wrong.lineno else ""
        raise WrongOutputError(f"the file is no Python: {wrong.msg}{line}") from None
    except BaseException as raised:  # in a process of its own, whatever comes is about the file
        raise WrongOutputError(f"the file raises {where_raised(raised, str(file))}") from None
    if not hasattr(module, function):
        names = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        known = ", ".join(names) or "none (what stands under __main__ is not run)"
        raise InputError(f"{file.name} has no function {function}: it has {known}")
    found = getattr(module, function)
    if not callable(found):
        raise WrongOutputError(f"{function} is a {type(found).__name__}, not a function")
    return found


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Say plainly that there is no network; sockets within the machine may be.

    Their address is a path. Where there is none, the socket is connected already.
    """
    away = event in ADDRESSED and not isinstance(arguments[-1], str | bytes | None)
    if away or event in LOOKUPS:
        raise PermissionError("a file that is checked opens no network connection")
