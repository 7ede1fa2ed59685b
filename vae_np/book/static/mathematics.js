// The formulas of the interactive pages: pure functions of numbers and arrays of numbers, in nats.
// As everywhere in the project, the variable is log_var = log sigma^2. The label of each equation stands in
// square brackets; tests/test_interactive.py compares each function with its twin in vae_np.
"use strict";

window.vae = (() => {
  const LOG_2PI = Math.log(2 * Math.PI);

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  const mean = (values) => sum(values) / values.length;

  // [gaussian-q], the density of N(mu, sigma^2) at z
  function normalDensity(z, mu, log_var) {
    return Math.exp(-0.5 * (LOG_2PI + log_var + (z - mu) ** 2 * Math.exp(-log_var)));
  }

  // [kl-closed], KL(N(mu, sigma^2) || N(0, 1)) in its three parts
  function klTerms(mu, log_var) {
    const position = 0.5 * mu ** 2;
    const variance = 0.5 * (Math.exp(log_var) - 1);
    const logVariance = -0.5 * log_var;
    return { position, variance, logVariance, total: position + variance + logVariance };
  }

  // q log(q / p) at z; its integral over z is the KL
  function klDensity(z, mu, log_var) {
    const logRatio = 0.5 * (z ** 2 - (z - mu) ** 2 * Math.exp(-log_var) - log_var);
    return normalDensity(z, mu, log_var) * logRatio;
  }

  // [reparam-gaussian], noise mapped onto a draw
  function reparameterize(mu, log_var, eps) {
    return mu + Math.exp(0.5 * log_var) * eps;
  }

  // [grad-reparam-mu] [grad-reparam-log-var], summed over the draws
  function reparameterizeBackward(dZ, log_var, eps) {
    const dSigma = sum(dZ.map((d, l) => d * eps[l]));
    return { mu: sum(dZ), log_var: 0.5 * Math.exp(0.5 * log_var) * dSigma };
  }

  // Sample mean and standard deviation, the latter with n - 1
  function moments(values) {
    const center = mean(values);
    const squares = sum(values.map((value) => (value - center) ** 2));
    return { mean: center, sd: Math.sqrt(squares / (values.length - 1)) };
  }

  // Gradient of E (z - target)^2 / 2 in mu and log_var: as the mean over a cloud of draws, and exact,
  // since E (z - target)^2 = (mu - target)^2 + sigma^2
  function squareGradients(target, mu, log_var, eps) {
    const dZ = eps.map((e) => (reparameterize(mu, log_var, e) - target) / eps.length);
    const exact = { mu: mu - target, log_var: 0.5 * Math.exp(log_var) };
    return { cloud: reparameterizeBackward(dZ, log_var, eps), exact };
  }

  // [linear-gaussian-evidence] [linear-gaussian-posterior] [term1-intractable] [elbo-gap]:
  // the model z ~ N(0, 1), x|z ~ N(w z, variance) and q = N(mu, sigma^2)
  function elboParts(x, w, variance, mu, log_var) {
    const M = w ** 2 + variance;
    const posterior = { mu: (w * x) / M, log_var: Math.log(variance / M) };
    const evidence = -0.5 * (LOG_2PI + Math.log(M) + x ** 2 / M);
    const square = (x - w * mu) ** 2 + w ** 2 * Math.exp(log_var);
    const reconstruction = -0.5 * (LOG_2PI + Math.log(variance) + square / variance);
    const kl = klTerms(mu, log_var).total;
    const apart = (mu - posterior.mu) ** 2;
    const gap = 0.5 * (((Math.exp(log_var) + apart) * M) / variance - 1 + posterior.log_var - log_var);
    return { evidence, reconstruction, kl, elbo: reconstruction - kl, gap, posterior };
  }

  // h = x W + b for one cell; W has a row an input
  function linear(x, W, b) {
    return b.map((bias, j) => x.reduce((total, value, i) => total + value * W[i][j], bias));
  }

  // Batch norm in evaluation mode: the running statistics are constants
  function batchNorm(a, block, epsilon) {
    const { gamma, beta, mean, var: variance } = block;
    return a.map((value, j) => ((value - mean[j]) / Math.sqrt(variance[j] + epsilon)) * gamma[j] + beta[j]);
  }

  const leakyRelu = (a, slope) => a.map((value) => (value > 0 ? value : slope * value));

  // The decoder of `decoder.js`: expression of one cell from its latent point
  function decode(decoder, z) {
    let h = z;
    for (const block of decoder.blocks) {
      h = leakyRelu(batchNorm(linear(h, block.W, block.b), block, decoder.epsilon), decoder.slope);
    }
    return linear(h, decoder.output.W, decoder.output.b);
  }

  // [delta-predict] [decoded-change]: the measured control mean plus the mean decoded change when the share
  // of delta is added to every control cell
  function shiftedMean(decoder, cells, share) {
    const changes = cells.z.map((z) => {
      const before = decode(decoder, z);
      const after = decode(decoder, z.map((value, j) => value + share * decoder.delta[j]));
      return after.map((value, g) => value - before[g]);
    });
    return cells.control.map((value, g) => value + mean(changes.map((change) => change[g])));
  }

  // Root mean square difference of two lists
  function distance(a, b) {
    return Math.sqrt(mean(a.map((value, i) => (value - b[i]) ** 2)));
  }

  return {
    normalDensity,
    klTerms,
    klDensity,
    reparameterize,
    reparameterizeBackward,
    moments,
    squareGradients,
    elboParts,
    decode,
    shiftedMean,
    distance,
  };
})();
