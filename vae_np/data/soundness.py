"""Whether the indices of a sparse matrix point into it: compiled code believes them, and may crash."""

from typing import Any

from vae_np.errors import InputError, first_line


def require_sound(x: Any, where: str) -> None:  # noqa: ANN401 - a sparse matrix of any form
    """Raise `InputError` if an index of a sparse matrix points outside of it.

    Parameters
    ----------
    x
        CSR and CSC are looked at; SciPy itself looks at the other forms.
    where
        What to call it in a message.
    """
    if getattr(x, "format", None) not in ("csr", "csc"):
        return
    try:
        x.check_format(full_check=True)
    except ValueError as error:
        raise InputError(f"{where} is a damaged sparse matrix ({first_line(error)}): make it anew") from error
