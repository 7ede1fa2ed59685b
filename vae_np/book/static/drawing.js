// Small helpers that draw: elements, a plane with axes, rows with a bar or marks and a number.
// They know positions and class names only; colors and dashes are in interactive.css.
"use strict";

window.vaeDrawing = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 340;
  const MARGIN = { left: 34, right: 12, top: 24, bottom: 38 };
  const SHAPES = {
    circle: "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0Z",
    square: "M-4,-4h8v8h-8Z",
    triangle: "M0,-5.5L5,4H-5Z",
    diamond: "M0,-6.5L6.5,0L0,6.5L-6.5,0Z",
  };

  function append(parent, element, attributes, text) {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }

  const html = (parent, tag, attributes = {}, text) =>
    append(parent, document.createElement(tag), attributes, text);

  const svg = (parent, tag, attributes = {}, text) =>
    append(parent, document.createElementNS(SVG, tag), attributes, text);

  // A number with fixed decimals; a rounded zero has no sign
  function format(value, digits) {
    const text = value.toFixed(digits);
    return Number(text) === 0 ? (0).toFixed(digits) : text;
  }

  // A place for a number that is read by its name
  function output(parent, name, attributes = {}) {
    return html(parent, "output", { "data-value": name, "aria-live": "off", ...attributes });
  }

  // An empty picture; `plane` fills it
  function picture(parent, label, height = 250) {
    const viewBox = `0 0 ${WIDTH} ${height}`;
    return svg(parent, "svg", { viewBox, role: "img", "aria-label": label, class: "picture" });
  }

  // Clears the picture and draws axes. x and y: {from, to, ticks, label}
  function plane(target, x, y) {
    target.replaceChildren();
    const height = target.viewBox.baseVal.height;
    const right = WIDTH - MARGIN.right;
    const bottom = height - MARGIN.bottom;
    const atX = (value) => MARGIN.left + ((value - x.from) / (x.to - x.from)) * (right - MARGIN.left);
    const atY = (value) => bottom - ((value - y.from) / (y.to - y.from)) * (bottom - MARGIN.top);

    for (const tick of x.ticks) {
      svg(target, "line", { x1: atX(tick), x2: atX(tick), y1: MARGIN.top, y2: bottom, class: "grid" });
      svg(target, "text", { x: atX(tick), y: bottom + 16, class: "tick" }, String(tick));
    }
    for (const tick of y.ticks) {
      svg(target, "line", { x1: MARGIN.left, x2: right, y1: atY(tick), y2: atY(tick), class: "grid" });
      svg(target, "text", { x: MARGIN.left - 5, y: atY(tick) + 4, class: "tick left" }, String(tick));
    }
    svg(target, "text", { x: (MARGIN.left + right) / 2, y: height - 5, class: "axis" }, x.label);
    if (y.label) svg(target, "text", { x: 8, y: 14, class: "axis start" }, y.label);
    const area = { x: MARGIN.left, y: MARGIN.top, width: right - MARGIN.left, height: bottom - MARGIN.top };
    target.dataset.across = ((x.to - x.from) * WIDTH) / area.width; // units of x
    const inside = svg(target, "svg", { ...area, viewBox: Object.values(area).join(" ") });

    const points = Array.from({ length: 321 }, (_, i) => x.from + (i / 320) * (x.to - x.from));
    const path = (f) =>
      points.map((value) => `${atX(value).toFixed(2)},${atY(f(value)).toFixed(2)}`).join("L");

    return {
      curve(f, name) {
        svg(inside, "path", { d: `M${path(f)}`, class: `curve ${name}` });
      },
      area(f, name) {
        const d = `M${atX(x.from)},${atY(0)}L${path(f)}L${atX(x.to)},${atY(0)}Z`;
        svg(inside, "path", { d, class: `area ${name}` });
      },
      segment(x1, y1, x2, y2, name) {
        svg(inside, "line", { x1: atX(x1), y1: atY(y1), x2: atX(x2), y2: atY(y2), class: `curve ${name}` });
      },
      ellipse(centerX, centerY, radiusX, radiusY, name) {
        const [cx, cy] = [atX(centerX), atY(centerY)];
        const [rx, ry] = [atX(centerX + radiusX) - cx, cy - atY(centerY + radiusY)];
        svg(inside, "ellipse", { cx, cy, rx, ry, class: `curve ${name}` });
      },
      mark(valueX, valueY, shape, name) {
        const transform = `translate(${atX(valueX)},${atY(valueY)})`;
        svg(inside, "path", { d: SHAPES[shape], transform, class: `mark ${name}` });
      },
    };
  }

  // What the lines and marks mean. entries: [{text, name, shape, line}]
  function legend(parent, entries) {
    const list = html(parent, "ul", { class: "legend" });
    for (const { text, name, shape, line } of entries) {
      const item = html(list, "li");
      const sample = svg(item, "svg", { width: 30, height: 14, viewBox: "0 0 30 14", "aria-hidden": "true" });
      if (line) svg(sample, "line", { x1: 1, x2: 29, y1: 7, y2: 7, class: `curve ${name}` });
      const transform = "translate(15,7)";
      if (shape) svg(sample, "path", { d: SHAPES[shape], transform, class: `mark ${name}` });
      html(item, "span", {}, text);
    }
  }

  // Rows of a label, a strip and a number, over one common scale.
  // rows: [{name, label, main}]
  function rows(parent, entries, digits) {
    const grid = html(parent, "div", { class: "rows" });
    const strip = (label) => svg(grid, "svg", { class: "strip", role: "img", "aria-label": label });
    const lines = entries.map(({ name, label, main }) => {
      html(grid, "span", { class: main ? "label main" : "label" }, label);
      const place = strip(label);
      const live = main ? { "aria-live": "polite", class: "main" } : {};
      return { place, number: output(grid, name, live) };
    });
    const axis = svg(grid, "svg", { class: "strip scale", "aria-hidden": "true" });
    let scale = (value) => value;
    const percent = (value) => `${scale(value).toFixed(3)}%`;

    return {
      // Sets the scale and clears all strips
      scale(from, to, ticks) {
        scale = (value) => 4 + (92 * (Math.min(Math.max(value, from), to) - from)) / (to - from);
        axis.replaceChildren();
        for (const tick of ticks) svg(axis, "text", { x: percent(tick), y: 14, class: "tick" }, String(tick));
        for (const { place } of lines) {
          place.replaceChildren();
          for (const tick of ticks) {
            svg(place, "line", { x1: percent(tick), x2: percent(tick), y1: 0, y2: "100%", class: "grid" });
          }
        }
      },
      number(i, value) {
        lines[i].number.textContent = format(value, digits);
      },
      bar(i, from, to, name) {
        const [low, high] = [Math.min(from, to), Math.max(from, to)];
        const width = `${(scale(high) - scale(low)).toFixed(3)}%`;
        svg(lines[i].place, "rect", { x: percent(low), width, y: 5, height: 14, class: `bar ${name}` });
      },
      segment(i, from, to, name) {
        const ends = { x1: percent(from), x2: percent(to), y1: 12, y2: 12 };
        svg(lines[i].place, "line", { ...ends, class: `curve ${name}` });
      },
      mark(i, value, shape, name) {
        const holder = svg(lines[i].place, "svg", { x: percent(value), y: 12, class: "holder" });
        svg(holder, "path", { d: SHAPES[shape], class: `mark ${name}` });
      },
    };
  }

  // A table of numbers. lines: [{label, names}], a name a cell; returns the function that fills it
  function table(parent, head, lines, digits) {
    const body = html(html(parent, "div", { class: "numbers" }), "table");
    const first = html(body, "tr");
    for (const text of head) html(first, "th", { scope: "col" }, text);
    const cells = {};
    for (const { label, names } of lines) {
      const line = html(body, "tr");
      html(line, "th", { scope: "row" }, label);
      for (const name of names) cells[name] = output(html(line, "td"), name);
    }
    return (values) => {
      for (const [name, value] of Object.entries(values)) cells[name].textContent = format(value, digits);
    };
  }

  return { html, format, output, picture, plane, legend, rows, table };
})();
