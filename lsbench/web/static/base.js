"use strict";
// Shared by all parts of the page. Text from results enters the page only through textContent.

const find = (selector, root = document) => root.querySelector(selector);
const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Return a new element; children are elements or text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Return the compressed bytes in a packed element, which holds base64 of gzip. */
function packedBytes(element) {
  const text = atob(element.textContent);
  const bytes = new Uint8Array(text.length);
  for (let n = 0; n < text.length; n += 1) bytes[n] = text.charCodeAt(n);
  return bytes;
}

/** Return the text in a packed element. */
async function unpack(element) {
  const stream = new Blob([packedBytes(element)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** Return a function that unpacks JSON on its first call. */
function lazyJson(element) {
  let found = null;
  return () => (found ??= unpack(element).then(JSON.parse));
}

/** Return a number from a record, formatted for display. */
const shown = (value, quantity) => (value * quantity.scale).toFixed(quantity.digits);

/** Return a duration in seconds for display, as `from_duration` does in Python. */
function duration(seconds) {
  if (Math.round(seconds) < 60) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`.replace(".0 ", " ");
  const minutes = Math.floor(Math.round(seconds) / 60);
  const two = (number) => String(number).padStart(2, "0");
  return minutes < 60 ? `${minutes} min ${two(Math.round(seconds) % 60)} s` : `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** Return value and interval, formatted for display. */
function shownInterval(value, low, high, quantity) {
  const text = shown(value, quantity);
  return low === null ? text : `${text} [${shown(low, quantity)}, ${shown(high, quantity)}]`;
}

/** Return a labelled select; `options` are [value, text], and `choose` is called on every change. */
function choice(label, options, chosen, choose) {
  const select = make("select");
  for (const [value, text] of options) select.append(new Option(text, value, false, value === chosen));
  select.addEventListener("change", () => choose(select.value));
  return make("label", {}, label, select);
}

/** Return a table of text; the first cell of a row is its header. */
function textTable(titles, rows) {
  const head = make("tr", {}, ...titles.map((title, n) => make("th", { scope: "col", class: n ? "num" : null }, title)));
  const body = rows.map(([first, ...others]) =>
    make("tr", {}, make("th", { scope: "row" }, first), ...others.map((text) => make("td", { class: "num" }, text))),
  );
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}

/** Let the user choose light or dark, and remember it if the browser allows. */
function themeSwitch(changed) {
  const select = find("#theme");
  const apply = () => {
    if (select.value) document.documentElement.dataset.theme = select.value;
    else delete document.documentElement.dataset.theme;
    changed();
  };
  try {
    select.value = localStorage.getItem("lsbench-theme") ?? "";
  } catch { /* a page opened from a file may have no storage */ }
  select.addEventListener("change", () => {
    try {
      localStorage.setItem("lsbench-theme", select.value);
    } catch { /* the choice lasts as long as the page */ }
    apply();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  select.closest("label").hidden = false;
  if (select.value) apply();
}
