// The gap between the evidence and the ELBO is the KL divergence of q from the posterior.
"use strict";

(() => {
  const { html, picture, plane, legend, rows, table } = window.vaeDrawing;
  const { start, panel, dragSlider } = window.vaeControls;
  const { normalDensity, elboParts } = window.vae;

  const STRINGS = {
    en: {
      x: "measured x",
      w: "decoder's slope w",
      variance: "noise variance s²",
      mu: "mean μ of q",
      log_var: "log variance log σ² of q",
      reset: "Reset",
      toPosterior: "Move q to the posterior",
      picture: "Densities of the prior, the posterior and q over z",
      density: "density",
      prior: "prior p(z)",
      posterior: "posterior p(z|x)",
      q: "q(z)",
      reconstruction: "E log p(x|z)",
      kl: "−KL(q‖p(z))",
      elbo: "ELBO",
      gap: "gap",
      evidence: "log p(x)",
      head: ["", "posterior", "q"],
      mean: "mean",
      sd: "sd",
    },
    ja: {
      x: "測定値 x",
      w: "デコーダの傾き w",
      variance: "ノイズの分散 s²",
      mu: "q の平均 μ",
      log_var: "q の分散の対数 log σ²",
      reset: "元に戻す",
      toPosterior: "q を事後分布に移す",
      picture: "z についての事前分布、事後分布、q の密度",
      density: "密度",
      prior: "事前分布 p(z)",
      posterior: "事後分布 p(z|x)",
      q: "q(z)",
      reconstruction: "E log p(x|z)",
      kl: "−KL(q‖p(z))",
      elbo: "ELBO",
      gap: "差",
      evidence: "log p(x)",
      head: ["", "事後分布", "q"],
      mean: "平均",
      sd: "標準偏差",
    },
  };

  start("posterior_gap", STRINGS, (root, text) => {
    const sliders = [
      { name: "x", label: text.x, min: -3, max: 3, step: 0.1, value: 2, digits: 2 },
      { name: "w", label: text.w, min: -2, max: 2, step: 0.1, value: 1, digits: 2 },
      { name: "variance", label: text.variance, min: 0.2, max: 2, step: 0.1, value: 1, digits: 2 },
      { name: "mu", label: text.mu, min: -3.5, max: 3.5, step: 0.1, value: -0.5, digits: 2 },
      { name: "log_var", label: text.log_var, min: -4, max: 2, step: 0.1, value: -1, digits: 2 },
    ];
    const controls = panel(root, text.reset, sliders, update);
    controls.button("to_posterior", text.toPosterior, () => {
      const { mu, log_var } = partsOf(controls.values).posterior;
      controls.glide({ mu, log_var });
    });

    const panels = html(root, "div", { class: "panels" });
    const left = html(panels, "div");
    const densities = picture(left, text.picture);
    legend(left, [
      { text: text.prior, name: "prior", line: true },
      { text: text.posterior, name: "posterior", line: true },
      { text: text.q, name: "q", line: true },
    ]);
    const right = html(panels, "div");
    const bars = rows(
      right,
      [
        { name: "reconstruction", label: text.reconstruction },
        { name: "minus_kl", label: text.kl },
        { name: "elbo", label: text.elbo },
        { name: "gap", label: text.gap, main: true },
        { name: "evidence", label: text.evidence },
      ],
      4,
    );
    const lines = [
      { label: text.mean, names: ["posterior_mean", "q_mean"] },
      { label: text.sd, names: ["posterior_sd", "q_sd"] },
    ];
    const fill = table(right, text.head, lines, 4);

    dragSlider(densities, controls, "mu");

    function partsOf({ x, w, variance, mu, log_var }) {
      return elboParts(x, w, variance, mu, log_var);
    }

    function update(values) {
      const { mu, log_var } = values;
      const { evidence, reconstruction, kl, elbo, gap, posterior } = partsOf(values);
      const curves = { posterior, q: { mu, log_var }, prior: { mu: 0, log_var: 0 } };
      const peaks = Object.values(curves).map((curve) => normalDensity(curve.mu, curve.mu, curve.log_var));
      const top = [0.5, 1, 2, 3].find((limit) => limit >= Math.max(...peaks));
      const x = { from: -4, to: 4, ticks: [-4, -2, 0, 2, 4], label: "z" };
      const y = { from: 0, to: top, ticks: [0, top / 2, top], label: text.density };
      const area = plane(densities, x, y);
      for (const [name, curve] of Object.entries(curves)) {
        area.curve((z) => normalDensity(z, curve.mu, curve.log_var), name);
      }

      const low = [5, 10, 20, 50, 100, 200, 500].find((limit) => limit >= -Math.min(elbo, reconstruction));
      bars.scale(-low, 0, [-low, -low / 2, 0]);
      bars.bar(0, 0, reconstruction, "positive");
      bars.bar(1, reconstruction, elbo, "negative");
      bars.bar(2, 0, elbo, "sum");
      bars.bar(3, elbo, evidence, "gap");
      bars.bar(4, 0, evidence, "evidence");
      [reconstruction, -kl, elbo, gap, evidence].forEach((value, i) => bars.number(i, value));
      fill({ posterior_mean: posterior.mu, posterior_sd: Math.exp(0.5 * posterior.log_var) });
      fill({ q_mean: mu, q_sd: Math.exp(0.5 * log_var) });
    }

    controls.refresh();
  });
})();
