"use strict";
(() => {
  const errors = [];
  addEventListener("error", (e) => errors.push(String(e.message)));
  addEventListener("unhandledrejection", (e) => errors.push(String(e.reason)));
  const complain = console.error;
  console.error = (...words) => { errors.push(words.join(" ")); complain(...words); };

  const data = JSON.parse(document.getElementById("data").textContent);
  const running = (steps) => { let sum = 0; return steps.map((step) => (sum += step)); };
  for (const chart of Object.values(data.charts)) chart.x = running(chart.x);
  for (const group of data.markers) { group.t = running(group.t); group.on = true; }

  const ends = Object.values(data.charts).filter((c) => c.x.length);
  const first = Math.min(...ends.map((c) => c.x[0]));
  const last = Math.max(...ends.map((c) => c.x[c.x.length - 1]));
  const color = (index) =>
    getComputedStyle(document.documentElement).getPropertyValue(
      typeof index === "number" ? `--c${index % 8}` : `--${index}`).trim();
  const number = (value, decimals) =>
    value == null ? "–" : value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).replace("-", "−");
  const two = (n) => String(n).padStart(2, "0");
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
  const tick = (seconds, step) => {
    const d = new Date(seconds * 1000);
    const year = `’${two(d.getUTCFullYear() % 100)}`;
    if (step >= 28 * 86400) return `${months[d.getUTCMonth()]} ${year}`;
    if (step >= 86400 || (d.getUTCHours() === 0 && d.getUTCMinutes() === 0)) return `${d.getUTCDate()} ${months[d.getUTCMonth()]}`;
    return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
  };

  // One record per chart: its place, its data, its plot.
  const charts = [];
  let following = false;
  const show = (from, to, except) => {
    if (following) return;
    following = true;
    for (const chart of charts) if (chart.plot && chart.plot !== except) chart.plot.setScale("x", { min: from, max: to });
    following = false;
    pressed(from, to);
  };

  const withZero = new Set(["drawdown", "margin", "distance", "exposure", "funding", "delta"]);
  const padded = (low, high, zero) => {
    if (low == null || !isFinite(low)) return [0, 1];
    if (zero) { low = Math.min(low, 0); high = Math.max(high, 0); }
    const pad = high > low ? (high - low) * 0.06 : Math.abs(high) * 0.01 || 1;
    return [zero && low === 0 && high > 0 ? 0 : low - pad, zero && high === 0 && low < 0 ? 0 : high + pad];
  };

  // Bottom and top of every band at every instant; what is below zero goes downward.
  const stacked = (plot, bands) => {
    const up = new Array(plot.data[0].length).fill(0);
    const down = up.slice();
    return bands.map((at) => {
      if (!plot.series[at].show) return null;
      return plot.data[at].map((value, i) => {
        const base = value >= 0 ? up : down;
        const bottom = base[i];
        base[i] += value;
        return [bottom, base[i]];
      });
    });
  };
  const bandRange = (plot, bands) => {
    const x = plot.data[0];
    const { min, max } = plot.scales.x;
    let low = 0, high = 0;
    const inside = (i) => (min == null || x[i] >= min) && (max == null || x[i] <= max);
    for (const band of stacked(plot, bands)) {
      if (band) band.forEach((pair, i) => { if (inside(i)) { low = Math.min(low, pair[1]); high = Math.max(high, pair[1]); } });
    }
    return padded(low, high, true);
  };
  const drawBands = (plot, bands) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const px = plot.data[0].map((x) => plot.valToPos(x, "x", true));
    stacked(plot, bands).forEach((band, which) => {
      if (!band) return;
      ctx.beginPath();
      band.forEach((pair, i) => ctx.lineTo(px[i], plot.valToPos(pair[1], "y", true)));
      for (let i = band.length - 1; i >= 0; i--) ctx.lineTo(px[i], plot.valToPos(band[i][0], "y", true));
      ctx.closePath();
      ctx.fillStyle = color(plot.series[bands[which]].index);
      ctx.globalAlpha = 0.8;
      ctx.fill();
    });
    ctx.restore();
  };

  const instruments = [...new Set(data.markers.map((group) => group.label.split(" ")[0]))];
  const drawMarkers = (plot) => {
    const { ctx, bbox } = plot;
    const { min, max } = plot.scales.x;
    const visible = data.markers.reduce((sum, group) => sum + (group.on ? group.t.filter((t) => t >= min && t <= max).length : 0), 0);
    const size = (visible > 300 ? 3 : 5) * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const group of data.markers) {
      if (!group.on) continue;
      ctx.fillStyle = color(instruments.indexOf(group.label.split(" ")[0]));
      ctx.globalAlpha = 0.75;
      group.t.forEach((t, i) => {
        const x = plot.valToPos(t, "x", true), y = plot.valToPos(group.p[i], "y", true);
        ctx.beginPath();
        ctx.moveTo(x, y - group.side * size);
        ctx.lineTo(x - size * 0.8, y + group.side * size * 0.7);
        ctx.lineTo(x + size * 0.8, y + group.side * size * 0.7);
        ctx.fill();
      });
    }
    ctx.restore();
  };
  const nearMarker = (plot, place) => {
    const { left, top } = plot.cursor;
    let best = null, least = 14 * 14;
    if (left >= 0) for (const group of data.markers) {
      if (!group.on) continue;
      group.t.forEach((t, i) => {
        const dx = plot.valToPos(t, "x") - left;
        if (Math.abs(dx) > 14) return;
        const dy = plot.valToPos(group.p[i], "y") - top;
        if (dx * dx + dy * dy < least) { least = dx * dx + dy * dy; best = [group, i]; }
      });
    }
    place.textContent = best
      ? `${moment(best[0].t[best[1]])}  ${best[0].label}  ${best[0].q[best[1]]} at ${number(best[0].p[best[1]], 2)}` +
        (best[0].n[best[1]] > 1 ? `  (${best[0].n[best[1]]} fills, mean price)` : "")
      : "";
  };

  // The value under the cursor; without a cursor the last one.
  const read = (decimals) => (plot, value, series) => {
    if (value == null && plot.data && plot.cursor.idx == null) value = plot.data[series].findLast((v) => v != null);
    return number(value, decimals);
  };
  const stripes = (ink) => `repeating-linear-gradient(90deg, ${ink} 0 4px, transparent 4px 7px)`;

  const table = (chart) => {
    if (chart.parts) return uPlot.join(chart.parts.map((c) => [c.x, c.series[0].values]));
    const columns = [chart.x, ...chart.series.map((s) => s.values)];
    return columns;
  };

  const draw = (record) => {
    const { place, chart, id } = record;
    const keys = place.nextElementSibling;
    const stack = chart.kind === "stack";
    const narrow = place.clientWidth < 480;
    const font = `${narrow ? 11 : 12}px system-ui, sans-serif`;
    const axis = { stroke: color("muted"), font, grid: { stroke: color("grid"), width: 1 }, ticks: { stroke: color("line"), width: 1, size: 4 } };
    const shown = stack ? chart.series.slice(0, -1) : chart.series;
    const lines = shown.map((s) => ({
      label: s.label, index: s.color, stroke: color(s.color), width: 1.4, dash: s.dashed ? [5, 4] : undefined,
      fill: chart.kind === "area" ? color(s.color) + "2e" : stack ? color(s.color) : undefined,
      paths: stack ? () => null : undefined, spanGaps: Boolean(chart.parts), points: { show: false },
      value: read(chart.decimals), dashed: s.dashed,
    }));
    if (stack) lines.push({ label: chart.series[chart.series.length - 1].label, index: 7, stroke: color("ink"), width: 1.8, points: { show: false }, value: read(chart.decimals) });
    const bands = stack ? shown.map((_, i) => i + 1) : [];
    const hooks = { setScale: [(plot, key) => { if (key === "x" && !following) show(plot.scales.x.min, plot.scales.x.max, plot); }] };
    if (stack) hooks.drawAxes = [(plot) => drawBands(plot, bands)];
    if (id === "price") { hooks.draw = [drawMarkers]; hooks.setCursor = [(plot) => nearMarker(plot, record.mark)]; }
    following = true;
    keys.textContent = "";
    record.plot = new uPlot({
      width: place.clientWidth, height: narrow ? 230 : 300,
      padding: [10, 22, 0, 0],
      tzDate: (t) => uPlot.tzDate(new Date(t * 1000), "Etc/UTC"),
      cursor: { sync: { key: "run", setSeries: false }, drag: { x: true, y: false }, points: { size: 7 },
        bind: { dblclick: () => () => show(first, last) } },
      legend: { mount: (_, legend) => keys.append(legend),
        markers: { width: 0, fill: (plot, i) => lines[i - 1] && (lines[i - 1].dashed ? stripes(lines[i - 1].stroke) : lines[i - 1].stroke) } },
      scales: { x: { time: true }, y: { range: (plot, low, high) => stack ? bandRange(plot, bands) : padded(low, high, withZero.has(id)) } },
      axes: [
        { ...axis, size: 34, space: narrow ? 62 : 80, values: (_, splits, __, ___, step) => splits.map((s) => tick(s, step)) },
        { ...axis, values: (_, splits) => splits.map((v) => v.toLocaleString("en-US", { maximumFractionDigits: 6 }).replace("-", "−")),
          size: (_, values) => values ? 18 + Math.max(...values.map((v) => v.length)) * (narrow ? 6.2 : 6.8) : 50 },
      ],
      series: [{ label: "UTC", value: (plot, x) => moment(x ?? plot.data[0][plot.data[0].length - 1]) }, ...lines],
      hooks,
    }, table(chart), place);
    record.plot.setScale("x", { min: record.from ?? first, max: record.to ?? last });
    following = false;
    keyed(record, keys);
  };

  // Legend entries are switches for the keyboard too.
  const keyed = (record, keys) => {
    [...keys.querySelectorAll("tr.u-series")].slice(1).forEach((row) => {
      const head = row.querySelector("th");
      const state = () => head.setAttribute("aria-pressed", String(!row.classList.contains("u-off")));
      head.tabIndex = 0;
      head.setAttribute("role", "button");
      head.addEventListener("keydown", (e) => {
        if (e.key === "Enter" || e.key === " ") { e.preventDefault(); head.click(); }
      });
      head.addEventListener("click", () => setTimeout(state));
      state();
    });
  };

  const zoom = (plot, factor) => {
    const { min, max } = plot.scales.x;
    const at = plot.cursor.idx == null ? (min + max) / 2 : plot.data[0][plot.cursor.idx];
    const from = Math.max(first, at - (at - min) * factor), to = Math.min(last, at + (max - at) * factor);
    if (to - from >= 3600) show(from, to);
  };
  const onKey = (record) => (e) => {
    const plot = record.plot;
    const x = plot.data[0];
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[e.key];
    if (move) {
      const low = x.findIndex((t) => t >= plot.scales.x.min);
      const at = plot.cursor.idx == null ? low : plot.cursor.idx + move;
      const to = Math.max(0, Math.min(x.length - 1, at));
      plot.setCursor({ left: plot.valToPos(x[to], "x"), top: plot.bbox.height / devicePixelRatio / 2 }, true, true);
    } else if (e.key === "+" || e.key === "=") zoom(plot, 0.6);
    else if (e.key === "-") zoom(plot, 1 / 0.6);
    else if (e.key === "0" || e.key === "Escape") show(first, last);
    else return;
    e.preventDefault();
  };

  const nav = document.getElementById("range");
  const spans = [["All", 0], ["90 d", 90], ["30 d", 30], ["7 d", 7]].filter(([, days]) => days * 86400 < last - first);
  const pressed = (from, to) => {
    [...nav.children].forEach((button, i) => {
      const start = spans[i][1] ? last - spans[i][1] * 86400 : first;
      button.setAttribute("aria-pressed", String(Math.abs(from - start) < 1 && Math.abs(to - last) < 1));
    });
    charts.forEach((record) => { record.from = from; record.to = to; });
  };
  for (const [label, days] of spans) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => show(days ? last - days * 86400 : first, last));
    nav.append(button);
  }

  for (const place of document.querySelectorAll("[data-chart]")) {
    const id = place.dataset.chart;
    const parts = [];
    while (data.charts[`${id}-${parts.length}`]) parts.push(data.charts[`${id}-${parts.length}`]);
    const chart = parts.length
      ? { ...parts[0], parts, series: parts.map((part) => part.series[0]), kind: "line" }
      : data.charts[id];
    const record = { id, place, chart, plot: null, mark: null };
    if (!chart.series.length || !(chart.x.length || (chart.parts || []).some((part) => part.x.length))) {
      place.textContent = "Nothing to show: this run has no such values.";
      place.style.minHeight = "0";
      charts.push(record);
      continue;
    }
    if (id === "price") {
      record.mark = document.createElement("p");
      record.mark.className = "mark";
      place.nextElementSibling.after(record.mark);
    }
    charts.push(record);
    draw(record);
    place.addEventListener("keydown", onKey(record));
  }
  if (charts.length) {
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = matchMedia("(pointer: coarse)").matches
      ? "Tap a chart to read its values and a name to hide its line; the buttons at the bottom choose the time shown."
      : "Drag over a chart to zoom all of them, double-click to go back; click a name to hide its line. " +
      "With a chart focused: ← → read values, + − zoom, 0 shows all.";
    charts[0].place.closest("section").querySelector("h2").after(hint);
    nav.hidden = spans.length < 2;
    pressed(first, last);
  }

  const toggles = document.querySelector(".toggles");
  if (toggles) data.markers.forEach((group) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    const sign = document.createElement("span");
    sign.textContent = group.side > 0 ? "▲" : "▼";
    sign.setAttribute("aria-hidden", "true");
    sign.style.color = `var(--c${instruments.indexOf(group.label.split(" ")[0]) % 8})`;
    box.addEventListener("change", () => {
      group.on = box.checked;
      charts.find((record) => record.id === "price").plot.redraw(false);
    });
    label.append(box, sign, group.label);
    toggles.append(label);
  });

  const again = () => charts.forEach((record) => { if (record.plot) { record.plot.destroy(); draw(record); } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    for (const record of charts) if (record.plot) record.plot.setSize({ width: record.place.clientWidth, height: record.plot.height });
  });

  // For tests: what the page found when it looked at itself.
  const selfCheck = () => {
    const ink = (canvas) => {
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      let count = 0;
      for (let i = 3; i < pixels.length; i += 4) if (pixels[i]) count++;
      return count;
    };
    const found = {
      errors,
      inner_width: innerWidth,
      scroll_width: document.documentElement.scrollWidth,
      charts: charts.map(({ id, plot, chart }) => ({
        id,
        points: plot ? plot.data[0].length : 0,
        ink: plot ? ink(plot.ctx.canvas) : 0,
        series: chart.series.map((s) => ({ label: s.label, values: s.values.filter((v) => v != null).length })),
      })),
      values: [...document.querySelectorAll("[data-key]")].map((e) => ({ key: e.dataset.key, value: e.getAttribute("value"), shown: e.textContent })),
    };
    const place = document.createElement("pre");
    place.id = "selfcheck";
    place.textContent = JSON.stringify(found);
    document.body.append(place);
    if (parent !== window) parent.postMessage(place.textContent, "*");
  };
  if (location.hash === "#selfcheck") setTimeout(selfCheck, 300);
})();
