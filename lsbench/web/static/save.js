// Take the rows and columns that are shown along: as a file, or through the clipboard.

const quotedField = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const onOneLine = (text) => text.replace(/[\t\r\n]+/g, " ");

/** Return the lines of the CSV report, header first, for the rows and columns that are shown. */
function csvLines(table) {
  const { columns, csv_always: always, csv_titles: titles } = table.data;
  const places = [...always, ...columns.filter((column) => table.isShown(column)).flatMap((column) => column.csv)];
  places.sort((a, b) => a - b);
  return [titles, ...table.found.map((row) => row.csv)].map((line) => places.map((place) => line[place]));
}

/** Return the table as it is shown, as Markdown. */
function markdownTable(table) {
  const escaped = (text) => table.data.markdown[text] ?? text;
  const numbers = table.data.columns.map((_, n) => n).filter((n) => table.isShown(table.data.columns[n]));
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  const marked = (text, place) => (place === 1 ? `**${text}**` : place === 2 ? `<ins>${text}</ins>` : text);
  const cell = ([text, beside, , , , place]) => marked([text, beside].filter(Boolean).map(escaped).join(" "), place);
  return [
    line([escaped(table.data.row_kind), ...numbers.map((n) => escaped(table.data.columns[n].title))]),
    line(["---", ...numbers.map(() => "---:")]),
    ...table.found.map((row) =>
      line([escaped(row.title) + (row.mark ? ` (${escaped(row.mark)})` : ""), ...numbers.map((n) => cell(row.cells[n]))]),
    ),
  ].join("");
}

function download(name, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Copy a text; where the browser refuses, show it for the reader to copy. Return whether it was copied. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { /* a page opened from a file may have no clipboard, or the reader has forbidden it */ }
  const area = make("textarea", { readonly: true, rows: "12", "aria-label": "Text to copy" });
  area.value = text;
  openDialog("Copy with Ctrl+C or ⌘C", area);
  area.focus();
  area.select();
  if (!document.execCommand("copy")) return false;
  find("dialog").close();
  return true;
}

/** Add the buttons of a table. */
function wireSaving(table, place) {
  const told = make("span", { role: "status" });
  const button = (text, hint, act) => {
    const element = make("button", { type: "button", title: hint }, text);
    element.addEventListener("click", act);
    return element;
  };
  const copy = (write) => async () => {
    const rows = table.found.length;
    told.textContent = (await copyText(write())) ? `${rows} ${rows === 1 ? "row" : "rows"} copied` : "";
    setTimeout(() => (told.textContent = ""), 4000);
  };
  const file = `${table.data.name.replace(/[^\p{L}\p{N}.+_-]+/gu, "-").replace(/^-+|-+$/g, "")}.csv`;
  place.append(
    button("Download CSV", "The CSV report of the rows and columns that are shown", () =>
      download(file, csvLines(table).map((line) => `${line.map(quotedField).join(",")}\n`).join("")),
    ),
    button("Copy", "The cells of the CSV report for a spreadsheet, separated by tabs", copy(() =>
      csvLines(table).map((line) => `${line.map(onOneLine).join("\t")}\n`).join(""),
    )),
    button("Copy Markdown", "The table as it is shown, for a README", copy(() => markdownTable(table))),
    told,
  );
}
