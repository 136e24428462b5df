// Errors on corrupted images: a heat map of corruptions and severities, and bars with intervals.

const MOST_GROUPS = 5;
const named = (corruption) => corruption.replaceAll("_", " ");

/** Return a colour from pale to deep for a share, and a readable text colour. */
function heat(share) {
  const stops = isDark() ? [[29, 38, 52], [52, 96, 150], [244, 196, 120]] : [[237, 244, 252], [116, 169, 220], [19, 52, 100]];
  const at = Math.min(Math.max(share, 0), 1) * 2;
  const [from, to] = at < 1 ? [stops[0], stops[1]] : [stops[1], stops[2]];
  const mixed = from.map((value, n) => Math.round(value + (to[n] - value) * (at < 1 ? at : at - 1)));
  const [r, g, b] = mixed.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return { back: `rgb(${mixed})`, ink: 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff" };
}

/** Show the heat map of one row under one protocol as an accessible table. */
function drawHeat(figure, table, data) {
  const errors = data.corruptions.filter((one) => one[5] === "corruption_error" && one[4] !== null);
  if (!errors.length) return null;
  const protocols = [...new Set(errors.map((one) => one[2]))];
  const variants = table.rows.filter((row) => errors.some((one) => one[0] === row.variant));
  const state = { variant: variants[0].variant, protocol: protocols[0] };
  const draw = () => {
    const own = errors.filter((one) => one[0] === state.variant && one[2] === state.protocol);
    find(".scroll", figure).replaceChildren(heatTable(own, errors.filter((one) => one[2] === state.protocol), data));
    const seeds = new Set(own.map((one) => one[1])).size;
    const over = seeds > 1 ? `, mean over ${seeds} seeds` : "";
    const { title } = variants.find((row) => row.variant === state.variant);
    const star = find(".scroll", figure).textContent.includes("*") ? " A star marks a mean with missing seeds." : "";
    find("figcaption", figure).textContent = `${title}: top-1 error in percent${over}: ${state.protocol}. Colours range from the smallest to the largest error of all rows.${star}`;
  };
  const choose = (name) => (value) => { state[name] = value; draw(); };
  find(".controls", figure).replaceChildren(
    choice("row", variants.map((row) => [row.variant, row.title]), state.variant, choose("variant")),
    ...(protocols.length > 1 ? [choice("protocol", protocols.map((one) => [one, data.ways[one]]), state.protocol, choose("protocol"))] : []),
  );
  figure.hidden = false;
  draw();
  return { draw };
}

function heatTable(own, all, data) {
  const quantity = data.quantities.corruption_error;
  const known = all.map((one) => one[6]).filter(isNumber);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const severities = [...new Set(all.map((one) => one[4]))].sort();
  const corruptions = [...new Set(all.map((one) => one[3]))];
  const head = make("tr", {}, make("th", { scope: "col" }, "corruption, severity"), ...severities.map((one) => make("th", { scope: "col", class: "severity" }, String(one))));
  const lines = corruptions.map((corruption) => make("tr", {}, make("th", { scope: "row" }, named(corruption)), ...severities.map((severity) => {
    const seeds = own.filter((one) => one[3] === corruption && one[4] === severity);
    const values = seeds.map((one) => one[6]).filter(isNumber);
    if (!values.length) return make("td", { class: "hole" }, seeds.length ? "missing" : "-");
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const { back, ink } = heat((mean - low) / (high - low || 1));
    const cell = make("td", {}, `${(mean * quantity.scale).toFixed(1)}${values.length < seeds.length ? "*" : ""}`);
    cell.style.background = back;
    cell.style.color = ink;
    return cell;
  })));
  return make("table", { class: "heat" }, make("thead", {}, head), make("tbody", {}, ...lines));
}

/** Draw the mean error on each corruption for a few rows side by side. */
function drawCorruptions(figure, table, data) {
  if (!data.bars.length) return null;
  const protocols = [...new Set(data.bars.map((bar) => bar[2]))];
  const state = { protocol: protocols[0] };
  const chart = new Chart(figure, (width) => corruptionsSpec(table, data, state.protocol, width));
  if (protocols.length > 1) {
    chart.controls(choice("protocol", protocols.map((one) => [one, data.ways[one]]), state.protocol, (value) => { state.protocol = value; chart.draw(); }));
  }
  return chart;
}

function corruptionsSpec(table, data, protocol, width) {
  const quantity = data.quantities.corruption_error;
  const found = new Set(table.found.map((row) => row.variant));
  const all = data.bars.filter((bar) => bar[2] === protocol && found.has(bar[0]));
  const drawn = all.slice(0, MOST_GROUPS);
  const corruptions = [...new Set(drawn.flatMap((bar) => Object.keys(bar[3])))];
  const isNarrow = width < 560;
  const traces = drawn.map(([, title, , errors], n) => {
    const known = corruptions.map((corruption) => errors[corruption]);
    const values = known.map((one) => (one ? one[0] * quantity.scale : null));
    const bars = {
      type: "data", symmetric: false, thickness: 1.2, width: 2, color: colour("ink"),
      array: known.map((one) => (one && isNumber(one[2]) ? (one[2] - one[0]) * quantity.scale : null)),
      arrayminus: known.map((one) => (one && isNumber(one[1]) ? (one[0] - one[1]) * quantity.scale : null)),
    };
    const names = corruptions.map(named);
    const ways = isNarrow ? { x: values, y: names, orientation: "h", error_x: bars } : { x: names, y: values, error_y: bars };
    return {
      ...ways, type: "bar", name: literal(short(title)), marker: { color: seriesStyle(n).colour, opacity: 0.85 },
      customdata: known.map((one) => (one ? shownInterval(one[0], one[1], one[2], quantity) : "withheld")),
      hovertemplate: `%{customdata}<extra>${literal(title)}</extra>`,
    };
  });
  const [names, values] = [axis("", { gridcolor: "rgba(0,0,0,0)", ticks: "", ...(isNarrow ? { autorange: "reversed" } : {}) }), axis("top-1 error (%)", { rangemode: "tozero", ...ends(quantity) })];
  return {
    traces,
    layout: { barmode: "group", bargap: 0.25, ...(isNarrow ? { xaxis: values, yaxis: names } : { xaxis: names, yaxis: values }), showlegend: true, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } } },
    height: isNarrow ? 120 + 22 * corruptions.length * Math.max(drawn.length, 2) * 0.55 : 420,
    caption: `Mean error over the severities of each corruption${traces.some((trace) => (trace.error_x ?? trace.error_y).array.some(isNumber)) ? "; bars are 95 % intervals over seeds" : ""}. ${protocol}.${quoted(drawn.length, all.length, "rows")}`,
    titles: ["corruption", ...drawn.map((bar) => bar[1])],
    rows: corruptions.map((corruption) => [named(corruption), ...drawn.map((bar) => { const one = bar[3][corruption]; return one ? shownInterval(one[0], one[1], one[2], quantity) : "withheld"; })]),
  };
}
