"""Predictions that need no network; one that does not beat them has learned nothing worth having.

Every baseline answers the same question as the model, from the same training cells: what would these
control cells look like, stimulated? In one gene, with types a, b, c whose control means are 1, 2, 3 and
whose stimulated means are 2, 4, 6, and a target whose control cells are 3 and 5 (mean 4):

- *no change*: 3 and 5;
- *mean shift*: plus the mean change (1 + 2 + 3) / 3 = 2, the rule of delta in expression space: 5 and 7;
- *PCA shift*: the mean shift in the space of the leading principal components, decoded;
- *regression*: the types lie on the line stimulated = 2 control, so the mean becomes 8: 7 and 9;
- *nearest type*: the change of c, whose control mean is nearest to 4: 6 and 8.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import linalg
from threadpoolctl import threadpool_limits

from vae_np.data.matrix import Matrix, dense_rows, gene_mean, group_means, in_chunks
from vae_np.data.stored import Stored
from vae_np.errors import InputError
from vae_np.scgen.delta import shared_types

MIN_TYPES = 3  # two types lie on a line whatever their means are
MOST_IN_MEMORY = 2000  # cells of a group, where all of them are in a file
LARGEST_GRAM = 8192  # rows of a matrix whose components are computed, where all cells are in a file: 0.5 GB
MOST_VALUES = 2**26  # of cells, fewer than genes, that are made dense for that: 0.5 GB
CONSTANT = 1e-10  # relative to the mean: above the rounding of a mean, below any measured difference


def evenly(n: int) -> np.ndarray:
    """Indices of at most 2,000 of n cells, evenly spaced: as many as are scored where cells are in a file."""
    chosen = min(n, MOST_IN_MEMORY)
    return np.arange(chosen) * n // max(chosen, 1)


class TypeMeans(NamedTuple):
    """Means of the K cell types that are known in both conditions.

    Attributes
    ----------
    names
        The K types, sorted.
    control, stimulated
        Mean of each gene, (K, d).
    """

    names: list[str]
    control: np.ndarray
    stimulated: np.ndarray


class Seen(NamedTuple):
    """What a predictor may see: the training cells, the target's stimulated cells not among them.

    Attributes
    ----------
    x
        Log-normalized training cells, (n, d), in memory or in their file.
    condition, cell_type
        Labels, (n,).
    ctrl_key, stim_key, target
        The two conditions and the type to be predicted.
    min_cells
        A type enters the means if it has this many cells in both conditions.
    n_components
        Size of the PCA space.
    """

    x: Matrix
    condition: np.ndarray
    cell_type: np.ndarray
    ctrl_key: str
    stim_key: str
    target: str
    min_cells: int = 10
    n_components: int = 100

    def target_control(self) -> np.ndarray:
        """Give the control cells of the target, (n0, d), dense, float64; from a file, `evenly` chosen ones.

        Raises
        ------
        InputError
            If there are none.
        """
        chosen = np.flatnonzero((self.condition == self.ctrl_key) & (self.cell_type == self.target))
        if not len(chosen):
            raise InputError(f"cell type {self.target!r} has no cell in condition {self.ctrl_key!r}")
        if isinstance(self.x, Stored):
            chosen = chosen[evenly(len(chosen))]
        return dense_rows(self.x, chosen, np.dtype(float))

    def type_means(self) -> TypeMeans:
        """Average each type, other than the target, that has enough cells in both conditions.

        Raises
        ------
        InputError
            If no type has enough cells.
        """
        others = self.cell_type != self.target
        control = others & (self.condition == self.ctrl_key)
        stimulated = others & (self.condition == self.stim_key)
        names = list(shared_types(self.cell_type[control], self.cell_type[stimulated], self.min_cells))
        if not names:
            raise InputError(
                f"no cell type other than {self.target!r} has {self.min_cells} cells in both "
                f"{self.ctrl_key!r} and {self.stim_key!r}: there is no change to learn from"
            )
        group = np.full(len(others), -1)
        for i, name in enumerate(names):
            group[control & (self.cell_type == name)] = i
            group[stimulated & (self.cell_type == name)] = len(names) + i
        return TypeMeans(names, *np.split(group_means(self.x, group, 2 * len(names)), 2))


Baseline = Callable[[Seen], np.ndarray]


def no_change(seen: Seen) -> np.ndarray:
    """Predict the control cells as they are.

    Parameters
    ----------
    seen
        The training cells.

    Returns
    -------
    np.ndarray
        Predicted cells of the target, (n0, d), as from every baseline.

    Raises
    ------
    InputError
        If the target has no control cell, as in every baseline.
    """
    return seen.target_control()


def mean_shift(seen: Seen) -> np.ndarray:
    """Add the balanced mean change of the other types [delta-balanced].

    x + 1/K sum_k ( mean stimulated x of type k - mean control x of type k )

    Raises
    ------
    InputError
        If no other type has enough cells, as in every baseline but `no_change`.
    """
    _, control, stimulated = seen.type_means()
    return seen.target_control() + (stimulated - control).mean(axis=0)


def pca_shift(seen: Seen) -> np.ndarray:
    """Add the mean shift of the principal-component scores, decoded.

    With the leading components V (d, k) of the training cells the scores are z = (x - mean) V. As the
    decoder is linear, x + decode(z + delta) - decode(z) = x + V V^T (mean shift of x): the mean shift
    without its part outside the components. With as many components as the cells have directions,
    it is the mean shift.

    Raises
    ------
    InputError
        Also if the cells are in a file and `too_large_for_pca`.
    """
    if isinstance(seen.x, Stored) and (reason := too_large_for_pca(*seen.x.shape)):
        raise InputError(reason)
    _, control, stimulated = seen.type_means()
    shift = (stimulated - control).mean(axis=0)
    return seen.target_control() + projected(shift, seen.x, seen.n_components)


def regression(seen: Seen) -> np.ndarray:
    """Predict each gene's stimulated mean from its control mean, by a line fitted over the types.

    slope = cov(control means, stimulated means) / var(control means), over the K types; the control
    cells are moved by (predicted mean - their mean). A gene whose control mean is the same in all types
    has no slope, and gets the mean shift.

    Raises
    ------
    InputError
        If fewer than 3 other types have enough cells.
    """
    names, control, stimulated = seen.type_means()
    if len(names) < MIN_TYPES:
        raise InputError(
            f"{len(names)} cell types other than {seen.target!r} have {seen.min_cells} cells in both "
            f"conditions: a regression over types needs {MIN_TYPES}"
        )
    cells = seen.target_control()
    centered = control - control.mean(axis=0)
    varies = np.ptp(control, axis=0) > CONSTANT * np.abs(control).max(axis=0)
    covariance = np.sum(centered * stimulated, axis=0)
    slope = np.divide(covariance, np.sum(centered**2, axis=0), out=np.ones_like(covariance), where=varies)
    # with slope 1 the line is: mean change of the types
    predicted = stimulated.mean(axis=0) + slope * (cells.mean(axis=0) - control.mean(axis=0))
    return cells + (predicted - cells.mean(axis=0))


def nearest_type(seen: Seen) -> np.ndarray:
    """Add the change of the type whose control mean is nearest, by Euclidean distance over genes."""
    _, control, stimulated = seen.type_means()
    cells = seen.target_control()
    nearest = np.argmin(np.linalg.norm(control - cells.mean(axis=0), axis=1))
    return cells + (stimulated[nearest] - control[nearest])


def too_large_for_pca(n: int, d: int) -> str:
    """Say why n cells and d genes of a file are too many for principal components; '' if they are not."""
    if min(n, d) <= LARGEST_GRAM and (d <= n or n * d <= MOST_VALUES):
        return ""
    return f"the principal components of {n} cells x {d} genes in a file would take too much memory"


def leading(gram: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Take the `n` largest eigenvalues, ascending, and their vectors; the matrix is overwritten.

    By one thread: half the work is bound by memory, and two threads, which wait for each other at every
    step of it, take ten times as long on a busy machine.
    """
    size = len(gram)
    with threadpool_limits(1, user_api="blas"):
        return linalg.eigh(gram, subset_by_index=[size - n, size - 1], overwrite_a=True)


def projected(vector: np.ndarray, x: Matrix, n_components: int) -> np.ndarray:
    """Project a difference of cells onto the leading principal components of `x`: V V^T vector.

    The components are eigenvectors of C^T C, C = x - mean; of fewer cells than genes, it is cheaper to
    take the eigenvectors U of C C^T, with C^T U = V sqrt(eigenvalues).

    Parameters
    ----------
    vector
        Shape (d,), a combination of rows of C.
    x
        The cells, (n, d).
    n_components
        How many; all the directions that the cells have where there are fewer.

    Returns
    -------
    np.ndarray
        Shape (d,).
    """
    n, d = x.shape
    if n_components >= min(n - 1, d):
        return vector
    center = gene_mean(x)
    if d <= n:
        gram = np.zeros((d, d))
        for rows in in_chunks(x):  # never all cells as a dense matrix
            centered = dense_rows(rows, slice(None), np.dtype(float)) - center
            gram += centered.T @ centered
        _, v = leading(gram, n_components)
        return v @ (v.T @ vector)
    centered = dense_rows(x, slice(None), np.dtype(float)) - center
    values, u = leading(centered @ centered.T, n_components)
    real = values > d * np.finfo(float).eps * values[-1]  # the others are rounding: no direction of the cells
    v = centered.T @ (u[:, real] / np.sqrt(values[real]))
    return v @ (v.T @ vector)


BASELINES: dict[str, Baseline] = {
    "mean_shift": mean_shift,
    "no_change": no_change,
    "pca_shift": pca_shift,
    "regression": regression,
    "nearest_type": nearest_type,
}
