// Single classes: their accuracy beside the baseline's, the confusion matrix, and a reliability diagram.

const MOST_CLASS_ROWS = 50;
const share = (part, whole) => (whole ? part / whole : null);
const percent = (value, digits = 1) => (value === null ? "-" : (value * 100).toFixed(digits));

/** Let the reader choose data set and row of an evaluation, and draw its classes. */
function drawClasses(figure, chartFigure, table, data) {
  if (!data.ways.length) return [];
  const state = { way: 0, variant: null };
  const way = () => data.ways[state.way];
  const isBaseline = (one) => one.variant === table.data.baseline;
  const row = () =>
    way().rows.find((one) => one.variant === state.variant) ?? way().rows.find((one) => !isBaseline(one)) ?? way().rows[0];
  const isSure = data.ways.some((one) => one.rows.some((of) => of.bins));
  const chart = isSure ? new Chart(chartFigure, (width) => reliabilitySpec(way(), table, width)) : null;
  const draw = () => {
    const baseline = way().rows.find(isBaseline);
    find(".class-table", figure).replaceChildren(classTable(way(), row(), baseline));
    find(".confusions", figure).replaceChildren(confusionTable(way(), row()));
    find("figcaption", figure).textContent = classesCaption(way(), row(), baseline);
    controls();
  };
  const controls = () => {
    const ways = data.ways.map((one, n) => [String(n), `${one.dataset}: ${one.protocol}`]);
    find(".controls", figure).replaceChildren(
      choice("row", way().rows.map((one) => [one.variant, one.title]), row().variant, (value) => { state.variant = value; draw(); }),
      ...(ways.length > 1 ? [choice("images", ways, String(state.way), (value) => { state.way = Number(value); draw(); chart?.draw(); })] : []),
    );
  };
  figure.hidden = false;
  draw();
  return [{ draw }, chart];
}

function classesCaption(way, row, baseline) {
  const known = row.images.filter(Boolean).length;
  const shownClasses = known > MOST_CLASS_ROWS ? `The ${MOST_CLASS_ROWS} worst of ${known} classes` : "All classes, the worst first";
  const beside = baseline && baseline !== row ? `, beside the baseline ${baseline.title}` : "";
  const cells = isMatrix(way) ? "Confusion matrix: percent of each true class (line)" : `The ${row.cells.length} most confused pairs of classes`;
  const seeds = row.seeds > 1 ? ` Images of ${row.seeds} seeds together.` : "";
  return `${shownClasses} of ${row.title}${beside}. ${cells}.${seeds} ${way.dataset}: ${way.protocol}.`;
}

/** Return a table of the worst classes. */
function classTable(way, row, baseline) {
  const beside = baseline && baseline !== row ? baseline : null;
  const known = row.images.map((_, index) => index).filter((index) => row.images[index]);
  const accuracy = (one, index) => share(one.right[index], one.images[index]);
  known.sort((a, b) => accuracy(row, a) - accuracy(row, b) || a - b);
  const titles = ["class", "images", "accuracy (%)", ...(beside ? ["baseline (%)", "difference"] : [])];
  const rows = known.slice(0, MOST_CLASS_ROWS).map((index) => {
    const own = accuracy(row, index);
    const other = beside ? accuracy(beside, index) : null;
    const apart = other === null ? "-" : `${own >= other ? "+" : "−"}${percent(Math.abs(own - other))}`;
    return [way.classes[index], String(row.images[index]), percent(own), ...(beside ? [percent(other), apart] : [])];
  });
  return textTable(titles, rows);
}

const MOST_CELLS = 30;
const isMatrix = (way) => way.classes.length <= MOST_CELLS;

/** Return the whole matrix of a few classes, or the most confused pairs of many. */
function confusionTable(way, row) {
  if (!isMatrix(way)) {
    return textTable(["true class → predicted as", "images", "of the class (%)"],
      row.cells.map(([a, b, count]) => [`${way.classes[a]} → ${way.classes[b]}`, String(count), percent(share(count, row.images[a]))]));
  }
  const counts = new Map(row.cells.map(([a, b, count]) => [`${a} ${b}`, count]));
  const named = way.classes.map((_, index) => index).filter((index) => row.images[index] || row.cells.some((cell) => cell[1] === index));
  const head = make("tr", {}, make("th", { scope: "col" }, "true, predicted"), ...named.map((b) => make("th", { scope: "col" }, way.classes[b])));
  const lines = named.map((a) => make("tr", {}, make("th", { scope: "row" }, way.classes[a]), ...named.map((b) => {
    const part = share(counts.get(`${a} ${b}`) ?? 0, row.images[a]);
    const cell = make("td", { class: a === b ? "diagonal" : null }, part === 0 ? "0" : percent(part));
    const { back, ink } = heat(part ?? 0);
    cell.style.background = back;
    cell.style.color = ink;
    return cell;
  })));
  return make("table", { class: "heat matrix" }, make("thead", {}, head), make("tbody", {}, ...lines));
}

/** Accuracy against confidence in 15 bins: on the diagonal a model is as right as it is sure. */
function reliabilitySpec(way, table, width) {
  const found = new Set(table.found.map((row) => row.variant));
  const all = way.rows.filter((row) => row.bins && found.has(row.variant));
  const drawn = all.slice(0, MOST_SERIES);
  const points = (row) => row.bins.filter(([count]) => count).map(([count, sure, right]) => [sure / count, right / count, count]);
  const traces = drawn.map((row, n) => {
    const style = seriesStyle(n);
    const shownPoints = points(row);
    return {
      x: shownPoints.map((one) => one[0] * 100), y: shownPoints.map((one) => one[1] * 100), mode: "lines+markers", cliponaxis: false, name: literal(short(row.title)),
      line: { color: style.colour, dash: style.dash, width: 1.6 }, marker: { color: style.colour, symbol: style.symbol, size: 7 },
      customdata: shownPoints.map((one) => one[2]), hovertemplate: `confidence %{x:.1f} %, accuracy %{y:.1f} %, %{customdata} images<extra>${literal(row.title)}</extra>`,
    };
  });
  const diagonal = { x: [0, 100], y: [0, 100], mode: "lines", name: "as right as sure", line: { color: colour("faint"), width: 1, dash: "dot" }, hoverinfo: "skip" };
  const errors = drawn.map((row) => `${row.title} ${percent(row.ece, 2)}`).join(", ");
  const rounded = drawn.some((row) => !row.is_exact) ? " Confidences are rounded to 0.0005 where an evaluation did not measure ECE." : "";
  return {
    traces: [diagonal, ...traces],
    layout: { xaxis: axis("confidence (%)", { range: [0, 100] }), yaxis: axis("accuracy (%)", { range: [0, 100] }) },
    height: width < 560 ? 380 : 440,
    caption: `Accuracy of the images of each of 15 bins of confidence, over all seeds; below the dotted line a model is too sure. Expected calibration error (%): ${errors}.${rounded}${quoted(drawn.length, all.length, "rows")}`,
    titles: ["confidence (%)", ...drawn.map((row) => row.title)],
    rows: Array.from({ length: drawn.length ? 15 : 0 }, (_, n) => [`${percent(n / 15)} to ${percent((n + 1) / 15)}`, ...drawn.map((row) => {
      const [count, , right] = row.bins[n];
      return count ? `${percent(right / count)} (${count} images)` : "-";
    })]),
  };
}
