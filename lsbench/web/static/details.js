// The details of a number: its records, their jobs, and the full configuration of each.

const RECORD = { job: 0, metric: 1, protocol: 2, dataset: 3, value: 4, low: 5, high: 6, method: 7, n: 8, setting: 9 };
const JOB = { id: 0, name: 1, kind: 2, variant: 3, seed: 4, status: 5, error: 6, attempt: 7, start: 8, wall: 9, provenance: 10, spec: 11 };

function openDialog(title, ...parts) {
  const dialog = find("dialog");
  find("h2", dialog).textContent = title;
  find(".body", dialog).replaceChildren(...parts.filter(Boolean));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function wireDialog() {
  const dialog = find("dialog");
  find(".close", dialog).addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

/** Return names and values in two columns, without null values. */
function pairs(entries) {
  const list = make("dl", { class: "pairs" });
  for (const [name, value] of entries) {
    if (value === null || value === undefined || value === "") continue;
    list.append(make("dt", {}, name), make("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value)));
  }
  return list;
}

const folded = (title, ...children) => make("details", {}, make("summary", {}, title), ...children);

class Details {
  constructor(data, load) {
    this.data = data;
    this.load = load;
  }

  /** Show the records behind a cell; column -1 shows all jobs of the row. */
  async open(row, column) {
    const found = await this.load();
    if (column < 0) this.openRow(row, found);
    else this.openCell(row, this.data.columns[column], row.cells[column], found);
  }

  openCell(row, column, cell, found) {
    const text = [cell[0], cell[1]].filter(Boolean).join(" ");
    const records = this.records(found, row.variant, column);
    const whose = column.role === "delta" ? [[`${row.title}:`, records], ["Baseline:", this.records(found, this.data.baseline, column)]] : [["", records]];
    openDialog(
      `${row.title}: ${column.title}`,
      make("p", { class: "big" }, text),
      pairs([
        ["stored value", cell[2] === null ? null : `${cell[2]} ${column.unit}`],
        ["95 % interval", cell[3] === null ? null : `${cell[3]} to ${cell[4]} ${column.unit}`],
        ["protocol", column.protocol],
        ["data set", column.dataset],
        ["source", column.role === "published" ? this.data.peers.source : null],
      ]),
      ...whose.flatMap(([who, own]) => this.recordParts(who, own, found)),
      records.length || column.role === "published" ? null : this.holes(row, found),
    );
  }

  openRow(row, found) {
    const jobs = found.jobs.filter((job) => job[JOB.variant] === row.variant);
    openDialog(
      row.title,
      pairs([["variant", row.variant], ["mark", row.mark]]),
      jobs.length ? null : make("p", {}, "The results have no job of this row."),
      ...jobs.map((job) => this.jobPart(job, found)),
    );
  }

  /** Return the records of a column. */
  records(found, variant, column) {
    const text = (number) => (number === null ? null : found.texts[number]);
    return (found.records[variant] ?? []).filter(
      (record) =>
        text(record[RECORD.metric]) === column.metric &&
        text(record[RECORD.protocol]) === column.protocol &&
        (column.dataset === null || text(record[RECORD.dataset]) === column.dataset),
    );
  }

  recordParts(who, records, found) {
    if (!records.length) return [];
    const text = (number) => (number === null ? "" : found.texts[number]);
    const rows = records.map((record) => {
      const job = found.jobs[record[RECORD.job]];
      const interval = record[RECORD.low] === null ? "" : `${record[RECORD.low]} to ${record[RECORD.high]} (${text(record[RECORD.method])})`;
      return [job[JOB.seed] === null ? "-" : `${job[JOB.seed]}`, `${record[RECORD.value] ?? "none"}`, interval, `${record[RECORD.n] ?? ""}`, job[JOB.name]];
    });
    const table = textTable(["seed", "value", "interval", "n", "job"], rows);
    const heading = make("h3", {}, `${who} ${records.length} ${records.length === 1 ? "record" : "records"}`.trim());
    const jobs = records.map((record) => this.jobPart(found.jobs[record[RECORD.job]], found, text(record[RECORD.setting])));
    return [heading, make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Records" }, table), ...jobs];
  }

  holes(row, found) {
    const jobs = found.jobs.filter((job) => job[JOB.variant] === row.variant && job[JOB.status] !== "ok");
    const part = make("div", {}, make("h3", {}, jobs.length ? "Unsuccessful jobs" : "This cell has no record"));
    part.append(...jobs.map((job) => this.jobPart(job, found)));
    return part;
  }

  /** Return a folded element with outcome, provenance and configuration of a job. */
  jobPart(job, found, setting = "") {
    const seed = job[JOB.seed] === null ? "" : `, seed ${job[JOB.seed]}`;
    const where = JSON.parse(found.texts[job[JOB.provenance]] ?? "{}");
    const spec = job[JOB.spec] === null ? null : found.texts[job[JOB.spec]];
    return folded(
      `${job[JOB.name]}${seed}: ${job[JOB.status]}`,
      pairs([
        ["job", job[JOB.id]],
        ["kind", job[JOB.kind]],
        ["error", job[JOB.error]],
        ["attempts", job[JOB.attempt]],
        ["started", job[JOB.start]],
        ["took", job[JOB.wall] === null ? null : duration(job[JOB.wall])],
      ]),
      Object.keys(where).length ? make("h3", {}, "Provenance") : null,
      pairs(Object.entries(where)),
      setting && setting !== "{}" ? make("h3", {}, "Setting") : null,
      setting && setting !== "{}" ? pairs(Object.entries(JSON.parse(setting))) : null,
      make("h3", {}, "Configuration"),
      spec ? make("pre", { tabindex: "0" }, spec) : make("p", { class: "soft" }, "Not in this page."),
    );
  }
}
