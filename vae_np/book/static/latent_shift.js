// A share of delta is added to the control cells of a type and carried through a trained decoder.
"use strict";

(() => {
  const { html, legend, rows, table } = window.vaeDrawing;
  const { start, panel } = window.vaeControls;
  const { shiftedMean, distance } = window.vae;

  const STRINGS = {
    en: {
      share: "share of δ added",
      reset: "Reset",
      whole: "Add the whole δ",
      cellType: "cell type",
      heldOut: "stimulated cells hidden from training",
      type: (name) => name,
      control: "measured control mean",
      predicted: "predicted mean",
      stimulated: "measured stimulated mean",
      head: ["distance from the stimulated mean", ""],
      now: "with this share of δ",
      none: "without δ",
    },
    ja: {
      share: "足す δ の割合",
      reset: "元に戻す",
      whole: "δ をすべて足す",
      cellType: "細胞種",
      heldOut: "刺激した細胞は学習から除外",
      type: (name) => name.replace("type", "細胞種"),
      control: "測定された対照の平均",
      predicted: "予測した平均",
      stimulated: "測定された刺激後の平均",
      head: ["刺激後の平均からの距離", ""],
      now: "この割合の δ",
      none: "δ なし",
    },
  };

  start("latent_shift", STRINGS, (root, text) => {
    const decoder = window.vaeDecoder;
    const limits = { min: -0.5, max: 1.5, step: 0.05 };
    const share = { name: "share", label: text.share, ...limits, value: 0.5, digits: 2 };
    const controls = panel(root, text.reset, [share], update);
    controls.button("whole", text.whole, () => controls.glide({ share: 1 }));

    const chooser = html(root, "label", { class: "chooser" }, `${text.cellType} `);
    const select = html(chooser, "select", { "data-control": "cell_type" });
    for (const { name, heldOut } of decoder.cellTypes) {
      const label = heldOut ? `${text.type(name)} (${text.heldOut})` : text.type(name);
      html(select, "option", { value: name }, label).defaultSelected = heldOut;
    }
    select.addEventListener("change", () => controls.refresh());

    legend(root, [
      { text: text.control, name: "control", shape: "circle" },
      { text: text.predicted, name: "predicted", shape: "triangle" },
      { text: text.stimulated, name: "stimulated", shape: "square" },
    ]);
    const genes = rows(root, decoder.genes.map((gene) => ({ name: gene, label: gene })), 2);
    const lines = [
      { label: text.now, names: ["distance"] },
      { label: text.none, names: ["distance_without"] },
    ];
    const fill = table(root, text.head, lines, 3);

    function update({ share: added }) {
      const cells = decoder.cellTypes.find(({ name }) => name === select.value);
      const predicted = shiftedMean(decoder, cells, added);
      genes.scale(-2, 12, [0, 4, 8, 12]);
      predicted.forEach((value, g) => {
        genes.segment(g, cells.control[g], value, "predicted");
        genes.mark(g, cells.stimulated[g], "square", "stimulated");
        genes.mark(g, cells.control[g], "circle", "control");
        genes.mark(g, value, "triangle", "predicted");
        genes.number(g, value);
      });
      fill({
        distance: distance(predicted, cells.stimulated),
        distance_without: distance(cells.control, cells.stimulated),
      });
    }

    controls.refresh();
  });
})();
