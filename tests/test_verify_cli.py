"""`vae-np equations` and `vae-np where`: tables, JSON, exit status, wrong names."""

import json
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import vae_np
from vae_np.cli import main
from vae_np.errors import InputError
from vae_np.verify import where as where_module

ROOT = Path(vae_np.__file__).parents[1]


def test_the_overview_names_every_equation(capsys):
    assert main(["equations"]) == 0
    out = capsys.readouterr().out
    from vae_np.verify.equations import EQUATIONS

    for equation in EQUATIONS:
        assert f" {equation.label} " in out
    assert f"{len(EQUATIONS)} equations, " in out
    assert "all agree" in out


def test_one_equation_judge_by_judge(capsys):
    assert main(["equations", "second-moment", "--seed", "7"]) == 0
    out = capsys.readouterr().out
    assert "second-moment: sum_i int" in out
    assert "source L105-108, printed wrong" in out
    assert "refuted" in out


def test_json_has_the_promised_fields(capsys):
    assert main(["equations", "kl-closed", "second-moment", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is True
    assert [record["label"] for record in result["records"]] == ["kl-closed", "second-moment"]
    for record in result["records"]:
        assert {"label", "relation", "ok", "judges"} <= record.keys()
        for judge in record["judges"]:
            assert {"judge", "error", "bound", "ok"} <= judge.keys()
            assert (judge["error"] > judge["bound"]) == judge["refutes"]


def test_json_of_the_whole_table(capsys):
    assert main(["equations", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is True
    assert all(judge["ok"] is True for record in result["records"] for judge in record["judges"])


def test_a_wrong_formula_gives_status_1_and_is_named(capsys, monkeypatch):
    gaussian = import_module("vae_np.elbo.gaussian")
    right = gaussian.kl_standard_normal
    monkeypatch.setattr(gaussian, "kl_standard_normal", lambda mu, log_var: 2 * right(mu, log_var))
    assert main(["equations", "kl-closed"]) == 1
    captured = capsys.readouterr()
    assert "WRONG" in captured.out
    assert "vae-np: kl-closed (gaussian_kl.md) is WRONG: two Gauss-Hermite nodes" in captured.err
    assert len(captured.err.splitlines()) == 1
    monkeypatch.setattr(gaussian, "kl_standard_normal", lambda mu, log_var: mu.nonsense)
    assert main(["equations", "kl-closed", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is False
    assert result["records"][0]["judges"][0]["error"] is None
    assert "AttributeError" in result["records"][0]["judges"][0]["problem"]


@pytest.mark.parametrize("command", ["equations", "where"])
def test_an_unknown_label_is_one_line(capsys, command):
    assert main([command, "kl-close"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("vae-np: there is no equation 'kl-close': did you mean kl-closed")
    assert len(captured.err.splitlines()) == 1
    assert main([command, "12345"]) == 2
    assert "vae-np equations lists them" in capsys.readouterr().err


def test_where(capsys):
    assert main(["where", "kl-closed"]) == 0
    lines = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert lines["page"].startswith("derivations/gaussian_kl.md:")
    assert lines["function"].startswith("vae_np/elbo/gaussian.py:")
    assert lines["record"].startswith("vae_np/verify/equations/gaussian_kl.py:")
    assert lines["test"].startswith("tests/test_equations.py:")
    assert lines["test"].endswith("[kl-closed]")
    assert main(["where", "elbo", "--json"]) == 0
    places = json.loads(capsys.readouterr().out)
    assert places["label"] == "elbo"
    assert places["function"] is None


def test_where_in_an_installed_package(tmp_path):
    """A wheel has the pages inside the package, and no tests."""
    shutil.copytree(ROOT / "vae_np", tmp_path / "vae_np", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "derivations", tmp_path / "vae_np" / "derivations")
    command = [sys.executable, "-m", "vae_np", "where", "kl-closed"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = dict(line.split() for line in result.stdout.splitlines())
    assert lines["page"].startswith("vae_np/derivations/gaussian_kl.md:")
    assert lines["test"] == "-"


def test_the_api(monkeypatch):
    report = vae_np.verify_all("kl-closed")[0]
    assert (report.label, report.ok, report.page) == ("kl-closed", True, "gaussian_kl.md")
    assert report.error <= report.bound
    assert vae_np.where("kl-closed").root == ROOT
    with pytest.raises(InputError, match="there is no equation"):
        vae_np.where("nonsense")
    monkeypatch.setattr(where_module, "CHECKOUT", Path("/nowhere"))
    assert where_module.derivations() == ROOT / "vae_np" / "derivations"


def test_verification_needs_no_numba_and_no_torch():
    code = (
        "import sys; sys.modules['numba'] = None; import vae_np;"
        "reports = vae_np.verify_all('kl-closed', 'adam-step', 'delta');"
        "print(all(r.ok for r in reports) and 'torch' not in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "True\n"
