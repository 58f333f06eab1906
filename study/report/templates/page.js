"use strict";
// Looks up what was worked out beforehand for every stop of the slider, and hands it to Plotly. It computes no figure.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const state = { pool: data.pools.length - 1, share: data.firstShare, overlap: "1", published: false };
  const stale = new Set(Object.keys(data.figures)); // figures whose picture is not that of the state
  const near = new Set(); // figures on or near the screen
  const element = (id) => document.getElementById(id);

  const themed = (value) => {
    if (typeof value === "string" && value.startsWith("var(")) {
      return getComputedStyle(document.documentElement).getPropertyValue(value.slice(4, -1)).trim();
    }
    if (Array.isArray(value)) return value.map(themed);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, themed(v)]));
    return value;
  };

  const put = (target, path, value) => {
    const keys = path.split(".");
    const last = keys.pop();
    for (const key of keys) target = target[key] ??= {};
    target[last] = value;
  };

  const holds = (when) => {
    if (!when) return true;
    return when === "published" ? state.published : when === `overlap=${state.overlap}`;
  };

  const base = () => {
    const axis = { gridcolor: themed("var(--grid)"), zerolinecolor: themed("var(--muted)"), automargin: true, zeroline: false };
    return {
      autosize: true, dragmode: false, margin: { l: 56, r: 12, t: 10, b: 48 }, hovermode: "closest",
      font: { family: "inherit", size: 13, color: themed("var(--fg)") },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      legend: { orientation: "h", y: -0.22, yanchor: "top", x: 0 }, axis,
    };
  };

  // Returns traces and layout of a figure in the present state.
  const present = (figure) => {
    const traces = themed(figure.traces);
    const { axis, ...layout } = base();
    Object.assign(layout, themed(figure.layout));
    layout.xaxis = { ...axis, ...layout.xaxis };
    layout.yaxis = { ...axis, ...layout.yaxis };
    if (layout.xaxis.title) layout.xaxis.title.standoff = 6;
    for (const move of figure.moves) {
      if ("layout" in move) {
        if (holds(move.when)) put(layout, move.layout, themed(move.values[state[move.by]]));
      } else {
        put(traces[move.trace], move.path, move.values[state[move.by]]);
      }
    }
    if (document.documentElement.clientWidth < 640) {
      for (const trace of traces) {
        if (trace.type === "heatmap") trace.showscale = false;
        if (trace.mode === "text") trace.textfont.size = 11;
      }
      layout.margin = { ...layout.margin, r: 6 };
    }
    return { traces: traces.filter((trace) => holds(trace.when)), layout };
  };

  const draw = (id) => {
    const { traces, layout } = present(data.figures[id]);
    stale.delete(id);
    return Plotly.react(element(`plot-${id}`), traces, layout, { displayModeBar: false, responsive: true });
  };

  const drawNear = () => near.forEach((id) => stale.has(id) && draw(id));

  const update = () => {
    if (element("pool")) {
      const text = `${data.pools[state.pool].toLocaleString("en")} (chance ${data.chances[state.pool]})`;
      element("pool-value").textContent = text;
      element("pool").setAttribute("aria-valuetext", `${data.pools[state.pool]} candidates`);
    }
    document.querySelectorAll("[data-text]").forEach((node) => {
      const text = data.texts[node.dataset.text];
      if (text) node.textContent = text.values[state[text.by]];
    });
    Object.entries(data.figures).forEach(([id, figure]) => {
      if (figure.moves.length || figure.traces.some((trace) => trace.when)) stale.add(id);
    });
    drawNear();
  };

  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; update(); });
  };

  const listen = (id, event, change) => element(id)?.addEventListener(event, (e) => { change(e.target); soon(); });
  listen("pool", "input", (input) => { state.pool = Number(input.value); });
  listen("published", "change", (input) => { state.published = input.checked; });
  listen("share", "change", (input) => { state.share = Number(input.value); });
  listen("overlap", "change", (input) => { state.overlap = input.value; });

  const all = (change) => { change(); Object.keys(data.figures).forEach(draw); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => all(() => {}));
  addEventListener("beforeprint", () => all(() => {
    document.documentElement.dataset.print = "";
    document.querySelectorAll(".verdicts details").forEach((node) => { node.open = true; });
  }));
  addEventListener("afterprint", () => all(() => { delete document.documentElement.dataset.print; }));

  // Figures are drawn when they come near the screen, which lets a long page open at once.
  const watcher = new IntersectionObserver((entries) => {
    entries.forEach((entry) => near[entry.isIntersecting ? "add" : "delete"](entry.target.dataset.figure));
    drawNear();
  }, { rootMargin: "500px" });
  // A reload may keep the controls where a reader left them.
  if (element("pool")) state.pool = Number(element("pool").value);
  if (element("share")) { state.share = Number(element("share").value); state.published = element("published").checked; }
  if (element("overlap")) state.overlap = element("overlap").value;
  update();
  document.querySelectorAll("[data-figure]").forEach((node) => watcher.observe(node));
  document.documentElement.dataset.ready = "";
})();
