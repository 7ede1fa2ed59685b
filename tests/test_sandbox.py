"""The learner's code runner: every kind of endless loop ends in time, and nothing of it is left behind."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import vae_np
from vae_np.cli import main
from vae_np.errors import InputError
from vae_np.verify import sandbox
from vae_np.verify.runner import linux
from vae_np.verify.runner.environment import scrubbed
from vae_np.verify.runner.folder import remove, temporary_folder
from vae_np.verify.runner.relay import MOST_PRINTED, harmless, relay
from vae_np.verify.runner.search import own_modules
from vae_np.verify.runner.wire import packed, read_message, send
from vae_np.verify.sandbox import check_file

LINUX = sys.platform == "linux"
linux_only = pytest.mark.skipif(not LINUX, reason="only Linux lets a process adopt all of its descendants")
RIGHT = """
import os, sys
import numpy as np
def right(mu, log_var):
    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
"""


@pytest.fixture
def checked(tmp_path):
    """Check the function f of a file with these lines before and in it: the answer, the seconds it took."""

    def run(body, before="", **limits):
        file = tmp_path / "student.py"
        inside = "".join(f"    {line}\n" for line in body.splitlines())
        file.write_text(f"{RIGHT}{before}\ndef f(mu, log_var):\n{inside}    return right(mu, log_var)\n")
        start = time.monotonic()
        answer = check_file("kl-closed", f"{file}:f", **limits)
        assert answer.keys() == {"label", "ok", "message", "terms", "outputs"}
        assert len(answer["message"].splitlines()) == 1
        assert answer["message"].isprintable()
        assert left_over(tmp_path) == []
        return answer, time.monotonic() - start

    return run


def left_over(folder):
    """Processes that have this folder in their command line, which all descendants of a check inherit."""
    found = []
    for entry in Path("/proc").glob("[0-9]*") if LINUX else ():
        with suppress(OSError):
            if int(entry.name) != os.getpid() and str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


# ---------------------------------------------------------------------------------------- endless loops

DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: pass
    os._exit(0)
"""
LOOPS = {
    "plain": "while True: pass",
    "in C code": "pow(3, 10**9)",
    "in a regular expression": "import re; re.match('(a*)*b', 'a' * 60)",
    "deaf to signals": (
        "import signal\n"
        "for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "while True: pass"
    ),
    "catching everything": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "asleep": "import time; time.sleep(1000)",
    "waiting for a thread": (
        "import threading\nthread = threading.Thread(target=lambda: [0 for _ in iter(int, 1)])\n"
        "thread.start(); thread.join()"
    ),
    "waiting for a child": "if os.fork() == 0:\n    while True: pass\nos.wait()",
    "beside a daemon": DAEMON + "while True: pass",
    "in a destructor": "class A:\n    def __del__(self):\n        while True: pass\ndel_ = A(); del del_",
    "printing": "while True: print('x' * 1000)",
}


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_an_endless_loop_ends_in_time_and_leaves_no_process(checked, loop):
    """The bound: the limit, the warden's second, and what a busy machine takes to start and end processes."""
    answer, seconds = checked(LOOPS[loop], seconds=2)
    print(f"{loop}: {seconds:.2f} s with a limit of 2 s")
    assert answer["message"] == "wrong; it did not finish within 2 s: look for an endless loop"
    assert 2 <= seconds < 10


def test_an_endless_loop_while_the_file_is_loaded_ends_in_time(checked):
    answer, seconds = checked("pass", before="while True: pass", seconds=1)
    assert "did not finish within 1 s" in answer["message"]
    assert seconds < 9


@linux_only
@pytest.mark.parametrize(
    "daemon",
    [
        DAEMON,
        "import subprocess\nsubprocess.Popen(['sleep', '1000', os.path.abspath(__file__)], env={}, "
        "start_new_session=True)",
    ],
    ids=["forked twice", "a program with an empty environment"],
)
def test_a_right_answer_leaves_no_daemon_behind(checked, daemon):
    """`checked` looks for processes that are left: a right function may have started some."""
    answer, _ = checked("pass", before=daemon)
    assert answer["message"] == "right"


def test_loops_when_the_file_is_done_are_not_waited_for(checked):
    answer, seconds = checked(
        "pass",
        before="import atexit, threading\n"
        "def loop():\n    while True: pass\n"
        "atexit.register(loop)\nthreading.Thread(target=loop).start()",
        seconds=60,
    )
    assert answer["ok"]
    assert seconds < 50


@linux_only
def test_the_number_of_processes_is_bounded(checked, capfd):
    """A hundred that sleep, each of which would otherwise be there at once; the test bounds its own bomb."""
    answer, seconds = checked(
        "import time\nfor _ in range(100):\n    if os.fork() == 0:\n        time.sleep(60)\nos.wait()"
    )
    assert "started too many processes" in answer["message"]
    assert "more than 64 processes" in capfd.readouterr().err
    assert seconds < 25


@pytest.fixture
def busy(tmp_path):
    """The command line at work on an endless function, and its folder."""
    file, ready = tmp_path / "student.py", tmp_path / "ready"
    file.write_text(f"def f(mu, log_var):\n    open({str(ready)!r}, 'w').close()\n    while True: pass\n")
    command = [sys.executable, "-m", "vae_np", "check", "kl-closed", f"{file}:f"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        wait_for(ready.exists)
        yield process, tmp_path
        wait_for(lambda: left_over(tmp_path) == [], seconds=10)  # well before the file's own limit


def test_when_the_caller_is_interrupted_the_file_is_ended(busy):
    process, folder = busy
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "\nvae-np: interrupted\n")
    assert left_over(folder) == []
    assert sorted(path.name for path in folder.iterdir()) == ["ready", "student.py"]


@linux_only
def test_when_the_caller_is_killed_the_file_is_ended(busy):
    """The fixture waits for it."""
    busy[0].kill()


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


FULL = """
import fcntl, signal, stat, time
pipes = [n for n in range(3, 20) if os.path.exists(f"/dev/fd/{n}") and stat.S_ISFIFO(os.fstat(n).st_mode)]
requests = min(pipes, key=lambda n: fcntl.fcntl(n, fcntl.F_GETFL) & os.O_ACCMODE)  # O_RDONLY is 0
(replies,) = set(pipes) - {requests}
again = os.open(f"/proc/self/fd/{requests}", os.O_WRONLY | os.O_NONBLOCK)
try:
    while True: os.write(again, bytes(4096))
except BlockingIOError: pass
os.kill(os.getppid(), signal.SIGSTOP)
os.write(replies, b'{"loaded": true, "arrays": []}\\n')
time.sleep(15)
os._exit(0)
"""


@linux_only
def test_a_file_that_stops_the_clock_and_reads_nothing_ends_in_time(checked, monkeypatch):
    """It stops the process that watches it, and fills the pipe through which it is called."""
    monkeypatch.setattr(sandbox, "PATIENCE", 1)
    answer, seconds = checked("pass", before=FULL, seconds=3)
    assert "did not finish within 3 s" in answer["message"]
    assert seconds < 12


def test_a_pipe_that_is_full_is_given_up():
    reader, writer = os.pipe()
    with pytest.raises(TimeoutError):
        send(writer, bytes(2**20), seconds=0.1)
    os.read(reader, 2**20)
    send(writer, b"message", seconds=1)
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        send(writer, b"message", seconds=1)
    os.close(writer)


# ---------------------------------------------------------------------------------- other misbehaviour


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("np.ones(10**9)", "it raises MemoryError"),
        ("a = []\nwhile True: a.append(bytearray(10**7))", "it raises MemoryError"),
        ("open('big', 'wb').write(bytes(2 * 10**8))", "it raises OSError: [Errno 27] File too large"),
        ("a = [open(os.devnull) for _ in range(5000)]", "Too many open files"),
        ("input()", "it raises EOFError"),
        ("sys.stdin.read()", "right"),
        ("sys.exit(0)", "it raises SystemExit: 0"),
        ("raise KeyboardInterrupt", "it raises KeyboardInterrupt, in line"),
        ("raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})", "it raises E"),
        (
            r"raise ValueError('\x1b]0;title\x07 \ud800')",
            "it raises ValueError: \N{REPLACEMENT CHARACTER}]0;",
        ),
        ("f(mu, log_var)", "it raises RecursionError"),
        ("os._exit(0)", "the file ended the process with exit status 0 before the check was done"),
        ("os._exit(7)", "the file ended the process with exit status 7 before the check was done"),
        ("os.kill(os.getpid(), 15)", "the process was ended by signal 15"),
        ("os.killpg(0, 9)", "the process was ended by signal 9"),
        ("import ctypes; ctypes.string_at(0)", "the process was ended by signal 11"),
        ("os.closerange(0, 1000)", "the file ended the process with exit status 1"),
        ("import warnings; warnings.simplefilter('error'); warnings.warn('w')", "it raises UserWarning: w"),
        ("return np.ones((3000, 3000))", "it returns far too many values: the shape is (3000, 3000)"),
        ("return np.array([object()])", "kl holds values of type object"),
        ("os.fork()", "right"),
        ("[os.close(n) for n in (1, 2) if os.path.exists(f'/dev/fd/{n}')]", "right"),
        ("sys.stdout = sys.stderr = None", "right"),
        ("print('\\ud800')", "right"),
        ("os.chdir('/')", "right"),
        ("import shutil; shutil.rmtree(os.environ['HOME'], ignore_errors=True)", "right"),
        ("import threading\nthreading.active_count() > 9 or threading.Timer(60, print).start()", "right"),
        ("import logging; logging.error('x')", "right"),
    ],
)
def test_whatever_a_function_does_is_one_sentence(checked, body, says):
    answer, _ = checked(body, memory=2**30)
    assert says in answer["message"]
    assert answer["ok"] == (says == "right")


def test_the_memory_limit_holds_for_processes_that_the_file_starts(checked):
    hungry = "import subprocess\nsubprocess.run([sys.executable, '-c', 'bytearray(3 * 2**30)'], check=True)"
    answer, _ = checked(hungry, memory=2 * 2**30)
    assert "CalledProcessError" in answer["message"]


def test_a_name_that_is_no_function_is_a_report(tmp_path):
    file = tmp_path / "student.py"
    file.write_text("x = 3\n")
    assert check_file("kl-closed", f"{file}:x")["message"] == "wrong; x is a int, not a function"


def test_the_function_must_give_the_same_again(tmp_path):
    """A function with a state of its own is called in one process: it is seen."""
    file = tmp_path / "student.py"
    file.write_text(
        f"{RIGHT}calls = []\ndef f(mu, log_var):\n    calls.append(1)\n"
        "    return right(mu, log_var) + len(calls)\n"
    )
    assert "another result for the same arguments" in check_file("kl-closed", f"{file}:f")["message"]


def test_labels_and_numbers_arrive_as_they_are(tmp_path):
    file = tmp_path / "student.py"
    file.write_text(
        "from vae_np.scgen.delta import delta_balanced as delta\n"
        "from vae_np.train.adam import adam_update\n"
        "def adam(theta, grad, m, v, t, lr, beta1, beta2, epsilon):\n"
        "    assert type(t) is int and type(lr) is float\n"
        "    return adam_update(theta, grad, m, v, t, lr, beta1, beta2, epsilon)\n"
    )
    assert check_file("delta-balanced", f"{file}:delta")["ok"]
    assert check_file("adam-step", f"{file}:adam")["ok"]


# ------------------------------------------------------------------------- a verdict cannot be forged

FORGERIES = {
    "the checker is replaced": (
        "import vae_np.verify.check as c\nc.check = c._compare = c._errors = lambda *a, **k: None\n"
        "c.BOUND = 1e9"
    ),
    "the right function is replaced": (
        "import vae_np.elbo as e, vae_np.elbo.gaussian as g\n"
        "e.kl_standard_normal = g.kl_standard_normal = lambda mu, log_var: mu[:, 0]"
    ),
    "a verdict is written into every pipe": (
        'verdict = b\'{"ok": true, "message": "right", "arrays": []}\\n\' * 50\n'
        "for n in range(3, 100):\n    try: os.write(n, verdict)\n    except OSError: pass"
    ),
    "a reason is nested as deep as JSON goes": (
        "reason = b'{\"arrays\": [], \"wrong\": ' + b'[' * 950 + b']' * 950 + b'}\\n'\n"
        "for n in range(3, 100):\n    try: os.write(n, reason)\n    except OSError: pass"
    ),
    "numpy finds everything equal": "np.abs = lambda x: np.zeros(1)\nnp.array_equal = lambda *a: True",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_verdict_cannot_be_forged_from_within(tmp_path, forgery):
    file = tmp_path / "student.py"
    file.write_text(
        f"import os\nimport numpy as np\n{FORGERIES[forgery]}\ndef f(mu, log_var):\n    return mu[:, 0]\n"
    )
    answer = check_file("kl-closed", f"{file}:f")
    assert not answer["ok"]
    assert answer["message"].startswith("wrong; ")


PLANTED = "import os\nos.write(1, b'kl-closed: right\\n')\nos._exit(0)\n"
PLANT = f"""
for name in ("decimal", "fractions", "numba", "statistics", "threadpoolctl"):
    with open(os.path.join(os.path.dirname(__file__), name + ".py"), "w") as module:
        module.write({PLANTED!r})
"""


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_modules_beside_the_file_do_not_stand_in_for_the_checkers(tmp_path, when):
    """`python -m` looks into the current folder first."""
    file = tmp_path / "student.py"
    file.write_text(f"import os\n{PLANT}\ndef f(mu, log_var):\n    return mu[:, 0]\n")
    if when == "before":
        exec(PLANT, {"os": os, "__file__": str(file)})
    command = [sys.executable, "-m", "vae_np", "check", "kl-closed", "student.py:f"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.stdout.startswith("kl-closed: wrong; ")
    assert result.returncode == 1


LATE = """
import contextlib, sys
from vae_np.verify import sandbox

class Remote:
    ended = ""
    def __init__(self, child, outputs, start, seconds):
        self.before = set(sys.modules)
    def wait_until_loaded(self):
        pass
    def __call__(self, *arguments):
        return arguments[0][0]

@contextlib.contextmanager
def warden(order, folder):
    before = set(sys.modules)
    yield
    assert set(sys.modules) == before, set(sys.modules) - before

sandbox.RemoteFunction, sandbox._warden = Remote, warden
for label in ("kl-closed", "objective", "grad-leaky-relu"):
    assert not sandbox.check_file(label, sys.argv[1] + ":f", level=3)["ok"]
"""


def test_nothing_is_imported_once_a_file_is_running(tmp_path):
    """In a library's caller, too, whose current folder is where modules are looked for."""
    (tmp_path / "student.py").touch()
    command = [sys.executable, "-c", LATE, str(tmp_path / "student.py")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr == ""


def test_the_package_is_still_found_when_it_lies_in_the_current_folder(tmp_path, monkeypatch):
    root = str(Path(vae_np.__file__).parents[1])
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "/elsewhere"])
    monkeypatch.chdir(root)
    with own_modules(tmp_path / "student.py"):
        assert sys.path == ["/elsewhere", ""]
    assert sys.path == ["", str(tmp_path), "/elsewhere"]


WITHOUT_TRACING = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(24, 19, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_SYS_PTRACE: what is root's alone
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
REACH = """
parent = os.getppid()
for pid in (parent, int(open(f"/proc/{parent}/stat").read().split()[3])):
    for name in ("fd/1", "mem"):
        try: os.open(f"/proc/{pid}/{name}", os.O_WRONLY)
        except PermissionError: print("refused")
"""


@linux_only
def test_the_checkers_processes_are_out_of_reach(tmp_path):
    """For others than root, who may trace all processes; the test gives that up."""
    file = tmp_path / "student.py"
    file.write_text(f"{RIGHT}{REACH}")
    check = ["-m", "vae_np", "check", "kl-closed", f"{file}:right"]
    command = [sys.executable, "-c", WITHOUT_TRACING, *check]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("kl-closed: right\n", "refused\n" * 4)


@linux_only
def test_afterwards_the_caller_is_as_reachable_as_before():
    def reachable():
        return linux._prctl(linux.PR_GET_DUMPABLE, 0)

    before = reachable()
    with linux.out_of_reach():
        assert reachable() == 0
    assert reachable() == before


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\n",
        b"[]\n",
        b"[" * 50_000 + b"\n",
        b'{"arrays": [["<f8", [-1]]]}\n',
        b'{"arrays": [["<f8", [1e3]]]}\n',
        b'{"arrays": [["<f8", [10000000, 10000000]]]}\n',
        b'{"arrays": [["|O8", [1]]]}\n',
        b'{"arrays": [["<f3", [1]]]}\n',
        b'{"arrays": [["<U0", [16777216, 8]]]}\n',
        b'{"arrays": [[1, 2]]}\n',
        b'{"arrays": ' + b"x" * 2**17,
    ],
)
def test_what_is_no_message_is_refused_before_memory_is_taken(sent, text):
    with pytest.raises(ValueError):  # noqa: PT011 - Python's own, or ours: both are caught as that
        read_message(BytesIO(sent), text)


def test_text_is_refused_where_numbers_are_expected():
    with pytest.raises(ValueError, match="no array of numbers"):
        read_message(BytesIO(packed({}, [np.array(["a"])])))


def test_messages_arrive_as_they_were_sent(rng):
    arrays = [
        rng.normal(size=(2, 3)),
        np.zeros((0, 4)),
        np.array(True),
        np.array(["a", "bc"]),
        np.arange(3)[::-1],
    ]
    fields, got = read_message(BytesIO(packed({"x": 0.1}, arrays)), text=True)
    assert fields == {"x": 0.1}
    for sent, array in zip(arrays, got, strict=True):
        assert array.dtype == sent.dtype
        np.testing.assert_array_equal(array, sent)
        array[...] = array  # it can be written
    with pytest.raises(EOFError):
        read_message(BytesIO(packed({}, arrays)[:-1]), text=True)
    with pytest.raises(EOFError):
        read_message(BytesIO())


# ----------------------------------------------------------------------------- output, folder, environment


def test_what_is_printed_is_bounded_and_steers_no_terminal(checked, capfd):
    answer, _ = checked("pass", before=r"print('\x1b[2J\x07hello' + 'x' * 5_000_000); print('the end')")
    assert answer["ok"]
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}hello")
    assert err.count("x") == MOST_PRINTED - len(b"\x1b[2J\x07hello")
    assert err.endswith("vae-np: the file printed more than 1 MB: the rest is left out\n")


def test_an_ending_pipe_on_the_other_side_does_not_stop_the_relay():
    reader, writer = os.pipe()
    os.write(writer, "ä€\x9b\r\n\t".encode())
    os.close(writer)
    gone, target = os.pipe()
    os.close(gone)
    relay(reader, target)
    os.close(reader)
    os.close(target)
    assert harmless("ä€\x9b\r\n\t") == "ä€\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\n\t"


def test_json_and_output_do_not_mix(tmp_path, capfd):
    file = tmp_path / "student.py"
    file.write_text(f"{RIGHT}print('noise')\nos.write(1, b'more')\n")
    assert main(["check", "kl-closed", f"{file}:right", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["ok"] is True
    assert err == "noise\nmore"


def test_the_folder_is_temporary_and_gone_afterwards(checked, tmp_path, capfd):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    answer, _ = checked(
        "pass",
        before=f"import tempfile\nos.symlink({str(kept)!r}, 'link')\nos.makedirs('closed/inner')\n"
        "open('closed/file', 'w').close(); os.chmod('closed', 0)\n"
        "print(os.getcwd(), tempfile.gettempdir(), os.path.expanduser('~'), sep='|')\n",
    )
    assert answer["ok"]
    folders = set(capfd.readouterr().err.strip().split("|"))
    assert len(folders) == 1
    folder = Path(folders.pop())
    assert folder.name.startswith("vae_np-")
    assert not folder.exists()
    assert (kept / "file").read_text() == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "student.py"]


REMOVE = """
import os, sys
from pathlib import Path
from vae_np.verify.runner.folder import remove
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
folder = Path(sys.argv[1]) / "folder"
os.makedirs(folder / "outer" / "inner")
(folder / "outer" / "inner" / "0").write_text("x")
(folder / "0").mkdir()
(folder / "loop").symlink_to(folder)
os.chmod(folder / "outer" / "inner", 0)
os.chmod(folder / "outer", 0o500)
os.chmod(folder, 0o500)
remove(folder)
print(folder.exists())
"""


def test_folders_without_permissions_are_removed():
    """As somebody whom permissions hold back, which root is not."""
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o777)
        command = [sys.executable, "-c", REMOVE, open_to_all]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("False\n", "")


def test_a_folder_deeper_than_any_path_may_be_is_removed():
    before = Path.cwd()
    with temporary_folder() as folder:
        os.chdir(folder)
        try:
            for _ in range(1100):
                os.mkdir("deeper")
                os.chdir("deeper")
        finally:
            os.chdir(before)
    assert not folder.exists()
    with temporary_folder() as folder:
        remove(folder)


def test_a_folder_that_fills_up_while_it_is_emptied_is_given_up(tmp_path, monkeypatch):
    unlink, names, end = os.unlink, count(), time.monotonic() + 3

    def replace(path):
        unlink(path)
        if time.monotonic() < end:
            (tmp_path / f"new{next(names)}").touch()

    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "unlink", replace)
    with pytest.raises(TimeoutError):
        remove(tmp_path, seconds=0.1)


def test_the_files_folder_is_importable_and_not_written_to(checked, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    (tmp_path / "beside.py").write_text("half = 0.5\n")
    (tmp_path / "table.txt").write_text("1\n")
    answer, _ = checked(
        "from beside import half\nassert half == 0.5", before="open(__file__[:-10] + 'table.txt')"
    )
    assert answer["message"] == "right"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beside.py", "student.py", "table.txt"]


def test_secrets_in_the_environment_are_not_seen(checked, monkeypatch, capfd):
    secrets = ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "SSH_AUTH_SOCK", "PASSWORD", "http_proxy"]
    for name in secrets:
        monkeypatch.setenv(name, "a secret")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    answer, _ = checked("pass", before="print(dict(os.environ))")
    assert answer["ok"]
    seen = capfd.readouterr().err
    assert "a secret" not in seen
    assert "'OPENBLAS_CORETYPE': 'Haswell'" in seen


def test_the_environment_is_a_list_of_what_may_pass(tmp_path):
    given = {"PATH": "/bin", "LC_ALL": "C", "TOKEN": "x", "HOME": "/root", "PYTHONPATH": f"a{os.pathsep}/b"}
    got = scrubbed(given, tmp_path)
    assert (got["PATH"], got["LC_ALL"]) == ("/bin", "C")
    assert "TOKEN" not in got
    assert got["HOME"] == got["TMPDIR"] == str(tmp_path)
    assert got["PYTHONPATH"] == f"{Path.cwd() / 'a'}{os.pathsep}/b"
    assert got["OPENBLAS_NUM_THREADS"] == "1"


def test_no_file_descriptor_is_inherited(checked, tmp_path, capfd):
    """Open are: the three, the two pipes, and the one through which the folder itself is listed."""
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        checked(
            "pass",
            before="for n in range(200):\n    try: print(os.readlink(f'/proc/self/fd/{n}'))\n"
            "    except OSError: pass",
        )
        (tmp_path / "secret").unlink()
    if LINUX:
        seen = capfd.readouterr().err.split()
        assert seen.count("/dev/null") <= 2
        assert all(name.startswith(("/dev/null", "pipe:")) for name in seen)
        assert len(seen) <= 6


NETWORK = {
    "connect": "socket.create_connection(('127.0.0.1', {port}), timeout=5)",
    "urllib": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}', timeout=5)",
    "sendto": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))",
    "sendmsg": "socket.socket(type=socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('127.0.0.1', {port}))",
    "a name": "socket.gethostbyname('localhost')",
    "a name, with others": "socket.gethostbyname_ex('localhost')",
    "an address": "socket.gethostbyaddr('127.0.0.1')",
    "an address, with its port": "socket.getnameinfo(('127.0.0.1', {port}), 0)",
}


@pytest.mark.parametrize("how", NETWORK)
def test_a_file_that_uses_the_network_is_told_so(checked, how):
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer, _ = checked("import socket; " + NETWORK[how].format(port=server.getsockname()[1]))
        assert "a file that is checked opens no network connection" in answer["message"]
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_sockets_within_the_machine_are_left_to_a_file(checked):
    """Multiprocessing needs them."""
    answer, _ = checked(
        "import socket\na, b = socket.socketpair()\na.sendmsg([b'x'])\nassert b.recv(1) == b'x'\n"
        "server = socket.socket(socket.AF_UNIX)\nserver.bind('s')\nserver.listen()\n"
        "socket.socket(socket.AF_UNIX).connect('s')\nos.unlink('s')"
    )
    assert answer["message"] == "right"


CONNECT = """
import subprocess
code = "import socket; socket.create_connection(('127.0.0.1', {port}), timeout=5)"
result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
assert result.returncode == 0, result.stderr.splitlines()[-1]
"""


@linux_only
def test_where_the_system_allows_it_there_is_no_network_at_all(checked):
    """A program that the file starts has none either; that needs a network namespace."""
    allowed = "import sys; from vae_np.verify.runner.linux import leave_the_network as f; sys.exit(not f())"
    if subprocess.run([sys.executable, "-c", allowed], check=False).returncode:
        pytest.skip("this system allows no network namespace")
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer, _ = checked(CONNECT.format(port=server.getsockname()[1]))
    assert "Network is unreachable" in answer["message"]


@linux_only
def test_another_user_than_root_stays_who_they_are():
    """In a user namespace, too, the user's number and the right to read the files are the same."""
    code = (
        "import os; from vae_np.verify.runner.linux import leave_the_network\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "before = os.getuid(), os.getgid(); leave_the_network(); assert (os.getuid(), os.getgid()) == before"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr == ""


def test_the_package_is_found_from_a_checkout_that_is_not_installed(tmp_path):
    """`python -m` in the folder of a checkout: the learner's process imports the same package."""
    root = Path(vae_np.__file__).parent
    shutil.copytree(root, tmp_path / "vae_np", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "student.py").write_text(RIGHT + "import vae_np\nprint(vae_np.__file__)\n")
    command = [sys.executable, "-m", "vae_np", "check", "kl-closed", "student.py:right"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout == "kl-closed: right\n"
    assert result.stderr == f"{tmp_path / 'vae_np' / '__init__.py'}\n"


def test_unknown_labels_are_refused_before_the_file_is_run(tmp_path, monkeypatch):
    monkeypatch.delattr(sandbox, "_warden")
    file = tmp_path / "student.py"
    file.write_text("while True: pass\n")
    with pytest.raises(InputError, match="there is no equation"):
        check_file("nonsense", f"{file}:f")


def test_every_test_that_the_security_page_names_exists():
    root = Path(__file__).parents[1]
    page = (root / "SECURITY.md").read_text(encoding="utf-8")
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (root / "tests").glob("test_*.py"))
    names = re.findall(r"`(test_\w+)`", page)
    assert len(names) >= 6
    assert [name for name in names if f"def {name}(" not in tests] == []
    assert all((root / path).is_file() for path in re.findall(r"`(tests/\S+)`", page))
