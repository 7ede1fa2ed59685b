"""What the report says about a study: an overview of all contexts, then each context by itself."""

from collections.abc import Mapping, Sequence

import numpy as np

from vae_np.data.matrix import dense_rows, gene_mean, gene_variance
from vae_np.evaluate.differential import differential_expression
from vae_np.evaluate.experiment import Experiment
from vae_np.evaluate.held_out import Row, to_score
from vae_np.evaluate.paired import Paired, smaller_is_better
from vae_np.evaluate.report import Section, png
from vae_np.evaluate.runs import Run
from vae_np.evaluate.scoring import control_of
from vae_np.evaluate.summary import verdicts
from vae_np.evaluate.tables import METRICS, in_order, name_of, pairs_table, seed_averages, table
from vae_np.plots import history_plot, latent_plot, reg_mean_plot, reg_var_plot, score_heatmap
from vae_np.scgen.cells import matched_matrix

N_GENES = 20
HEAT_MAPS = ("r2_mean", "pearson_delta", "mse")
SCORES = "Scores; with several seeds the mean over them, and the range where they differ"
EXPLANATION = (
    "Scores compare the predicted with the hidden cells, all clipped at zero: squared Pearson correlation "
    "(R²) of the mean and of the variance of each gene, over all genes and over the 100 that respond "
    "most; correlation (r) of the change against the control mean, and its R² as the share of the change "
    "that is explained (below 0: worse than no change); mean squared error (MSE) of the means; which share "
    "of the 100 genes that respond most is found, and moves in the right direction; two distances between "
    "the clouds of cells; and which share of the genes has its true mean inside the model's 90 % interval. "
    "R² of the means is high even for 'no change', since most genes do not respond.",
    "A model is of use where it beats the baselines, which need no training: 'no change' returns the "
    "control cells; 'mean shift' adds the mean change of the other types, gene by gene; 'nearest type' "
    "adds that of the type whose control cells are most alike; 'PCA + shift' does it in as many principal "
    "components as the model has latent dimensions; 'regression' is a line for each gene over the types.",
)


def overview(
    rows: Sequence[Row],
    pairs: Sequence[Paired],
    experiment: Experiment,
    contexts: Mapping[str, tuple[int, int]],
    seeds: Sequence[int],
) -> Section:
    """Sum up all contexts and seeds: sentences, averages, differences, heat maps.

    Parameters
    ----------
    rows, pairs, experiment, contexts, seeds
        As in `summarize`.

    Returns
    -------
    Section
        The first one of the report.
    """
    names, methods = list(contexts), in_order([row.method for row in rows])
    figures = {}
    for metric in (metric for metric in HEAT_MAPS if any(row.metric == metric for row in rows)):
        values = [
            [seed_averages([row for row in rows if row.context == name], method, metric) for name in names]
            for method in methods
        ]
        grid = np.array([[np.mean(cell) if cell else np.nan for cell in line] for line in values])
        best = "lowest" if smaller_is_better(metric) else "highest"
        figure = score_heatmap(grid, [name_of(m) for m in methods], names, METRICS[metric], best)
        figures[f"{METRICS[metric]} of each method in each context, mean over the seeds."] = png(figure)
    counts = [[name, str(n0), str(n1)] for name, (n0, n1) in contexts.items()]
    return Section(
        "All contexts",
        [
            f"Held out in turn: {len(names)} contexts, each with {len(seeds)} seeds. The "
            f"{experiment.stim_key} cells of the context were hidden; the genes were chosen and the model "
            f"was trained on all others, and the {experiment.ctrl_key} cells of the context were predicted "
            "as if stimulated.",
            *EXPLANATION,
        ],
        {
            "Average over all contexts; with several seeds the range over them": upright(table(rows)),
            "scGen minus each other method, mean over contexts; 95 % bootstrap interval": upright(
                pairs_table(pairs)
            ),
            "Cells": [["context", experiment.ctrl_key, experiment.stim_key], *counts],
        },
        figures,
        verdicts(pairs),
    )


def upright(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """Turn a table with a line a method into one with a line a metric, which fits on a page."""
    (_, *methods), *scores = zip(*lines, strict=True)
    return [["score", *methods], *map(list, scores)]


def context_section(run: Run, experiment: Experiment) -> Section:
    """Show one run: the genes that respond, means and variances, the latent space, the training.

    Parameters
    ----------
    run
        The run.
    experiment
        What it belongs to.

    Returns
    -------
    Section
        Without scores, which `with_scores` adds when all seeds are done.
    """
    train, held_out = run.split.train, to_score(run.split.held_out)
    genes = run.predicted.var_names.astype(str).tolist()
    control = to_score(control_of(train, experiment, run.context))
    measured, true = (
        dense_rows(matched_matrix(cells, genes, experiment.layer), slice(None), np.dtype(float))
        for cells in (control, held_out)
    )
    predicted = np.maximum(run.predicted.X, 0)
    groups = predicted, true, measured
    mean, true_mean, control_mean = (gene_mean(x) for x in groups)
    variance, true_variance, control_variance = (gene_variance(x) for x in groups)
    z_train, z_control, z_true = (run.model.encode(to_score(cells)) for cells in (train, control, held_out))
    figures = {
        "Predicted against true mean of each gene; the genes that change most are named.": reg_mean_plot(
            mean, true_mean, control_mean, genes
        ),
        "Predicted against true variance of each gene.": reg_var_plot(
            variance, true_variance, control_variance, genes
        ),
        "Control cells, the same cells after the shift, and the real stimulated cells.": latent_plot(
            z_train, z_control, run.predicted.obsm["latent"], z_true
        ),
        "Losses of each epoch.": history_plot(run.model.history),
    }
    caption = f"The {min(N_GENES, len(genes))} genes that respond most in the real cells"
    return Section(
        run.context,
        [
            f"{len(true)} {experiment.stim_key} cells were hidden and predicted from {len(measured)} "
            f"{experiment.ctrl_key} cells. Genes and figures are those of seed {run.seed}. P-values: "
            "Wilcoxon rank-sum test of the real cells, corrected for ties, adjusted over all genes "
            "(Benjamini-Hochberg)."
        ],
        {caption: gene_table(genes, measured, true, predicted)},
        {caption: png(figure) for caption, figure in figures.items()},
    )


def gene_table(
    genes: Sequence[str], control: np.ndarray, true: np.ndarray, predicted: np.ndarray, n: int = N_GENES
) -> list[list[str]]:
    """List the genes that respond most, with their true and predicted change.

    Parameters
    ----------
    genes
        Names, (d,).
    control, true, predicted
        Dense cells, (., d).
    n
        How many genes.

    Returns
    -------
    list of list of str
        The heading, and a line a gene: its name, control mean, changes of the mean (log-normalized),
        adjusted P-value.
    """
    tested = differential_expression(control, true, genes).head(n)
    before, after, answer = (
        dict(zip(genes, gene_mean(cells), strict=True)) for cells in (control, true, predicted)
    )
    lines = [["gene", "control mean", "true change", "predicted change", "adjusted P"]]
    for gene, p in tested["p_adjusted"].items():
        changes = [f"{m[gene] - before[gene]:+.2f}" for m in (after, answer)]
        lines.append([gene, f"{before[gene]:.2f}", *changes, f"{p:.1e}" if p > 0 else "< 1e-300"])
    return lines


def with_scores(section: Section, rows: Sequence[Row]) -> Section:
    """Put the scores of a context before what else its section holds."""
    own = [row for row in rows if row.context == section.title]
    return section._replace(tables={SCORES: upright(table(own)), **section.tables})
