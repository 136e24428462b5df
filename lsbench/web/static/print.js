// Before printing everything is drawn and unfolded, in light colours, and wide tables are fitted to the paper.

// What fits across a portrait page of A4 or Letter, in CSS pixels.
const PAPER_WIDTH = 700;
// A table is made smaller to this share; one that is still too wide is divided by columns.
const LEAST_ZOOM = 0.75;

const isHidden = (element) => element.closest("[hidden]") !== null;

/** Return a copy of a table with only some of its columns, as plain text without buttons and marks of focus. */
function columnsOf(source, columns, caption) {
  const copy = source.cloneNode(true);
  for (const button of findAll("button", copy)) button.replaceWith(...button.childNodes);
  for (const name of ["role", "aria-labelledby"]) copy.removeAttribute(name);
  for (const row of findAll("tr", copy)) {
    const cells = [...row.children];
    row.replaceChildren(...columns.map((n) => cells[n]));
  }
  for (const cell of findAll("th, td", copy)) {
    cell.hidden = false;
    for (const name of ["tabindex", "aria-sort"]) cell.removeAttribute(name);
  }
  if (caption) copy.prepend(make("caption", {}, caption));
  return copy;
}

/** Return the columns in parts that fit, given their least widths; the first column is in each of them. */
function dividedColumns(columns, widths) {
  const room = PAPER_WIDTH / LEAST_ZOOM - widths[0];
  const others = columns.slice(1);
  const whole = others.reduce((sum, n) => sum + widths[n], 0);
  const even = Math.min(room, whole / Math.ceil(whole / Math.max(room, 1)) + Math.max(...others.map((n) => widths[n]), 0) / 2);
  const parts = [];
  let filled = Infinity;
  for (const n of others) {
    if (filled + widths[n] > even) {
      parts.push([columns[0]]);
      filled = 0;
    }
    parts.at(-1).push(n);
    filled += widths[n];
  }
  return parts.length ? parts : [columns];
}

/** Put copies of a table that fit the paper into `paper`; `groups` are [caption, columns]. */
function fitToPaper(paper, source, groups) {
  const whole = columnsOf(source, groups.flatMap(([, columns], n) => (n ? columns.slice(1) : columns)), "");
  paper.append(whole);
  const order = groups.flatMap(([, columns], n) => (n ? columns.slice(1) : columns));
  const cells = [...(find("tr", whole)?.children ?? [])];
  const widths = Object.fromEntries(order.map((column, n) => [column, cells[n]?.offsetWidth ?? 0]));
  whole.remove();
  for (const [name, columns] of groups) {
    const parts = dividedColumns(columns, widths);
    parts.forEach((part, n) => {
      const caption = [name, parts.length > 1 ? `part ${n + 1} of ${parts.length}` : ""].filter(Boolean).join(", ");
      const copy = columnsOf(source, part, caption);
      paper.append(copy);
      copy.style.zoom = Math.min(1, PAPER_WIDTH / copy.offsetWidth);
    });
  }
}

class Printing {
  /** `suites` are the started suites of the page. */
  constructor(suites) {
    this.suites = suites;
    this.undo = [];
    addEventListener("beforeprint", () => this.prepare());
    addEventListener("afterprint", () => this.restore());
  }

  prepare() {
    this.restore();
    loadPlotlyNow();
    const charts = this.suites.flatMap((suite) => suite.startNow());
    this.undo.push(() => charts.forEach((chart) => chart.draw()));
    const root = document.documentElement;
    const theme = root.dataset.theme;
    root.dataset.theme = "light";
    root.classList.add("printing");
    this.undo.push(() => {
      if (theme) root.dataset.theme = theme;
      else delete root.dataset.theme;
      root.classList.remove("printing");
    });
    this.unfold();
    charts.forEach((chart) => chart.draw(PAPER_WIDTH));
    this.fitTables();
  }

  unfold() {
    const folded = findAll("main details:not([open])");
    folded.forEach((one) => (one.open = true));
    this.undo.push(() => folded.forEach((one) => (one.open = false)));
  }

  /** Replace every table by copies that fit, side by side with nothing cut off. */
  fitTables() {
    const tables = findAll("main .scroll > table").filter((table) => !isHidden(table));
    for (const source of tables) {
      const paper = make("div", { class: "paper" });
      source.parentElement.after(paper);
      this.undo.push(() => paper.remove());
      const suite = this.suites.find((one) => one.table?.body === find("tbody", source));
      const columns = [...find("tr", source).children].map((_, n) => n);
      fitToPaper(paper, source, suite ? suite.table.groupsOfColumns() : [["", columns]]);
      if (suite) paper.prepend(make("p", { class: "legend" }, suite.table.inWords()));
    }
  }

  restore() {
    for (const undo of this.undo.reverse()) undo();
    this.undo = [];
  }
}
