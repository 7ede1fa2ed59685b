// Two curves and the three terms of the KL divergence between them.
"use strict";

(() => {
  const { html, picture, plane, legend, rows, table } = window.vaeDrawing;
  const { start, panel, dragSlider } = window.vaeControls;
  const { normalDensity, klTerms, klDensity } = window.vae;

  const STRINGS = {
    en: {
      mu: "mean μ",
      log_var: "log variance log σ²",
      reset: "Reset",
      toPrior: "Move q to the prior",
      picture: "Densities of the prior p and of q over z",
      density: "density",
      prior: "prior p = N(0, 1)",
      q: "q = N(μ, σ²)",
      integrand: "q log(q/p), its area is the KL",
      integrandPicture: "The integrand q log(q/p) of the KL over z",
      total: "KL",
      quantity: "quantity",
      value: "value",
    },
    ja: {
      mu: "平均 μ",
      log_var: "分散の対数 log σ²",
      reset: "元に戻す",
      toPrior: "q を事前分布に移す",
      picture: "z についての事前分布 p と q の密度",
      density: "密度",
      prior: "事前分布 p = N(0, 1)",
      q: "q = N(μ, σ²)",
      integrand: "q log(q/p)。面積が KL である",
      integrandPicture: "z についての KL の被積分関数 q log(q/p)",
      total: "KL",
      quantity: "量",
      value: "値",
    },
  };

  start("gaussian_kl", STRINGS, (root, text) => {
    const sliders = [
      { name: "mu", label: text.mu, min: -3, max: 3, step: 0.1, value: 1, digits: 2 },
      { name: "log_var", label: text.log_var, min: -3, max: 1, step: 0.1, value: -1, digits: 2 },
    ];
    const controls = panel(root, text.reset, sliders, update);
    controls.button("to_prior", text.toPrior, () => controls.glide({ mu: 0, log_var: 0 }));

    const panels = html(root, "div", { class: "panels" });
    const left = html(panels, "div");
    const densities = picture(left, text.picture);
    legend(left, [
      { text: text.prior, name: "prior", line: true },
      { text: text.q, name: "q", line: true },
    ]);
    const integrand = picture(left, text.integrandPicture, 190);
    const right = html(panels, "div");
    const terms = rows(
      right,
      [
        { name: "kl_position", label: "½ μ²" },
        { name: "kl_variance", label: "½ (σ² − 1)" },
        { name: "kl_log_variance", label: "−½ log σ²" },
        { name: "kl", label: text.total, main: true },
      ],
      4,
    );
    const widths = [
      { label: "σ", names: ["sigma"] },
      { label: "σ²", names: ["variance"] },
    ];
    const fill = table(right, [text.quantity, text.value], widths, 4);

    dragSlider(densities, controls, "mu");

    function update({ mu, log_var }) {
      const top = normalDensity(mu, mu, log_var) > 1 ? 2 : 1;
      const x = { from: -8, to: 8, ticks: [-8, -4, 0, 4, 8], label: "z" };
      const y = { from: 0, to: top, ticks: [0, top / 2, top], label: text.density };
      const area = plane(densities, x, y);
      area.curve((z) => normalDensity(z, 0, 0), "prior");
      area.curve((z) => normalDensity(z, mu, log_var), "q");
      area.segment(mu, 0, mu, normalDensity(mu, mu, log_var), "center");

      const peak = Math.max(...Array.from({ length: 161 }, (_, i) => klDensity(-8 + i / 10, mu, log_var)));
      const high = [1, 2, 5, 10, 20].find((limit) => limit >= peak);
      const span = { from: -high / 5, to: high, ticks: [0, high], label: text.integrand };
      const below = plane(integrand, x, span);
      below.area((z) => klDensity(z, mu, log_var), "integrand");

      const { position, variance, logVariance, total } = klTerms(mu, log_var);
      const largest = Math.max(position, variance, logVariance, total);
      const end = [2, 4, 8].find((limit) => limit >= largest);
      terms.scale(-1, end, [0, end / 2, end]);
      [position, variance, logVariance, total].forEach((value, i) => {
        terms.bar(i, 0, value, i === 3 ? "sum" : value < 0 ? "negative" : "positive");
        terms.number(i, value);
      });
      fill({ sigma: Math.exp(0.5 * log_var), variance: Math.exp(log_var) });
    }

    controls.refresh();
  });
})();
