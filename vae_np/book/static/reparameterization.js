// One cloud of noise that stays, mapped onto draws that move with mu and log_var.
"use strict";

(() => {
  const { html, picture, plane, legend, table } = window.vaeDrawing;
  const { start, panel } = window.vaeControls;
  const { reparameterize, moments, squareGradients } = window.vae;

  // numpy.random.default_rng(0).standard_normal((40, 2)).round(2)
  const EPS = [
    [0.13, -0.13], [0.64, 0.1], [-0.54, 0.36], [1.3, 0.95], [-0.7, -1.27],
    [-0.62, 0.04], [-2.33, -0.22], [-1.25, -0.73], [-0.54, -0.32], [0.41, 1.04],
    [-0.13, 1.37], [-0.67, 0.35], [0.9, 0.09], [-0.74, -0.92], [-0.46, 0.22],
    [-1.01, -0.21], [-0.16, 0.54], [0.21, 0.36], [-0.65, -0.13], [0.78, 1.49],
    [-1.26, 1.51], [1.35, 0.78], [0.26, -0.31], [1.46, 1.96], [1.8, 1.32],
    [0.36, -1.21], [-0, 0.66], [-1.29, 0.4], [0.43, 0.7], [-1.18, -0.66],
    [-0.44, -1.17], [1.74, -0.5], [0.33, -0.26], [1.58, 1.32], [0.63, -2.2],
    [0.05, 0.68], [1, -0.62], [1.82, -1.32], [-0.66, 0.94], [0.05, 2],
  ];
  const TARGET = [2, -1];
  const LR = 0.3;

  const STRINGS = {
    en: {
      mu: ["mean μ₁", "mean μ₂"],
      log_var: ["log variance log σ₁²", "log variance log σ₂²"],
      reset: "Reset",
      step: "One step down the gradient",
      picture: "The noise eps, the draws z and the line from each eps to its z",
      eps: "ε, fixed",
      z: "z = μ + σ ε",
      q: "q: 1σ and 2σ",
      target: "target a = (2, −1)",
      moments: ["", "of q", "of the 40 draws"],
      gradients: ["gradient of E\u00a0f", "through the cloud", "exact"],
    },
    ja: {
      mu: ["平均 μ₁", "平均 μ₂"],
      log_var: ["分散の対数 log σ₁²", "分散の対数 log σ₂²"],
      reset: "元に戻す",
      step: "勾配を 1 歩下る",
      picture: "ノイズ eps、サンプル z、および各 eps からその z への線",
      eps: "ε（固定）",
      z: "z = μ + σ ε",
      q: "q の 1σ と 2σ",
      target: "目標 a = (2, −1)",
      moments: ["", "q の値", "40 個のサンプル"],
      gradients: ["E f の勾配", "雲を通した値", "厳密な値"],
    },
  };

  start("reparameterization", STRINGS, (root, text) => {
    const slider = (name, label, limits, value) => ({ name, label, ...limits, value, step: 0.1, digits: 2 });
    const sliders = [
      slider("mu_1", text.mu[0], { min: -2, max: 2 }, -1),
      slider("mu_2", text.mu[1], { min: -2, max: 2 }, 1),
      slider("log_var_1", text.log_var[0], { min: -4, max: 0.5 }, 0),
      slider("log_var_2", text.log_var[1], { min: -4, max: 0.5 }, -1.5),
    ];
    const controls = panel(root, text.reset, sliders, update);
    controls.button("step", text.step, () => controls.glide(stepDown(controls.values)));

    const panels = html(root, "div", { class: "panels" });
    const left = html(panels, "div");
    const cloud = picture(left, text.picture, 356);
    legend(left, [
      { text: text.eps, name: "eps", shape: "circle" },
      { text: text.z, name: "z", shape: "triangle" },
      { text: text.q, name: "q", line: true },
      { text: text.target, name: "target", shape: "diamond" },
    ]);
    const right = html(panels, "div");
    const momentLines = [1, 2].flatMap((j) => [
      { label: `μ${"₁₂"[j - 1]}`, names: [`mean_${j}`, `sample_mean_${j}`] },
      { label: `σ${"₁₂"[j - 1]}`, names: [`sd_${j}`, `sample_sd_${j}`] },
    ]);
    const gradientLines = [1, 2].flatMap((j) => [
      { label: `∂/∂μ${"₁₂"[j - 1]}`, names: [`cloud_d_mu_${j}`, `exact_d_mu_${j}`] },
      { label: `∂/∂log σ${"₁₂"[j - 1]}²`, names: [`cloud_d_log_var_${j}`, `exact_d_log_var_${j}`] },
    ]);
    const fillMoments = table(right, text.moments, momentLines, 3);
    const fillGradients = table(right, text.gradients, gradientLines, 3);

    function update(values) {
      const axis = { from: -5, to: 5, ticks: [-4, -2, 0, 2, 4] };
      const area = plane(cloud, { ...axis, label: "z₁" }, { ...axis, label: "z₂" });
      const dimensions = [1, 2].map((j) => describe(values, j));
      const [first, second] = dimensions;
      EPS.forEach(([e1, e2], i) => area.segment(e1, e2, first.z[i], second.z[i], "path"));
      for (const radius of [1, 2]) {
        area.ellipse(first.mu, second.mu, radius * first.sigma, radius * second.sigma, "q");
      }
      EPS.forEach(([e1, e2]) => area.mark(e1, e2, "circle", "eps"));
      EPS.forEach((_, i) => area.mark(first.z[i], second.z[i], "triangle", "z"));
      area.mark(...TARGET, "diamond", "target");

      dimensions.forEach(({ mu, sigma, z, gradients }, i) => {
        const j = i + 1;
        const sample = moments(z);
        const { cloud: through, exact } = gradients;
        fillMoments({ [`mean_${j}`]: mu, [`sd_${j}`]: sigma });
        fillMoments({ [`sample_mean_${j}`]: sample.mean, [`sample_sd_${j}`]: sample.sd });
        fillGradients({ [`cloud_d_mu_${j}`]: through.mu, [`exact_d_mu_${j}`]: exact.mu });
        fillGradients({ [`cloud_d_log_var_${j}`]: through.log_var, [`exact_d_log_var_${j}`]: exact.log_var });
      });
    }

    // One latent dimension: its parameters, draws and gradients
    function describe(values, j) {
      const [mu, log_var] = [values[`mu_${j}`], values[`log_var_${j}`]];
      const eps = EPS.map((pair) => pair[j - 1]);
      const z = eps.map((e) => reparameterize(mu, log_var, e));
      const gradients = squareGradients(TARGET[j - 1], mu, log_var, eps);
      return { mu, log_var, sigma: Math.exp(0.5 * log_var), z, gradients };
    }

    function stepDown(values) {
      const changed = {};
      for (const j of [1, 2]) {
        const { mu, log_var, gradients } = describe(values, j);
        changed[`mu_${j}`] = controls.clamp(`mu_${j}`, mu - LR * gradients.cloud.mu);
        changed[`log_var_${j}`] = controls.clamp(`log_var_${j}`, log_var - LR * gradients.cloud.log_var);
      }
      return changed;
    }

    controls.refresh();
  });
})();
