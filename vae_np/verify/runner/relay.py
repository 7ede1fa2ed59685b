"""What a learner's file prints, passed on: so much and no more, and nothing that steers a terminal."""

import codecs
import os

MOST_PRINTED = 2**20
NOTE = f"\nvae-np: the file printed more than {MOST_PRINTED // 2**20} MB: the rest is left out\n"


def harmless(text: str) -> str:
    """Replace what is not printable: a control character can move the cursor or change the window's title."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def relay(source: int, target: int) -> None:
    """Pass on what comes until nobody can write any more; beyond the limit it is read and dropped.

    Parameters
    ----------
    source, target
        File descriptors. If the target takes no more, the rest is dropped too.
    """
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    left = MOST_PRINTED
    while data := os.read(source, 2**16):
        if not left:
            continue
        text = harmless(decode(data[:left]))
        left -= min(left, len(data))
        try:
            write_all(target, (text if left else text + NOTE).encode())
        except OSError:
            left = 0


def write_all(target: int, data: bytes) -> None:
    """Write to a file descriptor, however much it takes at a time."""
    while data:
        data = data[os.write(target, data) :]
