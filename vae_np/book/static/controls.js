// Controls of an interactive page: sliders with their values, buttons, dragging, gliding to a target.
"use strict";

window.vaeControls = (() => {
  const { html, output, format } = window.vaeDrawing;
  const GLIDE = 600; // milliseconds
  let count = 0;

  // Fills every place of this name; `strings` holds the texts of each language
  function start(name, strings, build) {
    for (const root of document.querySelectorAll(`[data-interactive="${name}"]`)) {
      const language = (root.closest("[lang]")?.lang ?? "en").slice(0, 2);
      root.replaceChildren();
      build(root, strings[language] ?? strings.en);
    }
  }

  // Sliders {name, label, min, max, step, value, digits}; `update` gets their values after each change
  function panel(parent, resetLabel, sliders, update) {
    const box = html(parent, "div", { class: "controls" });
    const buttons = html(parent, "div", { class: "buttons" });
    const initial = Object.fromEntries(sliders.map(({ name, value }) => [name, value]));
    const values = { ...initial };
    const inputs = {};
    let frame = 0;
    let goal = null; // of the glide under way

    for (const { name, label, min, max, step, digits } of sliders) {
      const id = `interactive-${(count += 1)}`;
      const line = html(box, "div", { class: "control" });
      html(line, "label", { for: id }, label);
      const input = html(line, "input", { type: "range", id, min, max, step, "data-control": name });
      inputs[name] = { input, shown: output(line, name, { for: id }), digits };
      input.addEventListener("input", () => {
        set({ [name]: input.valueAsNumber });
      });
    }

    function refresh() {
      for (const [name, { input, shown, digits }] of Object.entries(inputs)) {
        input.value = values[name];
        shown.textContent = format(values[name], digits);
        input.setAttribute("aria-valuetext", shown.textContent);
      }
      update(values);
    }

    function set(changes) {
      cancelAnimationFrame(frame);
      goal = null;
      Object.assign(values, changes);
      refresh();
    }

    // Moves to the target in steps, or at once for readers who want no motion
    function glide(target) {
      cancelAnimationFrame(frame);
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return set(target);
      goal = target;
      const from = { ...values };
      const begin = performance.now();
      const step = (now) => {
        const share = Math.min(Math.max((now - begin) / GLIDE, 0), 1);
        if (share === 1) return set(target);
        for (const name of Object.keys(target)) {
          values[name] = from[name] + share * (target[name] - from[name]);
        }
        refresh();
        frame = requestAnimationFrame(step);
      };
      frame = requestAnimationFrame(step);
    }

    // An action begins where the glide before it leads to
    function button(name, label, action) {
      const element = html(buttons, "button", { type: "button", "data-action": name }, label);
      element.addEventListener("click", () => {
        if (goal) set(goal);
        action();
      });
    }

    // A slider's value within its range
    function clamp(name, value) {
      const { min, max } = inputs[name].input;
      return Math.min(Math.max(value, Number(min)), Number(max));
    }

    button("reset", resetLabel, () => set(initial));
    return { values, set, glide, button, clamp, refresh };
  }

  // Drags a slider's value along the x-axis of a picture that holds a plane
  function dragSlider(target, controls, name) {
    let last = 0;
    target.classList.add("draggable");
    target.addEventListener("pointerdown", (event) => {
      last = event.clientX;
      target.setPointerCapture(event.pointerId);
    });
    target.addEventListener("pointermove", (event) => {
      if (!target.hasPointerCapture(event.pointerId)) return;
      const share = (event.clientX - last) / target.getBoundingClientRect().width;
      const value = controls.values[name] + share * Number(target.dataset.across);
      controls.set({ [name]: controls.clamp(name, value) });
      last = event.clientX;
    });
  }

  return { start, panel, dragSlider };
})();
