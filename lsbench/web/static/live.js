// Fetch the state every two seconds; unchanged parts of the page are left alone.

const EVERY_MS = 2000;
const STATES = ["ok", "running", "stopped", "failed", "due", "waiting"];
let before = "";

const ago = (since) => duration(Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000)));
const until = (end) => `about ${duration(Math.max(1, Math.round((Date.parse(end) - Date.now()) / 1000)))}`;

function timeLeft(suite) {
  if (suite.ends_at !== null) return make("p", { class: "left" }, "Time left: ", make("span", { "data-until": suite.ends_at }, until(suite.ends_at)));
  return suite.time_left ? make("p", { class: "left" }, `Time left: ${suite.time_left}`) : null;
}

function totals(suite) {
  const sum = Object.fromEntries(STATES.map((state) => [state, 0]));
  for (const counter of Object.values(suite.counts)) for (const [state, count] of Object.entries(counter)) sum[state] += count;
  return sum;
}

function stateOf(suite, sum) {
  if (suite.is_running || sum.running) return ["running", "running"];
  if (sum.failed) return ["failed", "failed jobs"];
  if (sum.waiting || sum.stopped) return ["stopped", "stopped"];
  return sum.due ? ["stopped", "results due"] : ["complete", "complete"];
}

function progress(suite, sum) {
  const all = STATES.reduce((total, state) => total + sum[state], 0);
  const percent = all ? Math.floor((100 * sum.ok) / all) : 0;
  const bar = make("div", { class: "bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": String(all), "aria-valuenow": String(sum.ok), "aria-label": `Jobs done of ${suite.name}` });
  for (const state of ["ok", "running", "stopped", "failed"]) {
    const part = make("span", { class: state });
    part.style.width = `${all ? (100 * sum[state]) / all : 0}%`;
    bar.append(part);
  }
  const others = STATES.slice(1).filter((state) => sum[state]).map((state) => `${sum[state]} ${state}`);
  const kinds = Object.entries(suite.counts).map(([kind, counter]) => `${kind} ${counter.ok ?? 0} of ${Object.values(counter).reduce((a, b) => a + b, 0)}`);
  return [
    bar,
    make("p", { class: "counts" }, `${sum.ok} of ${all} jobs done (${percent} %)${others.length ? `, ${others.join(", ")}` : ""}`),
    make("p", { class: "soft" }, kinds.join(" · ")),
    timeLeft(suite),
  ].filter(Boolean);
}

function running(suite) {
  if (!suite.running.length) return [];
  const lines = suite.running.map((job) => {
    const [done, of] = suite.epochs[job.label] ?? [null, null];
    const epochs = done === null ? "" : `epoch ${done}${of === null ? "" : ` of ${of}`}, `;
    const time = make("span", { class: "soft", "data-since": job.since }, ago(job.since));
    return make("li", {}, make("b", {}, job.label), make("span", { class: "soft" }, epochs, "for ", time));
  });
  return [make("h3", {}, "Running"), make("ul", { class: "jobs" }, ...lines)];
}

function errors(suite) {
  if (!suite.errors.length) return [];
  const lines = suite.errors.map(([label, error]) => make("li", {}, make("b", {}, label), make("span", { class: "error" }, error ?? "no message")));
  const more = suite.more_errors ? [make("p", { class: "soft" }, `${suite.more_errors} earlier ones are in \`lsbench status\`.`)] : [];
  return [make("h3", {}, "Last errors"), make("ul", { class: "jobs" }, ...lines), ...more];
}

function resultTables(suite) {
  return suite.tables.flatMap((table) => [
    make("h3", {}, `Table so far: ${table.heading}`),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": table.heading }, textTable(table.titles, table.rows)),
    table.more ? make("p", { class: "soft" }, `${table.more} more rows are in the full report.`) : null,
  ]).filter(Boolean);
}

function suiteSection(suite) {
  if (suite.problem) return make("section", { class: "suite" }, make("h2", {}, suite.name), make("p", { class: "error" }, suite.problem));
  const sum = totals(suite);
  const [state, word] = stateOf(suite, sum);
  return make(
    "section", { class: "suite" }, make("h2", {}, suite.name, make("span", { class: `state ${state}` }, word)),
    ...progress(suite, sum), ...running(suite), ...errors(suite), ...resultTables(suite),
  );
}

function show(text) {
  const places = Object.fromEntries(findAll(".scroll").map((one) => [one.getAttribute("aria-label"), one.scrollLeft]));
  const found = JSON.parse(text);
  const parts = found.suites.map(suiteSection);
  if (found.problem) parts.unshift(make("p", {}, found.problem));
  find("main").replaceChildren(...parts);
  findAll(".scroll").forEach((one) => (one.scrollLeft = places[one.getAttribute("aria-label")] ?? 0));
}

function tell(text, isLost) {
  const place = find(".connection");
  if (place.textContent !== text) place.textContent = text;
  place.classList.toggle("lost", isLost);
}

async function ask() {
  try {
    const answer = await fetch("status.json", { cache: "no-cache" });
    if (!answer.ok) throw new Error(await answer.text());
    const text = await answer.text();
    if (text !== before) show(text);
    before = text;
    tell("live", false);
  } catch {
    tell("no answer: is the server still running?", true);
  }
  findAll("[data-since]").forEach((one) => (one.textContent = ago(one.dataset.since)));
  findAll("[data-until]").forEach((one) => (one.textContent = until(one.dataset.until)));
  setTimeout(ask, document.hidden ? 5 * EVERY_MS : EVERY_MS);
}

themeSwitch(() => {});
ask();
