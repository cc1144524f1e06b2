// The form of one patient, from the model's own fields, and the answer of /page to it.
{% include "patient.js" %}
const form = document.getElementById("form"), place = document.getElementById("patient"), problem = document.getElementById("problem");
const fields = await (await fetch("fields")).json();
let serial = 0;
const labelled = (text, input) => { serial += 1; input.id = `field-${serial}`; return make("p", { class: "field" }, make("label", { for: input.id }, text), input); };
const choice = (name, values) => make("select", { name }, make("option", { value: "" }, "unknown"), ...values.map((value) => make("option", { value }, words(value))));
const inputOf = (field) => {
  if (field.values.length) return choice(field.name, field.values);
  if (field.kind === "date") return make("input", { name: field.name, type: "date" });
  if (field.kind === "days") return make("input", { name: field.name, type: "text", placeholder: "day, or 2026-03-31", size: 16, "data-days": "yes" });
  return make("input", { name: field.name, type: "text", inputmode: "decimal", size: 8, "data-number": "yes" });
};
const unitOf = (field) => (field.unit && field.kind !== "days" ? ` (${field.unit})` : field.kind === "days" ? " (day or date)" : "");
const dayInput = (name) => make("input", { name, type: "text", placeholder: "day", size: 11, "data-days": "yes", "aria-label": "day or date" });
const measured = (field) => {
  const value = make("input", { name: `m:${field.name}:value`, type: "text", size: 7, "aria-label": `${field.label}: value` });
  const unit = make("select", { name: `m:${field.name}:unit`, "aria-label": `${field.label}: unit` }, ...field.units.map((one) => make("option", { value: one }, one)));
  const assay = field.assays.length ? make("select", { name: `m:${field.name}:assay`, "aria-label": `${field.label}: assay` }, make("option", { value: "" }, "assay"), ...field.assays.map((one) => make("option", { value: one }, one))) : null;
  return make("p", { class: "field" }, make("span", {}, field.label), value, unit, assay, dayInput(`m:${field.name}:days`));
};
const ITEMS = ["speech", "saliva", "swallowing", "handwriting", "cutting food", "dressing", "turning in bed", "walking", "climbing stairs", "dyspnoea", "orthopnoea", "respiratory insufficiency"];
const visit = (number) => make("div", {},
  make("p", { class: "field" }, make("span", {}, `Visit ${number}`), dayInput(`v${number}:days`), make("input", { name: `v${number}:total`, type: "text", inputmode: "numeric", size: 5, placeholder: "total", "aria-label": `Visit ${number}: total of 48`, "data-number": "yes" })),
  folded(`Visit ${number} by item`, make("div", { class: "items" }, ...ITEMS.map((item, i) => labelled(`${i + 1} ${item}`, choice(`v${number}:q${i + 1}`, ["4", "3", "2", "1", "0"]))))));
form.append(
  make("fieldset", {}, make("legend", {}, "Patient"), labelled("name or number", make("input", { name: "sample_id", type: "text", size: 16 })), ...fields.patient.map((field) => labelled(field.label + unitOf(field), inputOf(field)))),
  make("fieldset", {}, make("legend", {}, "ALSFRS-R"), visit(1), visit(2)),
  make("fieldset", {}, make("legend", {}, "Measured"), ...fields.measured.map(measured)),
  folded("The request as JSON", make("pre", { id: "request", tabindex: "0", "aria-label": "The request as JSON" })),
  make("p", {}, make("button", { type: "button", id: "print" }, "Print"), " ", make("button", { type: "reset" }, "Clear")));

// What the form says, as a record of /invocations.
const DAY = /^-?\d+$/, DATE = /^\d{4}-\d{2}-\d{2}$/;
const dayOf = (text, zero) => {
  if (DAY.test(text)) return Number(text);
  if (DATE.test(text) && zero) return Math.round((Date.parse(text) - Date.parse(zero)) / 86400000);
  return text; // said to be wrong by the server, in its own words
};
const plain = (text) => (text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);
const record = () => {
  const zero = form.elements.namedItem("index_date")?.value ?? "";
  const made = { sample_id: "without a name" }, markers = new Map(), visits = new Map();
  for (const input of form.elements) {
    const text = (input.value ?? "").trim();
    if (!input.name || text === "") continue;
    const value = input.dataset.days ? dayOf(text, zero) : input.dataset.number ? plain(text) : text;
    const [kind, name, part] = input.name.split(":");
    if (kind === "m") markers.set(name, { ...markers.get(name), [part]: part === "value" ? plain(text) : value });
    else if (/^v\d$/.test(kind)) visits.set(kind, { ...visits.get(kind), [name]: name.startsWith("q") ? Number(text) : value });
    else made[input.name] = value;
  }
  const biomarkers = [...markers].filter(([, one]) => "value" in one).map(([analyte, one]) => ({ analyte, days: 0, ...one }));
  const alsfrs = [...visits.values()].filter((one) => Object.keys(one).some((name) => name !== "days")).map((one) => ({ days: 0, ...one }));
  return { ...made, ...(biomarkers.length ? { biomarkers } : {}), ...(alsfrs.length ? { alsfrs } : {}) };
};
let latest = 0;
const ask = async () => {
  const request = { inputs: [record()] };
  document.getElementById("request").textContent = `curl -s ${location.origin}/invocations -H 'Content-Type: application/json' -d '${JSON.stringify(request)}'`;
  latest += 1;
  const mine = latest;
  const reply = await fetch("page", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request) });
  const answer = await reply.json().catch(() => ({}));
  if (mine !== latest) return; // a later answer is on its way
  const error = answer.error ?? (reply.ok ? null : { field: "request", reason: answer.message ?? "failed", remedy: "" });
  problem.textContent = error ? `${error.field} ${error.reason}. ${error.remedy}` : "";
  for (const input of form.elements) {
    const own = input.name?.split(":") ?? [];
    const named = error && (input.name === error.field || own.some((part) => part && error.field.split(".").includes(part)));
    if (input.name) input.toggleAttribute("aria-invalid", Boolean(named));
  }
  if (answer.page) place.replaceChildren(...patientPage(answer.page, answer.shared));
};
let waiting = null;
form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(ask, 350); });
form.addEventListener("reset", () => { clearTimeout(waiting); waiting = setTimeout(ask, 50); });
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("print").addEventListener("click", () => print());
document.documentElement.dataset.ready = "yes";
