"""The results.json that Gradescope reads: a test with one point for each output of each function."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vae_np.data.writing import whole_file
from vae_np.verify.contracts import CONTRACTS


def results(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Lay out answers of the check in Gradescope's documented schema.

    Parameters
    ----------
    answers
        From `check_file`.

    Returns
    -------
    dict
        ``score`` and ``tests``, each with score, max_score, status, name, number, output, visibility.
    """
    tests: list[dict[str, Any]] = []
    for answer in answers:
        for output in CONTRACTS[answer["label"]].outputs:
            right = answer["ok"] or answer["outputs"].get(output, False)
            tests.append(
                {
                    "name": f"{answer['label']}: {output}",
                    "number": str(len(tests) + 1),
                    "score": float(right),
                    "max_score": 1.0,
                    "status": "passed" if right else "failed",
                    "output": "right" if right else answer["message"],
                    "output_format": "text",
                    "visibility": "visible",
                }
            )
    return {"score": sum(test["score"] for test in tests), "visibility": "visible", "tests": tests}


def write_results(path: Path, answers: Sequence[dict[str, Any]]) -> None:
    """Write the results, whole or not at all.

    Parameters
    ----------
    path
        The file.
    answers
        From `check_file`.
    """
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(results(answers), indent=2), encoding="utf-8")
