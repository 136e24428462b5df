// Plotly in the colours of the page, unpacked when the first chart comes near the screen.

const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon"];
const LIGHT = ["#0b5cad", "#c2410c", "#0f766e", "#9d3a8b", "#7a5c00", "#4b5563", "#5b48c2", "#a51d3f"];
const DARK = ["#7db8f5", "#f5a97a", "#6fd3c5", "#e3a1da", "#e3c766", "#b8c0cc", "#b3a8f7", "#f79ab0"];
const MOST_SERIES = 12;

const colour = (() => {
  const probe = make("span", { hidden: true });
  document.body.append(probe);
  return (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
})();

const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

/** Return colour, dash and symbol of series `number`, so that series do not differ by colour alone. */
function seriesStyle(number) {
  const colours = isDark() ? DARK : LIGHT;
  return {
    colour: colours[number % colours.length],
    dash: DASHES[Math.floor(number / colours.length) % DASHES.length],
    symbol: SYMBOLS[number % SYMBOLS.length],
  };
}

const NOTHING_TO_DRAW = "No row that is shown has numbers for this chart.";

const short = (text, most = 26) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** Return text escaped for Plotly, which interprets HTML tags. */
const literal = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

let plotly = null;
function loadPlotly() {
  // Parsing Plotly blocks the page for a moment, so the table is rendered first.
  const idle = new Promise((ready) => (window.requestIdleCallback ? requestIdleCallback(ready, { timeout: 1000 }) : setTimeout(ready, 200)));
  plotly ??= Promise.all([unpack(find("#packed-plotly")), idle]).then(([text]) => runPlotly(text));
  return plotly;
}

function runPlotly(text) {
  if (window.Plotly) return;
  const script = make("script");
  script.textContent = text;
  document.head.append(script);
}

/** Load Plotly without waiting. */
function loadPlotlyNow() {
  if (!window.Plotly) runPlotly(unpackNow(find("#packed-plotly")));
}

function axis(title, more = {}) {
  return {
    title: { text: literal(title), font: { size: 13 }, standoff: 8 },
    gridcolor: colour("line"),
    linecolor: colour("faint"),
    zeroline: false,
    ticks: "outside",
    tickcolor: colour("line"),
    automargin: true,
    ...more,
  };
}

/** Show the section of a figure that has something to show, and its entry in the contents. */
function showSection(figure) {
  const section = figure.closest("section");
  section.hidden = false;
  const entry = find(`.contents a[href="#${find("h3", section).id}"]`)?.parentElement;
  if (entry) entry.hidden = false;
}

/**
 * Draw a chart and write its numbers.
 *
 * `spec` returns {traces, layout, caption, titles, rows} each time the chart is drawn.
 */
class Chart {
  constructor(figure, spec) {
    this.figure = figure;
    this.spec = spec;
    this.plot = find(".plot", figure);
    this.isNear = false;
    figure.hidden = false;
    showSection(figure);
    find("details", figure).addEventListener("toggle", () => this.write());
    const watcher = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watcher.disconnect();
      this.isNear = true;
      this.draw();
    }, { rootMargin: "600px" });
    watcher.observe(this.plot);
  }

  /** Draw at a width in pixels, at once; without one, as wide as the page as soon as the chart is near. */
  async draw(width = null) {
    if (width === null) {
      if (!this.isNear) return;
      await loadPlotly();
      if (document.documentElement.classList.contains("printing")) return;
    }
    this.made = this.spec(width ?? this.plot.clientWidth);
    this.write();
    if (!this.made.rows.length) {
      this.empty();
      return;
    }
    const { traces, layout = {}, caption = "", height = 420 } = this.made;
    find("figcaption", this.figure).textContent = caption;
    this.plot.classList.remove("waiting");
    this.plot.setAttribute("aria-label", `${this.figure.dataset.label}. ${caption} The numbers are in the table below.`);
    const whole = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("ink") },
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("line"), font: { color: colour("ink") } },
      legend: { orientation: "h", x: 0, y: -0.2, yanchor: "top", font: { size: 12 } },
      margin: { l: 8, r: 12, t: 12, b: 8 },
      dragmode: false,
      height,
      ...(width === null ? {} : { width }),
      ...layout,
    };
    window.Plotly.react(this.plot, traces, whole, { responsive: width === null, displayModeBar: false });
  }

  /** Say that there is nothing to draw, in place of empty axes. */
  empty() {
    window.Plotly.purge(this.plot);
    this.plot.classList.remove("waiting");
    this.plot.setAttribute("aria-label", `${this.figure.dataset.label}. ${NOTHING_TO_DRAW}`);
    find("figcaption", this.figure).textContent = NOTHING_TO_DRAW;
  }

  write() {
    if (!find("details", this.figure).open) return;
    const { titles, rows } = this.made ?? this.spec(this.plot.clientWidth);
    find(".numbers", this.figure).replaceChildren(textTable(titles, rows));
  }

  controls(...elements) {
    find(".controls", this.figure).replaceChildren(...elements);
  }
}

/** Give each label of a scatter the first position that covers no other label or point. */
function labelPlaces(points, size, bounds) {
  const toX = (x) => ((x - bounds.x[0]) / (bounds.x[1] - bounds.x[0])) * size.width;
  const toY = (y) => size.height - ((y - bounds.y[0]) / (bounds.y[1] - bounds.y[0])) * size.height;
  const around = (point, x, y) => ({
    left: toX(point.x - x[1]) - 5, right: toX(point.x + x[0]) + 5, top: toY(point.y + y[0]) - 5, bottom: toY(point.y - y[1]) + 5,
  });
  const none = [0, 0];
  const taken = points.flatMap((point) => [around(point, none, none), around(point, point.xEnds, none), around(point, none, point.yEnds)]);
  const isFree = (box) =>
    box.left >= 0 && box.right <= size.width && box.top >= 0 && box.bottom <= size.height &&
    taken.every((other) => box.right < other.left || box.left > other.right || box.bottom < other.top || box.top > other.bottom);
  return points.map((point) => {
    const [x, y, width] = [toX(point.x), toY(point.y), 6.9 * point.text.length];
    const places = {
      "middle right": [x + 9, y - 8],
      "middle left": [x - 9 - width, y - 8],
      "top right": [x + 6, y - 22],
      "bottom right": [x + 6, y + 6],
      "top left": [x - 6 - width, y - 22],
      "bottom left": [x - 6 - width, y + 6],
      "top center": [x - width / 2, y - 24],
      "bottom center": [x - width / 2, y + 7],
    };
    for (const [name, [left, top]] of Object.entries(places)) {
      const box = { left, top, right: left + width, bottom: top + 16 };
      if (!isFree(box)) continue;
      taken.push(box);
      return name;
    }
    return null;
  });
}
