// Start: every suite gets its table at once, and its charts when they come near the screen.

async function startSuite(section) {
  const data = JSON.parse(find(".table-data", section).textContent);
  const details = new Details(data, lazyJson(find(".packed-details", section)));
  const table = new ResultTable(find("section.table", section), data, (row, column) => details.open(row, column));
  const figure = (kind) => find(`[data-chart="${kind}"]`, section);
  const charts = [drawPareto(figure("pareto"), table), drawCompare(figure("compare"), table)];
  const found = JSON.parse(await unpack(find(".packed-charts", section)));
  if (figure("curves")) charts.push(drawCurves(figure("curves"), table, found));
  if (figure("nights")) charts.push(drawNights(figure("nights"), found));
  if (figure("corruptions")) charts.push(drawHeat(find(".heat-map", section), table, found), drawCorruptions(figure("corruptions"), table, found));
  if (find("figure.classes", section)) charts.push(...drawClasses(find("figure.classes", section), figure("reliability"), table, found.classes));
  const drawn = charts.filter(Boolean);
  findAll("details.plain", section).forEach((one) => (one.open = false));
  table.changed.push(() => drawn.forEach((chart) => chart.draw()));
  return drawn;
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
wireDialog();
wireGalleries();
const started = Promise.all(findAll(".suite").map(startSuite));
themeSwitch(async () => (await started).flat().forEach((chart) => chart.draw()));
