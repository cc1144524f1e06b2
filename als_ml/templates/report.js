// Shows the report's facts: a table of patients and a page for each. Text goes in as text, never as markup.
const unpack = async (id) => {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
};
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== false) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};
const list = (items) => make("ul", {}, ...items.map((item) => make("li", {}, item)));
const words = (text) => (text === null ? "unknown" : String(text).replaceAll("_", " "));
const number = (value, digits = 2) => (value === null ? "–" : value.toFixed(digits));
const dark = matchMedia("(prefers-color-scheme: dark)");
const colours = () => ({ text: dark.matches ? "#eceff4" : "#1a1a1a", grid: dark.matches ? "#444a55" : "#d5d9df", blue: dark.matches ? "#56b4e9" : "#0072b2", orange: "#d55e00" });

const { rows: patients, part, rules, figures, columns: heads } = await unpack("payload");
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
const last = (pairs) => (pairs.length ? pairs[pairs.length - 1][1] : null);
let chosen = "";
DataTable.ext.search.push((settings, data, index) => !chosen || patients[index].flags.includes(chosen));
const shown = document.getElementById("shown");
const table = new DataTable("#patients", {
  data: patients.map((patient, i) => [i, ...patient.cells]),
  deferRender: true,
  pageLength: 25,
  order: [[1, "asc"]],
  caption: "One row a patient; open a patient by the name. The headings sort.",
  columns: [
    { title: "", visible: false, searchable: false },
    ...heads.map((title, i) => ({
      title,
      render: (value, type) => (value === null ? (type === "display" ? "–" : "") : type === "display" && typeof value === "number" ? String(+value.toFixed(2)) : DataTable.util.escapeHtml(String(value))),
      createdCell: i ? undefined : (cell, value, row) => cell.replaceChildren(make("a", { href: `#patient=${row[0]}` }, String(value))),
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
const cell = (value) => `"${String(value ?? "").replace(/^([=+@\t]|-(?![\d.]))/, "'$1").replaceAll('"', '""')}"`;
document.getElementById("export").addEventListener("click", () => {
  const lines = [heads.map(cell), ...table.rows({ search: "applied" }).data().toArray().map((row) => row.slice(1).map(cell))];
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
const scoreCard = (one) => {
  const [left, right] = one.task === "familial" ? ["sporadic", "familial"] : ["slow", "fast"];
  const card = make("section", { class: "card" }, make("h3", {}, `${right} or ${left}`));
  if (one.error) { card.append(make("p", { class: "warn" }, `No score: ${one.error}`)); return card; }
  const hundred = Math.round(one.probability * 100);
  const marker = make("span", {});
  marker.style.left = `${hundred}%`;
  card.append(
    make("p", { class: "big" }, one.set ? one.set.replace("|", " or ") : "neither class"),
    make("p", {}, one.abstained ? "The model abstains: it cannot tell the classes apart at its coverage." : "The model's conformal set holds one class."),
    make("div", { class: "scale", role: "img", "aria-label": `Probability of ${right}: ${hundred} percent` }, marker),
    make("div", { class: "ends" }, make("span", {}, left), make("span", {}, right)),
    make("p", {}, `Of 100 patients with this score about ${hundred} were labelled ${right} in training${one.task === "progression" ? "; the label is a noisy reading of the true rate" : ""}.`),
  );
  if (one.outside) card.append(make("p", { class: "warn" }, "Out of distribution: unlike the training patients; see the drivers."));
  card.append(make("h4", {}, "What moved the score"));
  const moved = one.drivers.filter((driver) => driver[1] !== 0);
  if (moved.length) card.append(make("div", { class: "chart noprint", "data-drivers": one.task }));
  card.append(list(one.drivers.map((driver) => driver[0])));
  if (one.hidden) card.append(make("p", { class: "small" }, `${one.hidden} genetic drivers are not shown: no consent.`));
  card.append(make("h4", {}, "What to measure next"));
  card.append(one.next.length ? list(one.next.map(([meaning, share]) => `${meaning}: would change the answer for ${Math.round(share * 100)} % of its usual values`)) : make("p", {}, "No single missing input would change the answer."));
  card.append(make("p", { class: "small" }, `${one.model}; ${one.missing} inputs unknown.`));
  return card;
};
const section = (title, ...children) => make("section", {}, make("h2", {}, title), ...children);
const rowsOf = (heads, body) => make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": heads.join(", ") }, make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), make("tbody", {}, ...body.map((row) => make("tr", {}, ...row.map((value) => make("td", {}, value ?? "–")))))));
const variantSection = (page) => {
  const confirm = make("p", { class: "warn" }, "Confirm any genetic result in an accredited laboratory.");
  if (page.variants === null) return section("Variants", make("p", {}, "Not shown: no consent to the return of genetic results."));
  const told = page.variants.filter((one) => !["B", "LB"].includes(one[2]));
  const benign = page.variants.length - told.length;
  return section("Variants", confirm, make("p", {}, `Genetic finding: ${words(page.cause)}.`), told.length ? rowsOf(["Gene", "Variant", "Class", "Zygosity", "Evidence"], told) : make("p", {}, "None above (likely) benign."), benign ? make("p", { class: "small" }, `${benign} (likely) benign variants are not listed.`) : null);
};
const mechanismSection = (page) => section("Mechanisms", make("p", {}, "A summary of evidence, not a validated score."), make("div", { class: "cards" }, ...page.mechanisms.map((one) => {
  const found = [...one.genetic.map(([gene, finding]) => `${gene}: ${finding}`), ...one.biomarkers.map(([name, state, value, unit, limit]) => `${name}: ${value} ${unit === "1" ? "" : unit}, ${state}${limit ? ` (${limit})` : ""}`)];
  const silent = [one.clear.length ? `nothing found in ${one.clear.join(", ")}` : "", one.unknown === null ? "genes not shown: no consent" : one.unknown.length ? `not assayed: ${one.unknown.join(", ")}` : "", one.unmeasured.length ? `not measured: ${one.unmeasured.join("; ")}` : ""].filter(Boolean);
  return make("section", { class: found.length ? "card" : "card silent" }, make("h3", {}, one.name), found.length ? list(found) : make("p", {}, "No evidence recorded."), silent.length ? make("details", {}, make("summary", {}, "What says nothing"), list(silent)) : null);
})));
const marks = { V: "", R: "recalled, unverified", P: "a proposal of ours" };
const protocolSection = (page) => {
  const body = (status) => page.protocol.filter((one) => one[1] === status).map(([id, , met, missing, stale]) => {
    const rule = rules[id];
    const why = [...met, ...(missing.length ? [`missing: ${missing.map(words).join(", ")}`] : []), ...stale.map((old) => `out of date: ${old}`)];
    return [id, make("span", {}, rule.text, marks[rule.mark] ? make("em", {}, ` (${marks[rule.mark]})`) : "", rule.genetic ? make("strong", {}, " Confirm in an accredited laboratory.") : ""), why.join("; "), `${rule.source}, ${rule.year}, ${rule.region}`];
  });
  const heads = ["Rule", "Guideline context", "Because of", "Source, year, region"];
  const part = (title, status, open) => { const found = body(status); return found.length ? make("details", { open: open ? "" : null }, make("summary", {}, make("h3", { style: "display:inline" }, `${title} (${found.length})`)), rowsOf(heads, found)) : null; };
  return section("Care protocol", make("p", {}, "Guideline context, not a recommendation; it uses no score, and decides nothing from a genotype alone."), part("Applies", "applies", true), part("Out of date", "out of date", true), part("Cannot be decided", "cannot be decided", false));
};
const drawPatient = (page, node) => {
  for (const one of page.scores.filter((each) => !each.error)) {
    const chart = node.querySelector(`[data-drivers="${one.task}"]`);
    const moved = one.drivers.filter((driver) => driver[1] !== 0).reverse();
    if (chart) draw(chart, [{ type: "bar", orientation: "h", x: moved.map((driver) => driver[1]), y: moved.map((driver) => driver[0].split(/[:,]/)[0].slice(0, 40)), marker: { color: moved.map((driver) => (driver[1] > 0 ? colours().orange : colours().blue)) } }], { height: 60 + 32 * moved.length, xaxis: { title: { text: "contribution (log-odds)" } }, yaxis: {} }, `Drivers: ${moved.map((driver) => driver[0]).join("; ")}`);
  }
  const course = node.querySelector("[data-course]");
  if (course) draw(course, [{ x: page.alsfrs.map((v) => v[0]), y: page.alsfrs.map((v) => v[1]), mode: "lines+markers", marker: { color: colours().blue, size: 8 } }], { height: 260, xaxis: { title: { text: "days since the index visit" } }, yaxis: { title: { text: "ALSFRS-R" }, range: [0, 49] } }, `ALSFRS-R: ${page.alsfrs.map((v) => `${v[1]} on day ${v[0]}`).join(", ")}`);
  node.querySelectorAll("[data-marker]").forEach((chart) => {
    const one = page.biomarkers[+chart.dataset.marker];
    const lines = [...new Set([one.low, one.high, one.bound])].filter((bound) => bound !== null).map((bound) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: bound, y1: bound, line: { dash: "dash", color: colours().orange } }));
    draw(chart, [{ x: one.values.map((v) => v[0]), y: one.values.map((v) => v[1]), mode: "lines+markers", marker: { color: colours().blue } }], { height: 170, shapes: lines, xaxis: { title: { text: "day" } }, yaxis: { type: one.log ? "log" : "linear", title: { text: one.unit } } }, `${one.name}: ${one.values.map((v) => `${v[1]} on day ${v[0]}`).join(", ")}`);
  });
};
const showPatient = async (index) => {
  const page = await pageOf(index);
  const about = [["Age at onset", page.age_at_onset], ["Sex", words(page.sex)], ["Onset", words(page.onset_site)], ["Diagnosis", words(page.diagnosis)], ["El Escorial", words(page.el_escorial)], ["Family history", words(page.family_history)], ["Months from onset to diagnosis", number(page.diagnostic_delay_months, 1)], ["Genetic finding", words(page.cause)], ["Points lost per month", number(page.slope)], ["King's stage, MiToS", page.stages ? `${page.stages[0] ?? "–"}, ${page.stages[1] ?? "–"}` : "–"], ["Known up to day", page.today]];
  const node = document.getElementById("patient");
  const near = (step, text) => (patients[index + step] ? make("a", { href: `#patient=${index + step}` }, text) : null);
  node.replaceChildren(
    make("nav", { "aria-label": "Patients" }, make("a", { href: "#" }, "All patients"), " ", near(-1, "Previous") ?? "", " ", near(1, "Next") ?? "", " ", make("button", { type: "button", id: "print" }, "Print")),
    make("h2", { tabindex: "-1" }, `Patient ${page.sample_id}`),
    make("dl", { class: "counts" }, ...about.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value ?? "–"))))),
    section("Scores", page.scores.length > 0 ? make("p", {}, `Genetic finding: ${words(page.cause)}. The familial score is never read without it and never decides on testing.`) : null, make("div", { class: "cards pair" }, ...page.scores.map(scoreCard))),
    section("Course", page.alsfrs.length ? make("div", { class: "chart", "data-course": "" }) : make("p", {}, "No visit with a total.")),
    section("Biomarkers", page.biomarkers.length ? make("div", { class: "cards" }, ...page.biomarkers.map((one, i) => make("section", { class: "card" }, make("h3", {}, one.name), make("p", {}, `Last: ${last(one.values)} ${one.unit}; ${one.state}${one.limit ? ` (${one.limit})` : ""}`), one.values.length > 1 || one.low !== null || one.high !== null || one.bound !== null ? make("div", { class: "chart noprint", "data-marker": i }) : null))) : make("p", {}, "None recorded with a day.")),
    variantSection(page),
    mechanismSection(page),
    protocolSection(page),
  );
  node.querySelector("#print").addEventListener("click", () => print());
  document.getElementById("cohort").hidden = true;
  node.hidden = false;
  drawPatient(page, node);
  node.querySelector("h2").focus();
  scrollTo(0, 0);
};
const route = () => {
  const index = Number(/^#patient=(\d+)$/.exec(location.hash)?.[1] ?? NaN);
  if (patients[index]) return showPatient(index);
  document.getElementById("patient").hidden = true;
  document.getElementById("cohort").hidden = false;
  if (!document.getElementById("figures").children.length) requestIdleCallback(drawCohort);
};
// On paper the course is as wide as the page, and dark ink.
const onPaper = (size) => window.Plotly && document.querySelectorAll("[data-course]").forEach((chart) => chart.data && Plotly.relayout(chart, size));
addEventListener("beforeprint", () => onPaper({ width: 680, height: 150, "font.color": "#000" }));
addEventListener("afterprint", () => onPaper({ width: null, height: 260, "font.color": colours().text }));
addEventListener("hashchange", route);
const theme = () => document.documentElement.classList.toggle("dark", dark.matches);
theme();
dark.addEventListener("change", () => { theme(); document.getElementById("figures").replaceChildren(); route(); });
route();
document.documentElement.dataset.ready = "yes";
