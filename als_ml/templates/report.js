// Shows the cohort: a table of patients, and the page of each. Text goes in as text, never as markup.
{% include "patient.js" %}
const unpack = async (id) => {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
};
const dark = matchMedia("(prefers-color-scheme: dark)");
const colours = () => ({ text: dark.matches ? "#eceff4" : "#1a1a1a", grid: dark.matches ? "#444a55" : "#d5d9df", blue: dark.matches ? "#56b4e9" : "#0072b2", orange: "#d55e00" });

const { rows: patients, part, figures, columns: heads, hidden, wide, shared } = await unpack("payload");
const { default: DataTable } = await import("data:text/javascript;base64," + document.getElementById("datatables").textContent);
// The pages of the patients lie in parts that are unpacked when the first of them is opened.
const parts = new Map();
const pageOf = async (index) => {
  const number = Math.floor(index / part);
  if (!parts.has(number)) parts.set(number, unpack(`pages-${number}`));
  return (await parts.get(number))[index % part];
};

// Plotly is run when the first picture is due, so that the table does not wait for it.
let loaded = null;
const plotly = () => (loaded ??= new Promise((resolve) => setTimeout(() => {
  document.head.append(make("script", {}, document.getElementById("plotly").textContent));
  resolve(window.Plotly);
}, 0)));
const draw = async (node, traces, layout, label) => {
  const colour = colours();
  const axis = { gridcolor: colour.grid, linecolor: colour.grid, zerolinecolor: colour.grid };
  const axes = Object.fromEntries(Object.entries(layout).filter(([key]) => /^[xy]axis/.test(key)).map(([key, value]) => [key, { ...axis, automargin: true, ...value }]));
  const base = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour.text, size: 12 }, margin: { t: 10, r: 10, b: 40, l: 50 }, showlegend: false };
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", label);
  return (await plotly()).newPlot(node, traces, { ...base, ...layout, ...axes }, { displayModeBar: false, responsive: true });
};

// The cohort
let chosen = "";
DataTable.ext.search.push((settings, data, index) => !chosen || patients[index].flags.includes(chosen));
const shown = document.getElementById("shown");
// Behind a probability stands a hidden column with its conformal set, behind a risk group one with the risk that orders it.
const withSet = (value, next, set) => `${+value.toFixed(2)}${hidden.includes(next) ? ` ${DataTable.util.escapeHtml(set)}` : ""}`;
const rendered = (title, i) => (value, type, row) => {
  if (title === "Risk group" && (type === "sort" || type === "type")) return row[i + 3] ?? "";
  if (value === null) return type === "display" ? "–" : "";
  if (type === "display" && typeof value === "number") return withSet(value, heads[i + 1], row[i + 3]);
  return DataTable.util.escapeHtml(String(value));
};
const table = new DataTable("#patients", {
  data: patients.map((patient, i) => [i, patient.urgency, ...patient.cells]),
  deferRender: true,
  pageLength: 25,
  order: [[1, "desc"]],
  caption: "One row a patient, first who needs somebody; open a patient by the name. The headings sort.",
  columns: [
    { title: "", visible: false, searchable: false },
    { title: "", visible: false, searchable: false },
    ...heads.map((title, i) => ({
      title,
      className: `${wide.includes(title) ? "wide " : ""}${i === 0 ? "needs" : ""}`,
      orderData: i === 0 ? [1] : [i + 2],
      visible: !hidden.includes(title),
      render: rendered(title, i),
      createdCell: title !== "Patient" ? undefined : (cell, value, row) => cell.replaceChildren(make("a", { href: `#patient=${row[0]}` }, String(value))),
    })),
  ],
  drawCallback() { shown.textContent = `${this.api().rows({ search: "applied" }).count()} of ${patients.length} patients`; },
});
document.getElementById("flag").addEventListener("change", (event) => { chosen = event.target.value; table.draw(); });
const save = (name, type, text) => {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
};
// A cell that a spreadsheet would run as a formula gets an apostrophe.
const inert = (text) => (/^[=+\-@\t\r\n]/.test(text) && !/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? `'${text}` : text);
const cell = (value) => `"${inert(String(value ?? "")).replaceAll('"', '""')}"`;
document.getElementById("export").addEventListener("click", () => {
  const lines = [heads.map(cell), ...table.rows({ search: "applied" }).data().toArray().map((row) => row.slice(2).map(cell))];
  save("patients.csv", "text/csv", lines.map((line) => line.join(",")).join("\n") + "\n");
});
const drawCohort = () => {
  const place = document.getElementById("figures");
  place.replaceChildren();
  for (const { title, words: told, figure } of figures) {
    const chart = make("div", { class: "chart" });
    place.append(make("h3", {}, title), make("p", {}, told), chart);
    draw(chart, figure.data, figure.layout, `${title}. ${told}`);
  }
};

// A patient
const showPatient = async (index) => {
  const page = await pageOf(index);
  const node = document.getElementById("patient");
  const near = (step, text) => (patients[index + step] ? make("a", { href: `#patient=${index + step}` }, text) : "");
  node.replaceChildren(
    make("nav", { "aria-label": "Patients" }, make("a", { href: "#" }, "All patients"), " ", near(-1, "Previous"), " ", near(1, "Next"), " ", make("button", { type: "button", id: "print" }, "Print")),
    ...patientPage(page, shared));
  node.querySelector("#print").addEventListener("click", () => print());
  document.getElementById("cohort").hidden = true;
  node.hidden = false;
  node.querySelector("h2").focus({ preventScroll: true });
  scrollTo(0, 0);
};
const route = () => {
  const index = Number(/^#patient=(\d+)$/.exec(location.hash)?.[1] ?? NaN);
  if (patients[index]) return showPatient(index);
  const found = /^#find=(.*)$/.exec(location.hash);
  if (found) table.search(decodeURIComponent(found[1])).draw();
  document.getElementById("patient").hidden = true;
  document.getElementById("cohort").hidden = false;
  if (!document.getElementById("figures").children.length) requestIdleCallback(drawCohort);
};
addEventListener("hashchange", route);
const theme = () => document.documentElement.classList.toggle("dark", dark.matches);
theme();
dark.addEventListener("change", () => { theme(); document.getElementById("figures").replaceChildren(); route(); });
route();
document.documentElement.dataset.ready = "yes";
