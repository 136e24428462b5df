// A table with sorting and filtering. All rows are data; only visible rows are elements.

const PLACES = ["", "best", "second", "hole"];
const CONDITION = /^([^\s<>=]+)(<=|>=|<|>|=)(-?[\d.]+(?:e-?\d+)?)$/;
const HOLDS = {
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
  "=": (a, b) => a === b,
};

class ResultTable {
  /** Attach to the table in `section`; `open(row, column)` shows the details of a number. */
  constructor(section, data, open) {
    this.data = data;
    this.open = open;
    this.changed = [];
    this.section = section;
    this.head = find("thead tr", section);
    this.body = find("tbody", section);
    this.rows = data.rows.map((row, number) => ({
      number,
      variant: row[0],
      title: row[1],
      mark: row[2],
      cells: row[3],
      csv: row[4],
      words: [row[0], row[1], row[2], ...row[3].filter((cell) => cell[5] === 3).map((cell) => cell[0])].join(" ").toLowerCase(),
    }));
    this.found = this.rows;
    this.sorted = { column: null, direction: 0 };
    this.limit = data.first_rows;
    this.filtered = "";
    this.group = "";
    this.groups = [...new Set(data.columns.map((column) => column.group))];
    this.wire();
    this.show();
  }

  wire() {
    const controls = find(".controls", this.section);
    controls.hidden = false;
    findAll(".hint", this.section).forEach((hint) => (hint.hidden = false));
    find("table", this.section).setAttribute("role", "grid");
    find(".main-table", this.section).removeAttribute("tabindex");
    let waiting = 0;
    find("input", controls).addEventListener("input", (event) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.filter(event.target.value), this.rows.length > 2000 ? 120 : 0);
    });
    this.wireHead();
    this.wireGroups(find(".groups", controls));
    wireSaving(this, find(".save", controls));
    this.body.addEventListener("click", (event) => this.choose(event.target.closest("td, th")));
    this.body.addEventListener("keydown", (event) => this.move(event));
  }

  wireHead() {
    [...this.head.children].forEach((cell, number) => {
      const button = make("button", { type: "button" }, ...cell.childNodes);
      button.addEventListener("click", () => this.sort(number - 1));
      cell.append(button);
      cell.setAttribute("aria-sort", "none");
    });
  }

  wireGroups(place) {
    if (this.groups.length < 2) return;
    const names = [...this.groups.map((name) => [name, name || "main"]), [null, "all"]];
    for (const [name, text] of names) {
      const button = make("button", { type: "button", "aria-pressed": String(name === this.group) }, text);
      button.addEventListener("click", () => {
        this.group = name;
        [...place.children].forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
        this.show();
      });
      place.append(button);
    }
  }

  /** Sort by a column (-1: the titles): best first, then worst first, then in the order of the suite. */
  sort(column) {
    const better = column < 0 ? -1 : this.data.columns[column].better;
    const first = better < 0 ? 1 : -1;
    const same = this.sorted.column === column;
    const direction = !same ? first : this.sorted.direction === first ? -first : 0;
    this.sorted = direction ? { column, direction } : { column: null, direction: 0 };
    [...this.head.children].forEach((cell, number) => {
      const is = direction && number === column + 1;
      cell.setAttribute("aria-sort", is ? (direction > 0 ? "ascending" : "descending") : "none");
    });
    this.arrange();
  }

  filter(text) {
    const conditions = [];
    const words = [];
    for (const part of text.toLowerCase().split(/\s+/).filter(Boolean)) {
      const match = CONDITION.exec(part);
      const columns = match ? this.columnsNamed(match[1]) : [];
      if (columns.length) conditions.push([columns, HOLDS[match[2]], Number(match[3])]);
      else words.push(part);
    }
    const holds = (row) =>
      words.every((word) => row.words.includes(word)) &&
      conditions.every(([columns, compare, bound]) =>
        columns.some((n) => row.cells[n][2] !== null && compare(Number(shown(row.cells[n][2], this.data.columns[n])), bound)),
      );
    this.filtered = text.trim();
    this.found = this.rows.filter(holds);
    this.limit = this.data.first_rows;
    this.arrange();
    this.changed.forEach((tell) => tell());
  }

  columnsNamed(name) {
    const numbers = this.data.columns.map((column, number) => [column, number]);
    const exact = numbers.filter(([column]) => column.key.toLowerCase() === name);
    const metric = numbers.filter(([column]) => column.metric === name && column.role === "value");
    return (exact.length ? exact : metric).map(([, number]) => number);
  }

  arrange() {
    const { column, direction } = this.sorted;
    const order = new Intl.Collator(undefined, { numeric: true });
    this.found.sort((a, b) => a.number - b.number);
    if (column === -1) this.found.sort((a, b) => direction * order.compare(a.title, b.title));
    else if (column !== null) {
      this.found.sort((a, b) => {
        const [left, right] = [a.cells[column], b.cells[column]];
        if (left[2] === null && right[2] === null) return order.compare(left[0], right[0]);
        if (left[2] === null || right[2] === null) return left[2] === null ? 1 : -1;
        return direction * (left[2] - right[2]);
      });
    }
    this.show();
  }

  isShown(column) {
    return this.group === null || this.groups.length < 2 || column.group === this.group;
  }

  show() {
    const columns = this.data.columns;
    const visible = columns.map((column) => this.isShown(column));
    [...this.head.children].slice(1).forEach((cell, number) => (cell.hidden = !visible[number]));
    const rows = this.found.slice(0, this.limit).map((row) => this.rowElement(row, visible));
    this.body.replaceChildren(...rows);
    const first = find("td:not([hidden]), th", this.body);
    if (first) first.tabIndex = 0;
    const all = this.rows.length;
    find("output", this.section).value = this.found.length === all ? `${all} rows` : `${this.found.length} of ${all} rows`;
    this.showLegend();
    this.showMore();
  }

  /** Explain the marks that the shown cells have. */
  showLegend() {
    const columns = this.data.columns.map((_, n) => n).filter((n) => this.isShown(this.data.columns[n]));
    const any = (holds) => this.found.slice(0, this.limit).some((row) => columns.some((n) => holds(row.cells[n])));
    const isThere = { best: any((cell) => cell[5] === 1), second: any((cell) => cell[5] === 2), interval: any((cell) => cell[3] !== null) };
    for (const part of findAll("[data-mark]", this.section)) part.hidden = !isThere[part.dataset.mark];
  }

  /** Return [name, columns] of each group of columns, with the places of the cells in a row. */
  groupsOfColumns() {
    const own = (name) => this.data.columns.map((column, n) => [column, n + 1]).filter(([column]) => column.group === name);
    return this.groups.map((name) => [name, [0, ...own(name).map(([, place]) => place)]]);
  }

  /** Return which rows are shown, and how they are sorted. */
  inWords() {
    const [all, found, shownRows] = [this.rows.length, this.found.length, this.body.children.length];
    const rows = shownRows < found ? `The first ${shownRows} of ${found} rows` : `${found} ${found === 1 ? "row" : "rows"}`;
    const { column, direction } = this.sorted;
    return [
      found < all ? `${rows} with “${this.filtered}”, of ${all}` : rows,
      direction ? `, sorted by ${column < 0 ? "name" : this.data.columns[column].title} ${direction > 0 ? "upwards" : "downwards"}` : "",
      ".",
    ].join("");
  }

  rowElement(row, visible) {
    const title = make("th", { scope: "row", tabindex: "-1" }, make("span", {}, row.title));
    if (row.mark) title.append(make("small", {}, row.mark));
    const element = make("tr", {}, title);
    element.row = row;
    row.cells.forEach((cell, number) => {
      const place = make("td", { class: `num ${PLACES[cell[5]]}`, tabindex: "-1", hidden: !visible[number] }, make("span", {}, cell[0]));
      if (cell[1]) place.append(make("small", {}, cell[1]));
      element.append(place);
    });
    return element;
  }

  showMore() {
    const more = find(".more", this.section);
    const left = this.found.length - this.limit;
    more.hidden = left <= 0;
    if (left <= 0) return;
    const button = (text, rows) => {
      const element = make("button", { type: "button" }, text);
      element.addEventListener("click", () => this.showTo(this.limit + rows));
      return element;
    };
    const step = Math.min(this.data.first_rows, left);
    more.replaceChildren(button(`Show ${step} more`, step), ...(left > step && left <= 2000 ? [button(`Show all ${this.found.length}`, left)] : []));
  }

  showTo(limit) {
    const visible = this.data.columns.map((column) => this.isShown(column));
    this.body.append(...this.found.slice(this.limit, limit).map((row) => this.rowElement(row, visible)));
    this.limit = limit;
    this.showLegend();
    this.showMore();
  }

  choose(cell) {
    if (cell) this.open(cell.parentElement.row, [...cell.parentElement.children].indexOf(cell) - 1);
  }

  move(event) {
    const cell = event.target.closest("td, th");
    if (!cell) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.choose(cell);
      return;
    }
    const line = cell.parentElement;
    const places = [...line.children].filter((other) => !other.hidden);
    const at = places.indexOf(cell);
    const beside = (other) => other && [...other.children].filter((one) => !one.hidden)[at];
    const target = {
      ArrowRight: () => places[at + 1],
      ArrowLeft: () => places[at - 1],
      ArrowDown: () => beside(line.nextElementSibling),
      ArrowUp: () => beside(line.previousElementSibling),
      Home: () => places[0],
      End: () => places.at(-1),
    }[event.key]?.();
    if (!target) return;
    event.preventDefault();
    findAll("[tabindex='0']", this.body).forEach((other) => (other.tabIndex = -1));
    target.tabIndex = 0;
    target.focus();
  }
}
