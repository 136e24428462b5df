// The charts of one suite. They show the rows that pass the table's filter.

const MOST_POINTS = 400;
const MOST_WITH_BARS = 100;
const isNumber = (value) => value !== null && value !== undefined;
const has = (table, number) => table.data.rows.filter((row) => isNumber(row[3][number][2])).length > 0;

/** Return the indices of the columns that can be an axis. */
function axisColumns(table, wanted) {
  return table.data.columns
    .map((column, number) => [column, number])
    .filter(([column, number]) => column.role === "value" && column.unit && wanted(column) && has(table, number))
    .map(([, number]) => number);
}

const padded = (values, share = 0.08) => {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const more = (high - low || Math.abs(high) || 1) * share;
  return [low - more, high + more];
};

/** Return a range without what a quantity cannot be: a share ends at 0 and at 100 %. */
const clipped = ([low, high], { unit, scale }) => (unit === "fraction" ? [Math.max(low, 0), Math.min(high, scale)] : [low, high]);

/** Return the ends of an axis that finds its own range. */
const ends = ({ unit, scale, role }) => (unit === "fraction" ? { minallowed: role === "delta" ? -scale : 0, maxallowed: scale } : {});

const quoted = (count, whole, what) => (count < whole ? ` ${count} of ${whole} ${what} are drawn; use the table's filter to select others.` : "");

/** Draw quality against cost, with published peers as faint points, and the Pareto front. */
function drawPareto(figure, table) {
  const cost = axisColumns(table, (column) => column.is_cost && column.better !== 0);
  const quality = axisColumns(table, (column) => !cost.includes(table.data.columns.indexOf(column)) && column.better !== 0);
  if (!cost.length || !quality.length) return null;
  const state = { x: cost.find((n) => table.data.columns[n].is_timed) ?? cost[0], y: quality[0], runtime: "" };
  const runtimes = measuredRuntimes(table, cost, quality);
  const chart = new Chart(figure, (width) => paretoSpec(table, state, width));
  const options = (numbers) => numbers.map((n) => [String(n), table.data.columns[n].title]);
  const choose = (name) => (value) => { state[name] = Number(value); chart.draw(); };
  chart.controls(
    choice("across", options(cost), String(state.x), choose("x")),
    choice("up", options(quality), String(state.y), choose("y")),
    ...(runtimes.length > 1 ? [choice("runtime", [["", "of each axis"], [EVERY, "each one"], ...runtimes.map((name) => [name, name])], "", (value) => { state.runtime = value; chart.draw(); })] : []),
  );
  return chart;
}

const EVERY = "*";

/** Return the runtimes, with their precisions, in which both a quality and a timing were measured. */
function measuredRuntimes(table, cost, quality) {
  const of = (numbers) => numbers.map((n) => table.data.columns[n]).filter((column) => column.runtime);
  const timed = new Set(of(cost.filter((n) => table.data.columns[n].is_timed)).map((column) => column.runtime));
  return [...new Set(of(quality).map((column) => column.runtime))].filter((name) => timed.has(name));
}

/**
 * Return the columns of both axes, once for each runtime that is shown: [across, up, runtime].
 * A column of the chosen metric in that runtime takes the place of the chosen one; exact figures have none.
 */
function runtimeAxes(table, state) {
  const columns = table.data.columns;
  if (!state.runtime) return [[state.x, state.y, ""]];
  const role = (column, chosen) => column.role === chosen.role && column.metric === chosen.metric && column.dataset === chosen.dataset;
  const inRuntime = (number, name) => {
    const chosen = columns[number];
    if (!chosen.runtime) return number;
    return columns.findIndex((column) => role(column, chosen) && column.runtime === name);
  };
  const every = [...new Set(columns.map((column) => column.runtime).filter(Boolean))];
  const names = state.runtime === EVERY ? every : [state.runtime];
  return names.map((name) => [inRuntime(state.x, name), inRuntime(state.y, name), name]).filter(([x, y]) => x >= 0 && y >= 0);
}

function paretoSpec(table, state, width) {
  const chosen = [table.data.columns[state.x], table.data.columns[state.y]];
  const named = (column) => (state.runtime && column.runtime ? { ...column, title: column.plain_title } : column);
  const [across, up] = chosen.map(named);
  const shown = runtimeAxes(table, state);
  const all = shown.flatMap(([x, y, runtime]) => table.found.map((row) => paretoPoint(row, { x, y }, across, up, shown.length > 1 ? runtime : "")).filter(Boolean));
  const front = frontOf(all, across.better, up.better);
  const drawn = all.length > MOST_POINTS ? [...new Set([...front, ...all])].slice(0, MOST_POINTS) : all;
  const peers = table.data.peers.points
    .map(([title, values]) => ({ text: title, x: values[across.published_as], y: values[up.published_as] }))
    .filter((peer) => isNumber(peer.x) && isNumber(peer.y))
    .map((peer) => ({ ...peer, x: peer.x * across.scale, y: peer.y * up.scale }));
  const bounds = paretoBounds([...drawn, ...peers], across, up);
  const traces = paretoTraces(drawn, peers, front, width, bounds, [across, up]);
  const axes = { xaxis: axis(across.title, { range: bounds.x }), yaxis: axis(up.title, { range: bounds.y }) };
  const word = (column, more) => `${more ? "More" : "Less"} ${column.title} is better`;
  const line = front.length > 1 ? " The line joins the rows that no other row beats in both metrics." : "";
  const hasBars = drawn.some((point) => [...point.xEnds, ...point.yEnds].some(Boolean));
  const intervals = !hasBars ? "" : drawn.length > MOST_WITH_BARS ? " The 95 % intervals are in the numbers below." : " Bars are 95 % intervals.";
  const baseline = drawn.some((point) => point.isBaseline) ? " The diamond is the baseline." : "";
  const faint = peers.length ? ` Faint: ${peers.length} published points (${table.data.peers.source}), not measured here.` : "";
  return {
    traces,
    layout: { ...axes, showlegend: false, margin: { l: 8, r: 16, t: 16, b: 8 } },
    caption: `${word(across, across.better > 0)}. ${word(up, up.better > 0)}.${line}${intervals}${baseline}${faint}${quoted(drawn.length, all.length, "rows")}`,
    titles: ["row", across.title, up.title, "on the front"],
    rows: [
      ...drawn.map((point) => [point.text, point.xText, point.yText, front.includes(point) ? "yes" : ""]),
      ...peers.map((peer) => [`${peer.text} (published)`, peer.x.toFixed(across.digits), peer.y.toFixed(up.digits), ""]),
    ],
  };
}

function paretoPoint(row, state, across, up, runtime) {
  const [x, y] = [row.cells[state.x], row.cells[state.y]];
  if (!isNumber(x[2]) || !isNumber(y[2])) return null;
  const ends = (cell, scale) => (isNumber(cell[3]) ? [(cell[4] - cell[2]) * scale, (cell[2] - cell[3]) * scale] : [0, 0]);
  return {
    text: runtime ? `${row.title}, ${runtime}` : row.title,
    isBaseline: row.mark === "baseline",
    x: x[2] * across.scale,
    y: y[2] * up.scale,
    xEnds: ends(x, across.scale),
    yEnds: ends(y, up.scale),
    xText: shownInterval(x[2], x[3], x[4], across),
    yText: shownInterval(y[2], y[3], y[4], up),
  };
}

/** Return the Pareto front: the points that no other point dominates. */
function frontOf(points, acrossBetter, upBetter) {
  const sorted = [...points].sort((a, b) => acrossBetter * (b.x - a.x) || upBetter * (b.y - a.y));
  const front = [];
  for (const point of sorted) {
    const last = front.at(-1);
    if (!last || upBetter * (point.y - last.y) > 0) front.push(point);
  }
  return front;
}

function paretoBounds(points, across, up) {
  const reached = (name) => points.flatMap((point) => [point[name] + (point[`${name}Ends`]?.[0] ?? 0), point[name] - (point[`${name}Ends`]?.[1] ?? 0)]);
  return { x: clipped(padded(reached("x"), 0.12), across), y: clipped(padded(reached("y"), 0.1), up) };
}

function paretoTraces(points, peers, front, width, bounds, [across, up]) {
  const ours = seriesStyle(0).colour;
  const named = points.length <= 40 ? points : points.filter((point) => front.includes(point) || point.isBaseline);
  const places = new Map(named.map((point) => [point, null]));
  const size = { width: Math.max(width - 80, 200), height: 340 };
  labelPlaces([...named], size, bounds).forEach((place, n) => places.set(named[n], place));
  const bars = (name) => ({ type: "data", symmetric: false, array: points.map((p) => p[name][0]), arrayminus: points.map((p) => p[name][1]), color: ours, thickness: 1.2, width: 0 });
  return [
    {
      x: peers.map((p) => p.x), y: peers.map((p) => p.y), text: peers.map((p) => literal(p.text)), type: "scatter", mode: "markers", cliponaxis: false,
      marker: { color: colour("faint"), opacity: 0.55, size: 7, symbol: "circle-open" },
      hovertemplate: `%{text} (published)<br>%{x} ${literal(across.title)}<br>%{y} ${literal(up.title)}<extra></extra>`,
    },
    { x: front.map((p) => p.x), y: front.map((p) => p.y), type: "scatter", mode: "lines", line: { color: colour("faint"), dash: "dot", width: 1.5 }, hoverinfo: "skip" },
    {
      x: points.map((p) => p.x), y: points.map((p) => p.y), type: "scatter", mode: "markers+text", cliponaxis: false,
      text: points.map((p) => (places.get(p) ? literal(short(p.text)) : "")),
      textposition: points.map((p) => places.get(p) ?? "top center"),
      textfont: { size: 12, color: colour("ink") },
      customdata: points.map((p) => [literal(p.text), p.xText, p.yText]),
      hovertemplate: `<b>%{customdata[0]}</b><br>${literal(across.title)}: %{customdata[1]}<br>${literal(up.title)}: %{customdata[2]}<extra></extra>`,
      ...(points.length > MOST_WITH_BARS ? {} : { error_x: bars("xEnds"), error_y: bars("yEnds") }),
      marker: { color: points.map((p) => (p.isBaseline ? seriesStyle(1).colour : ours)), symbol: points.map((p) => (p.isBaseline ? "diamond" : "circle")), size: 10, line: { color: colour("paper"), width: 1 } },
    },
  ];
}

/** Draw one column of every row with its interval: bars if zero is near, points if it is far. */
function drawCompare(figure, table) {
  const columns = table.data.columns
    .map((column, number) => [column, number])
    .filter(([column, number]) => column.unit && column.role !== "published" && has(table, number))
    .map(([, number]) => number);
  if (!columns.length) return null;
  const delta = columns.find((n) => table.data.columns[n].role === "delta");
  const state = { column: delta ?? columns[0] };
  const chart = new Chart(figure, () => compareSpec(table, state.column));
  const options = columns.map((n) => [String(n), table.data.columns[n].title]);
  chart.controls(choice("metric", options, String(state.column), (value) => { state.column = Number(value); chart.draw(); }));
  return chart;
}

const MOST_BARS = 30;

function compareSpec(table, number) {
  const column = table.data.columns[number];
  const all = table.found.filter((row) => isNumber(row.cells[number][2]));
  const drawn = all.slice(0, MOST_BARS);
  const cells = drawn.map((row) => row.cells[number]);
  const isFar = column.role === "delta" ? true : Math.min(...cells.map((c) => c[3] ?? c[2])) / Math.max(...cells.map((c) => c[4] ?? c[2])) > 0.5;
  const values = cells.map((cell) => cell[2] * column.scale);
  const bars = {
    type: "data", symmetric: false, color: colour("ink"), thickness: 1.4, width: 5,
    array: cells.map((cell) => (isNumber(cell[4]) ? (cell[4] - cell[2]) * column.scale : null)),
    arrayminus: cells.map((cell) => (isNumber(cell[3]) ? (cell[2] - cell[3]) * column.scale : null)),
  };
  const colours = drawn.map((row) => seriesStyle(row.mark === "baseline" ? 1 : 0).colour);
  const texts = cells.map((cell) => shownInterval(cell[2], cell[3], cell[4], column));
  const shape = isFar
    ? { type: "scatter", mode: "markers", cliponaxis: false, marker: { color: colours, size: 10, symbol: drawn.map((row) => (row.mark === "baseline" ? "diamond" : "circle")) } }
    : { type: "bar", orientation: "h", marker: { color: colours, opacity: 0.75 }, width: 0.6 };
  const zero = { type: "line", x0: 0, x1: 0, yref: "paper", y0: 0, y1: 1, line: { color: colour("soft"), width: 1, dash: "dot" } };
  return {
    traces: [{ ...shape, x: values, y: drawn.map((_, n) => n), error_x: bars, customdata: drawn.map((row, n) => [literal(row.title), texts[n]]), hovertemplate: "<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>" }],
    layout: {
      xaxis: axis(column.title, { ...ends(column), ...(isFar ? {} : { rangemode: "tozero" }) }),
      yaxis: axis("", { tickvals: drawn.map((_, n) => n), ticktext: drawn.map((row) => literal(short(row.title, 22))), range: [drawn.length - 0.4, -0.6], gridcolor: "rgba(0,0,0,0)", ticks: "" }),
      shapes: column.role === "delta" ? [zero] : [],
      showlegend: false,
    },
    height: 110 + 34 * Math.max(drawn.length, 2),
    caption: `${column.role === "delta" ? "Difference to the baseline" : "Value"}${cells.some((cell) => isNumber(cell[3])) ? " with its 95 % interval" : ""}.${drawn.some((row) => row.mark === "baseline") ? ` The ${isFar ? "diamond" : "other colour"} is the baseline.` : ""}${isFar && column.role !== "delta" ? " The axis does not start at zero." : ""}${quoted(drawn.length, all.length, "rows")}`,
    titles: ["row", column.title],
    rows: drawn.map((row, n) => [row.title, texts[n]]),
  };
}

/** Draw training curves: a line per row for the mean of its seeds, and a band for their range. */
function drawCurves(figure, table, data) {
  const metrics = [...new Set(data.curves.map((curve) => curve[3]))];
  if (!metrics.length) return null;
  const state = { metric: metrics.includes("train_loss") ? "train_loss" : metrics[0] };
  const chart = new Chart(figure, () => curvesSpec(table, data, state.metric));
  const options = metrics.map((metric) => [metric, data.quantities[metric].title]);
  chart.controls(choice("metric", options, state.metric, (value) => { state.metric = value; chart.draw(); }));
  return chart;
}

function curvesSpec(table, data, metric) {
  const quantity = data.quantities[metric];
  const all = table.found.map((row) => [row, meanCurve(data.curves.filter((c) => c[0] === row.variant && c[3] === metric))]).filter(([, curve]) => curve);
  const drawn = all.slice(0, MOST_SERIES);
  const traces = drawn.flatMap(([row, curve], n) => {
    const { colour: own, dash, symbol } = seriesStyle(n);
    const scaled = (values) => values.map((value) => value * quantity.scale);
    const group = String(n);
    const band = curve.seeds > 1 ? [{
      x: [...curve.epochs, ...[...curve.epochs].reverse()], y: scaled([...curve.high, ...[...curve.low].reverse()]),
      type: "scatter", mode: "lines", line: { width: 0 }, fill: "toself", fillcolor: own, opacity: 0.13, hoverinfo: "skip", showlegend: false, legendgroup: group,
    }] : [];
    return [...band, {
      x: curve.epochs, y: scaled(curve.mean), type: "scatter", mode: curve.epochs.length > 25 ? "lines" : "lines+markers", name: literal(short(row.title)), legendgroup: group,
      line: { color: own, dash, width: 2 }, marker: { symbol, size: 6, color: own }, hovertemplate: `%{y:.${quantity.digits}f}<extra>${literal(row.title)}, epoch %{x}</extra>`,
    }];
  });
  const epochs = [...new Set(drawn.flatMap(([, curve]) => curve.epochs))].sort((a, b) => a - b);
  const seeds = Math.max(0, ...drawn.map(([, curve]) => curve.seeds));
  return {
    traces,
    layout: { xaxis: axis("epoch", { dtick: epochs.length <= 12 ? 1 : undefined }), yaxis: axis(quantity.title, ends(quantity)), showlegend: true },
    caption: `${seeds > 1 ? `Mean over ${seeds} seeds; the band is their range.` : "One training each."}${quoted(drawn.length, all.length, "rows")}`,
    titles: ["row", ...epochs.map((epoch) => `epoch ${epoch}`)],
    rows: drawn.map(([row, curve]) => [row.title, ...epochs.map((epoch) => (curve.epochs.includes(epoch) ? shown(curve.mean[curve.epochs.indexOf(epoch)], quantity) : "-"))]),
  };
}

/** Return mean and range over the seeds at their common epochs; null without a curve. */
function meanCurve(curves) {
  if (!curves.length) return null;
  const maps = curves.map((curve) => new Map(curve[4].map((epoch, n) => [epoch, curve[5][n]])));
  const epochs = curves[0][4].filter((epoch) => maps.every((map) => map.has(epoch)));
  const at = epochs.map((epoch) => maps.map((map) => map.get(epoch)));
  return {
    epochs,
    seeds: curves.length,
    mean: at.map((values) => values.reduce((a, b) => a + b, 0) / values.length),
    low: at.map((values) => Math.min(...values)),
    high: at.map((values) => Math.max(...values)),
  };
}

/** Draw the nights of the gate: a line per row, marked by verdict. */
function drawNights(figure, data) {
  const metrics = [...new Set(data.nights.map((night) => night[2]))];
  if (!metrics.length) return null;
  const state = { metric: metrics[0] };
  const chart = new Chart(figure, () => nightsSpec(data, state.metric));
  chart.controls(choice("metric", metrics.map((metric) => [metric, data.quantities[metric].title]), state.metric, (value) => { state.metric = value; chart.draw(); }));
  return chart;
}

const VERDICTS = { ok: ["soft", "circle"], improved: ["good", "triangle-up"], regressed: ["bad", "x"] };

/** Explain the marks of the nights that are drawn. */
function nightsLegend(drawn) {
  const found = new Set(drawn.flatMap((night) => night[6]));
  const others = [...found].filter((verdict) => !(verdict in VERDICTS));
  return [
    found.has("regressed") ? " A cross is a regression." : "",
    found.has("improved") ? " A triangle is an improvement." : "",
    others.length ? ` An open diamond: ${others.join(", ")}.` : "",
  ].join("");
}

function nightsSpec(data, metric) {
  const quantity = data.quantities[metric];
  const all = data.nights.filter((night) => night[2] === metric);
  const drawn = all.slice(0, MOST_SERIES);
  const most = Math.max(...drawn.map((night) => night[5].length));
  const ago = (night, n) => n - night[5].length + 1;
  const scaled = (value) => (isNumber(value) ? value * quantity.scale : null);
  const traces = drawn.flatMap((night, number) => {
    const { colour: own, dash } = seriesStyle(number);
    const [, title, , protocol, dataset, values, verdicts, baseline, when] = night;
    const x = values.map((_, n) => ago(night, n));
    return [
      {
        x, y: values.map(scaled), type: "scatter", mode: "lines+markers", name: literal(short(title)), legendgroup: String(number), line: { color: own, dash, width: 2 },
        marker: { size: verdicts.map((verdict) => (verdict === "ok" ? 6 : 11)), symbol: verdicts.map((verdict) => (VERDICTS[verdict] ?? ["warn", "diamond-open"])[1]), color: verdicts.map((verdict) => (verdict === "ok" ? own : colour((VERDICTS[verdict] ?? ["warn"])[0]))) },
        customdata: verdicts.map((verdict, n) => [verdict, when[n] ?? ""]), hovertemplate: `%{y:.${quantity.digits}f}, %{customdata[0]}<br>%{customdata[1]}<extra>${literal([title, dataset, protocol].filter(Boolean).join(" "))}</extra>`,
      },
      { x: [1 - most, 0], y: [scaled(baseline), scaled(baseline)], type: "scatter", mode: "lines", line: { color: own, dash: "dot", width: 1 }, legendgroup: String(number), showlegend: false, hoverinfo: "skip" },
    ];
  });
  return {
    traces,
    layout: { xaxis: axis("nights ago", { tickvals: Array.from({ length: most }, (_, n) => -n), ticktext: Array.from({ length: most }, (_, n) => (n ? String(n) : "last")) }), yaxis: axis(quantity.title, ends(quantity)), showlegend: true },
    caption: `Dotted: the baseline.${nightsLegend(drawn)}${quoted(drawn.length, all.length, "curves")}`,
    titles: ["row", ...Array.from({ length: most }, (_, n) => (most - 1 - n ? `${most - 1 - n} nights ago` : "last night"))],
    rows: drawn.map((night) => [night[1], ...Array(most - night[5].length).fill("-"), ...night[5].map((value, n) => (isNumber(value) ? `${shown(value, quantity)} (${night[6][n]})` : `none (${night[6][n]})`))]),
  };
}
