"""Which contexts can be held out: those with enough cells in both conditions, found before any training."""

from collections.abc import Sequence

from anndata import AnnData

from vae_np.errors import InputError
from vae_np.evaluate.experiment import Experiment, Say, silent
from vae_np.scgen.arithmetic import choose_cells, require_known
from vae_np.scgen.cells import labels
from vae_np.scgen.delta import shared_types


def find_contexts(
    adata: AnnData,
    experiment: Experiment,
    min_cells: int = 50,
    only: Sequence[str] | None = None,
    say: Say = silent,
) -> dict[str, tuple[int, int]]:
    """Find out, before any training, which contexts can be held out.

    Parameters
    ----------
    adata
        All cells.
    experiment
        Its columns and conditions are used.
    min_cells
        A context is held out if it has this many cells in both conditions.
    only
        Hold out these contexts instead, however many cells they have, if there are any.
    say
        Called with a line about the contexts that are left out.

    Returns
    -------
    dict
        Context -> (control cells, stimulated cells), in sorted order or in that of `only`.

    Raises
    ------
    InputError
        If a column or a name does not exist, both conditions are the same, no context has enough cells,
        or there would be no cells to take delta from when one of them is held out.
    """
    condition, context = labels(adata, experiment.condition_key), labels(adata, experiment.cell_type_key)
    names = experiment.ctrl_key, experiment.stim_key
    for name in names:
        require_known(name, condition, "condition")
    if names[0] == names[1]:
        raise InputError(f"control and stimulated are both {names[0]!r}: name two conditions")
    if isinstance(only, str):
        raise InputError(f"only is {only!r}: give a list of contexts, [{only!r}]")
    control, stimulated = (context[condition == name] for name in names)
    counts = shared_types(control, stimulated, min_cells=0)
    what = f"{names[0]} and {names[1]} cells"
    if only is not None:
        for name in only:
            require_known(name, context, "cell type")
            if name not in counts or 0 in counts[name]:
                n0, n1 = counts.get(name, (0, 0))
                raise InputError(
                    f"cell type {name!r} has {n0} {names[0]} and {n1} {names[1]} cells: "
                    "it can be held out only if it has some of both"
                )
        chosen = {name: counts[name] for name in only}
    else:
        chosen = {name: n for name, n in counts.items() if min(n) >= min_cells}
        listed = ", ".join(
            f"{name} ({n0} and {n1})" for name, (n0, n1) in counts.items() if name not in chosen
        )
        if not chosen:
            raise InputError(
                f"no cell type has {min_cells} {what} each: there are {listed}; give a smaller min_cells"
            )
        if listed:
            say(f"not held out, fewer than {min_cells} {what} each: {listed}")
    methods = {how.get("delta_method", "shared") for how in experiment.predictions.values()}
    for name in chosen:
        for method in methods:
            choose_cells(condition, context, *names, target=name, method=method)
    return chosen
