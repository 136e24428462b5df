// Start: every suite gets its table at once, and its charts when they come near the screen.

class Suite {
  constructor(section) {
    this.section = section;
    this.packed = ["table", "charts"].map((name) => find(`.packed-${name}`, section));
    this.charts = null;
  }

  async start() {
    const texts = await Promise.all(this.packed.map(unpack));
    return this.charts ?? this.show(...texts.map(JSON.parse));
  }

  /** Return all charts, without waiting. */
  startNow() {
    return this.charts ?? this.show(...this.packed.map((element) => JSON.parse(unpackNow(element))));
  }

  show(data, found) {
    const { section } = this;
    const details = new Details(data, lazyJson(find(".packed-details", section)));
    const table = (this.table = new ResultTable(find("section.table", section), data, (row, column) => details.open(row, column)));
    const figure = (kind) => find(`[data-chart="${kind}"]`, section);
    const charts = [drawPareto(figure("pareto"), table), drawCompare(figure("compare"), table)];
    if (figure("curves")) charts.push(drawCurves(figure("curves"), table, found));
    if (figure("nights")) charts.push(drawNights(figure("nights"), found));
    if (figure("corruptions")) charts.push(drawHeat(find(".heat-map", section), table, found), drawCorruptions(figure("corruptions"), table, found));
    if (find("figure.classes", section)) charts.push(...drawClasses(find("figure.classes", section), figure("reliability"), table, found.classes));
    this.charts = charts.filter(Boolean);
    table.changed.push(() => this.charts.forEach((chart) => chart.draw()));
    return this.charts;
  }
}

/** Make each picture of an analysis a button that shows it enlarged, with its numbers. */
function wireGalleries() {
  for (const picture of findAll(".gallery img")) {
    const button = make("button", { type: "button", "aria-haspopup": "dialog" });
    picture.replaceWith(button);
    button.append(picture);
    const facts = find("dl", button.closest("figure"));
    button.addEventListener("click", () =>
      openDialog(picture.alt, picture.cloneNode(), facts && facts.cloneNode(true)),
    );
  }
}

document.documentElement.classList.add("scripted");
findAll("details.plain").forEach((one) => (one.open = false));
wireDialog();
wireGalleries();
const suites = findAll(".suite").map((section) => new Suite(section));
suites.forEach((suite) => suite.start());
new Printing(suites);
themeSwitch(() => suites.forEach((suite) => suite.charts?.forEach((chart) => chart.draw())));
