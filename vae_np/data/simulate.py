"""Simulated single-cell data whose truth is known: effects that add up in a latent space, counting noise.

    z = type effect + species effect + cell noise + stimulated (shift + own part)     stimulated is 0 or 1
    counts from z                                                                      see `measure`

The own part of the response belongs to a cell type (`simulate`) or to a species (`simulate_species`); it is
what one shared shift cannot know. The last latent dimension is the response program: types and species do
not differ in it, and the shift points along it. The stimulated cells of every group are generated, so a
prediction for any of them can be scored against cells, and against the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vae_np.data.measure import N_LATENT, draw_genes, measure
from vae_np.errors import real_number, whole_number

if TYPE_CHECKING:
    from anndata import AnnData


def simulate(
    n_cells: int = 1500,
    n_genes: int = 600,
    n_cell_types: int = 6,
    *,
    shift: float = 2.0,
    type_specific: float = 0.15,
    library_size: float = 2000.0,
    dropout: float = 0.3,
    seed: int = 0,
) -> AnnData:
    """Simulate control and stimulated cells of several types with a known latent shift.

    Parameters
    ----------
    n_cells
        Total number of cells, spread over types and conditions as evenly as possible.
    n_genes, n_cell_types
        How many.
    shift
        Length of the shared latent shift; 0 is no response.
    type_specific
        Size of each type's own random addition to it, relative to `shift`.
    library_size
        Median counts a cell.
    dropout
        Probability that a count of vanishing expectation is lost, in [0, 1); it falls off as
        exp(-expectation).
    seed
        Seed of all randomness.

    Returns
    -------
    AnnData
        ``X`` log1p of counts scaled to 10,000; ``layers["counts"]``; ``obs`` with ``cell_type`` and
        ``condition`` (control, stimulated); ``obsm["z_true"]``; ``var["responds"]``;
        ``uns["truth"]`` with ``shift`` (k,), ``type_shifts`` (n_cell_types, k), ``loadings`` (k, d).

    Raises
    ------
    InputError
        If a number is out of range.
    """
    n_cell_types = whole_number("n_cell_types", n_cell_types, least=1)
    n_cells = whole_number("n_cells", n_cells, least=2 * n_cell_types)
    shift = real_number("shift", shift, least=0, below=100)
    type_specific = real_number("type_specific", type_specific, least=0, below=100)

    rng = np.random.default_rng(whole_number("seed", seed, least=0))
    genes = draw_genes(rng, n_genes)
    type_effects = _effects(rng, n_cell_types, size=1.0)
    type_shifts = _shared(shift) + _own_parts(rng, n_cell_types, type_specific, shift)

    group = np.arange(n_cells) % (2 * n_cell_types)
    cell_type, stimulated = group // 2, group % 2
    z = type_effects[cell_type] + stimulated[:, None] * type_shifts[cell_type]
    names = {"cell_type": _names("type", cell_type), "condition": _conditions(stimulated)}
    adata = measure(rng, z, genes, names, library_size, dropout)
    adata.uns["truth"] = {"shift": _shared(shift), "type_shifts": type_shifts, "loadings": genes.loadings}
    return adata


def simulate_species(
    n_cells: int = 1600,
    n_genes: int = 600,
    n_species: int = 4,
    n_cell_types: int = 1,
    *,
    species_effect: float = 1.0,
    shift: float = 2.0,
    interaction: float = 0.0,
    library_size: float = 2000.0,
    dropout: float = 0.3,
    seed: int = 0,
) -> AnnData:
    """Simulate control and stimulated cells of several species: two factors that add up, or nearly so.

    z = type effect + species effect + cell noise + stimulated (shift + interaction of the species).
    Without interaction, delta(stimulus) is the same in every species, and delta(species) the same in both
    conditions.

    Parameters
    ----------
    n_cells
        Total number of cells, spread over species, types and conditions as evenly as possible.
    n_genes, n_species, n_cell_types
        How many; the genes stand for one-to-one orthologs.
    species_effect
        Standard deviation of the species effects in each latent dimension but the last; types have 1.
    shift
        Length of the shared latent shift; 0 is no response.
    interaction
        Size of each species' own random addition to it, relative to `shift`.
    library_size, dropout, seed
        As in `simulate`.

    Returns
    -------
    AnnData
        As `simulate`, with ``obs["species"]`` too; ``uns["truth"]`` with ``shift`` (k,), ``species_effects``
        and ``species_shifts`` (n_species, k), ``type_effects`` (n_cell_types, k), ``loadings`` (k, d).

    Raises
    ------
    InputError
        If a number is out of range.
    """
    n_species = whole_number("n_species", n_species, least=1)
    n_cell_types = whole_number("n_cell_types", n_cell_types, least=1)
    n_cells = whole_number("n_cells", n_cells, least=2 * n_species * n_cell_types)
    species_effect = real_number("species_effect", species_effect, least=0, below=100)
    shift = real_number("shift", shift, least=0, below=100)
    interaction = real_number("interaction", interaction, least=0, below=100)

    rng = np.random.default_rng(whole_number("seed", seed, least=0))
    genes = draw_genes(rng, n_genes)
    type_effects = _effects(rng, n_cell_types, size=1.0)
    species_effects = _effects(rng, n_species, species_effect)
    species_shifts = _shared(shift) + _own_parts(rng, n_species, interaction, shift)

    shape = (n_species, n_cell_types, 2)
    species, cell_type, stimulated = np.unravel_index(np.arange(n_cells) % np.prod(shape), shape)
    z = type_effects[cell_type] + species_effects[species] + stimulated[:, None] * species_shifts[species]
    names = {
        "species": _names("species", species),
        "cell_type": _names("type", cell_type),
        "condition": _conditions(stimulated),
    }
    adata = measure(rng, z, genes, names, library_size, dropout)
    adata.uns["truth"] = {
        "shift": _shared(shift),
        "species_effects": species_effects,
        "species_shifts": species_shifts,
        "type_effects": type_effects,
        "loadings": genes.loadings,
    }
    return adata


def _shared(shift: float) -> np.ndarray:
    """The shift along the response program, (k,)."""
    return np.append(np.zeros(N_LATENT - 1), shift)


def _effects(rng: np.random.Generator, n_groups: int, size: float) -> np.ndarray:
    """Where the groups' control cells are, (n_groups, k): apart in all dimensions but the last."""
    effects = size * rng.normal(size=(n_groups, N_LATENT))
    effects[:, -1] = 0
    return effects


def _own_parts(rng: np.random.Generator, n_groups: int, relative: float, shift: float) -> np.ndarray:
    """Random additions to the shift, (n_groups, k), of root mean square length relative * shift."""
    return rng.normal(size=(n_groups, N_LATENT)) * relative * shift / np.sqrt(N_LATENT)


def _names(kind: str, codes: np.ndarray) -> np.ndarray:
    return np.array([f"{kind} {code + 1}" for code in codes])


def _conditions(stimulated: np.ndarray) -> np.ndarray:
    return np.where(stimulated, "stimulated", "control")
