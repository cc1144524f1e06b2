// One patient's page, drawn from its facts. Text goes in as text, never as markup; pictures are SVG.
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};
const svg = (tag, attributes = {}, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};
const list = (items, kind = "ul") => make(kind, {}, ...items.map((item) => make("li", {}, item)));
const words = (text) => (text === null || text === undefined ? "unknown" : String(text).replaceAll("_", " "));
const number = (value, digits = 1) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const section = (title, ...children) => make("section", {}, make("h3", {}, title), ...children);
const note = (text) => make("p", { class: "small" }, text);
const warning = (text) => make("p", { class: "warn" }, text);
const folded = (title, ...children) => make("details", {}, make("summary", {}, title), ...children);
const rowsOf = (title, heads, body) => make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": title },
  make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, ...body.map((row) => make("tr", {}, ...row.map((value) => make("td", {}, value ?? "–")))))));
const day = (at, date) => (date ? `${date} (day ${at})` : `day ${at}`);

// --- who, and as of when
const identity = (page) => {
  const { dates } = page;
  const parts = [`Patient ${page.sample_id}`, `report of ${dates.report}`, `data to ${day(dates.data_day, dates.data)}`];
  if (dates.landmark_day !== null) parts.push(`scores made with data to ${day(dates.landmark_day, dates.landmark)}`);
  return parts.join(" · ");
};
const header = (page) => {
  const facts = [
    ["Diagnosis", words(page.diagnosis)], ["Sex", words(page.sex)],
    ["Age", page.age === null ? "unknown" : `${number(page.age, 0)} years`],
    ["Age at onset", page.age_at_onset === null ? "unknown" : `${number(page.age_at_onset, 0)} years`],
    ["Onset", words(page.onset_site)], ["El Escorial", words(page.el_escorial)],
    ["Onset to diagnosis", page.diagnostic_delay_months === null ? "unknown" : `${number(page.diagnostic_delay_months)} months`],
    ["Family history of ALS", words(page.family_history)],
    ["ALSFRS-R", page.alsfrs.length ? `${page.alsfrs.at(-1)[1]} of 48 on day ${page.alsfrs.at(-1)[0]}` : "no visit with a total"],
    ["Points lost a month, all visits", number(page.slope)],
    ["King's stage", page.stages ? words(page.stages[0]) : "unknown"], ["MiToS stage", page.stages ? words(page.stages[1]) : "unknown"],
  ];
  const node = make("div", { class: "head" },
    make("h2", { tabindex: "-1" }, `Patient ${page.sample_id}`),
    make("p", { class: "dates" }, identity(page).split(" · ").slice(1).join(" · ")),
    page.closed ? make("p", { class: "closed" }, `${deathWords(page)} This page is closed: it holds what is on record and looks at nothing ahead.`) : null,
    page.dates.old !== null && !page.closed ? warning(`The data end ${page.dates.old} days before this report. Rules are decided as of the day of the data.`) : null,
    page.ill ? null : warning("Not ALS by the recorded diagnosis: no score and no rule for ALS is shown."),
    page.state.length ? make("p", { class: "state" }, ...page.state.map((one) => make("span", {}, one))) : null,
    make("dl", { class: "counts" }, ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value))))));
  return node;
};
const deathWords = (page) => {
  const died = page.events.find((one) => one[1] === "died");
  return died ? `Died on ${day(died[0], died[2])}.` : "Died.";
};

// --- the genetic result
const geneticSection = (page) => {
  const result = page.genetics;
  if (!result) return section("Genetic result", make("p", {}, "Not shown: no consent to the return of genetic results."));
  const findings = result.findings.map((one) => {
    const rest = [one.zygosity, one.class ? `class ${one.class}` : "", one.inheritance ? `${one.inheritance} inheritance` : "", `by ${one.method}`].filter(Boolean);
    return make("p", { class: "finding" }, make("strong", {}, `${one.gene} ${one.what}`), `: ${one.meaning}. `, `${capital(rest.join(", "))}.`);
  });
  const unread = [...result.not_assayed];
  return section("Genetic result",
    make("p", { class: `result ${result.status}` }, make("strong", {}, result.status.toUpperCase()), ` ${result.headline}.`),
    ...findings,
    result.risk.length ? make("p", {}, `Also found, not a cause by itself: ${result.risk.map((one) => `${one.gene} ${one.what}${one.zygosity ? `, ${one.zygosity}` : ""} (${one.meaning})`).join("; ")}.`) : null,
    unread.length ? folded(`Not assayed: ${unread.length} genes, ${unread.slice(0, 3).join(", ")}${unread.length > 3 ? " ..." : ""}`, make("p", {}, unread.join(", "))) : make("p", { class: "small" }, "All genes of the panel were assayed, in part or whole."),
    result.partly.length ? make("p", { class: "small" }, `In part only: ${result.partly.join(", ")}.`) : null,
    ...result.advice.map((text) => make("p", { class: "advice" }, text)));
};

// --- scores
const icons = (one) => {
  const picture = svg("svg", { viewBox: "0 0 104 104", class: "icons", role: "img", "aria-label": `${one.hundred} of 100 figures are filled: ${one.positive}` });
  for (let i = 0; i < 100; i += 1) {
    const filled = i < one.hundred;
    picture.append(svg("circle", { cx: 7 + 10 * (i % 10), cy: 7 + 10 * Math.floor(i / 10), r: 3.9, class: filled ? "filled" : "open" }));
  }
  return picture;
};
const scale = (one) => {
  const at = (share) => 4 + 292 * share;
  const picture = svg("svg", { viewBox: "0 0 300 46", class: "scale", role: "img", "aria-label": `Probability ${one.hundred} percent; threshold ${Math.round(one.threshold * 100)} percent${one.alike ? `; seen ${Math.round(one.alike.low * 100)} to ${Math.round(one.alike.high * 100)} percent` : ""}` });
  picture.append(svg("line", { x1: at(0), x2: at(1), y1: 20, y2: 20, class: "axis" }));
  if (one.alike) picture.append(svg("rect", { x: at(one.alike.low), width: Math.max(at(one.alike.high) - at(one.alike.low), 1), y: 14, height: 12, class: "interval" }));
  picture.append(svg("line", { x1: at(one.threshold), x2: at(one.threshold), y1: 8, y2: 32, class: "threshold" }));
  picture.append(svg("circle", { cx: at(one.probability), cy: 20, r: 5.5, class: "filled" }));
  for (const [share, text] of [[0, "0 %"], [0.5, "50 %"], [1, "100 %"]]) {
    const label = svg("text", { x: at(share), y: 44, "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle" });
    label.textContent = text;
    picture.append(label);
  }
  return picture;
};
const WIDEST = 3; // log-odds at the end of a bar: the same for every patient
const driverRow = ([text, share]) => {
  const width = Math.min(Math.abs(share) / WIDEST, 1) * 50;
  const bar = svg("svg", { viewBox: "0 0 100 8", class: "bar", "aria-hidden": "true" },
    svg("line", { x1: 50, x2: 50, y1: 0, y2: 8, class: "axis" }),
    svg("rect", { x: share > 0 ? 50 : 50 - width, y: 1, width, height: 6, class: share > 0 ? "up" : "down" }));
  return make("li", {}, bar, text);
};
const curve = (outlook) => {
  const [W, H, left, bottom] = [300, 130, 44, 22];
  const x = (month) => left + ((W - left - 8) * month) / outlook.end;
  const y = (share) => 6 + (H - bottom - 6) * (1 - share);
  const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "scale", role: "img", "aria-label": `Share ${outlook.share}: ${outlook.curve.map(([month, share]) => `month ${Math.round(month)} ${Math.round(share * 100)} percent`).join(", ")}` });
  picture.append(svg("line", { x1: left, x2: x(outlook.end), y1: y(0), y2: y(0), class: "axis" }), svg("line", { x1: left, x2: left, y1: y(0), y2: y(1), class: "axis" }));
  picture.append(svg("polyline", { points: outlook.curve.map(([month, share]) => `${x(month)},${y(share)}`).join(" "), fill: "none", stroke: "currentColor", "stroke-width": 2 }));
  const label = (text, at) => { const node = svg("text", at); node.textContent = text; picture.append(node); };
  for (const share of [0, 0.5, 1]) label(`${share * 100} %`, { x: left - 4, y: y(share) + 3, "text-anchor": "end" });
  label("month 0", { x: left, y: H - 6 });
  label(`month ${Math.round(outlook.end)}`, { x: x(outlook.end), y: H - 6, "text-anchor": "end" });
  return picture;
};
const TIMES = { survival: "Survival time", niv: "Time to NIV", gastrostomy: "Time to gastrostomy" };
const outlookCard = (one) => {
  const { outlook } = one;
  const card = make("section", { class: "card", "data-task": one.task }, make("h4", {}, TIMES[one.task]));
  if (one.outside) card.append(warning(`Unlike the training patients: what follows may not hold.${one.reasons.length ? ` ${one.reasons.join("; ")}.` : ""}`));
  card.append(
    outlook.group ? make("p", { class: "big" }, `Risk group: ${outlook.group}.`) : "",
    make("p", { class: "big" }, outlook.times),
    note(`The event is ${outlook.event}, in months from the day of the scores. The groups are fifths of the training patients, not those of ENCALS.`),
    folded(outlook.low ? "The curve, the risks and the lower bound" : "The curve and the risks", curve(outlook), note(`Share of patients like this one ${outlook.share}; nothing is drawn beyond the training follow-up.`),
      outlook.risks.length ? make("p", {}, `Risk ${outlook.risks.join(", ")}.`) : "", outlook.low ? make("p", {}, outlook.low) : "", one.alike ? note(one.alike.text) : ""),
    outlook.course.length ? folded("The ALSFRS-R to be expected, if alive then", list(outlook.course),
      note("Points; in brackets what the model's interval allows for a measurement (90 % unless its configuration says otherwise). Months from the day of the scores.")) : "",
    make("h5", {}, "What moved it"),
    one.drivers.length ? make("ul", { class: "drivers" }, ...one.drivers.map(driverRow)) : make("p", {}, "Nothing measured moved it."),
    note(`${one.model}; ${one.missing} inputs unknown. Bars: log hazard ratio, later left, earlier right, ${WIDEST} at the end.`));
  return card;
};
const scoreCard = (one) => {
  if (one.outlook) return outlookCard(one);
  const card = make("section", { class: "card", "data-task": one.task }, make("h4", {}, TIMES[one.task] || `${one.positive === "fast" ? "Progression" : "Family history"}: ${one.positive} or ${one.negative}`));
  if (one.error) { card.append(make("p", {}, `No score: ${one.error}.`)); return card; }
  if (one.outside) card.append(warning(`Unlike the training patients: the number below may not hold.${one.reasons.length ? ` ${one.reasons.join("; ")}.` : ""}`));
  card.append(
    make("div", { class: "plain" }, icons(one), make("p", { class: "big" }, one.sentence)),
    scale(one), make("p", {}, one.answer),
    one.alike ? note(one.alike.text) : "",
    one.task === "familial" ? note("It is about family history, is read beside the genetic result only, and decides nobody's test.") : note("The label is a noisy reading of the true rate."),
    make("h5", {}, "What moved the score"),
    one.drivers.length ? make("ul", { class: "drivers" }, ...one.drivers.map(driverRow)) : make("p", {}, "Nothing measured moved it."),
    note(`${one.model}; ${one.missing} inputs unknown. Bars: contribution to the log-odds, ${one.negative} left, ${one.positive} right, ${WIDEST} at the end.`));
  return card;
};
const nextSection = (page) => {
  if (!page.scores.some((one) => !one.error)) return null;
  const found = page.next.slice(0, 5);
  if (!found.length) return section("What would change the answer most", make("p", {}, "No single missing test would."));
  const percent = (share) => `${Math.round(share * 100)} %`;
  return section("What would change the answer most", list(found.map((one) => make("span", {}, make("strong", {}, one.test), `: the ${one.task} answer changes for ${percent(one.changes)} of its usual values; the chance would lie between ${percent(one.low)} and ${percent(one.high)}`))),
    note("Only what is missing is tried, never a treatment or a known value: this is not an effect of treatment."));
};

// --- the care protocol
const marks = { R: "to be checked", P: "a proposal of ours" };
const ruleItem = (one, rules) => {
  const rule = rules[one.rule];
  const why = [...one.because, ...(one.missing.length ? [`not known: ${one.missing.join(", ")}`] : []), ...one.old.map((old) => `out of date: ${old}`)];
  const where = [rule.source, String(rule.year), ...(rule.region.length ? [rule.region.join(", ")] : []), one.rule].join("; ");
  return make("li", { "data-rule": one.rule },
    make("strong", {}, `${rule.topic}. `), rule.text,
    marks[rule.mark] ? make("em", {}, ` (${marks[rule.mark]})`) : null,
    one.expired ? make("em", { class: "warn" }, ` (expired on ${one.expired})`) : null,
    rule.genetic ? make("strong", {}, " Confirm in an accredited laboratory.") : null,
    why.length ? make("span", { class: "why" }, ` Because of ${why.join("; ")}.`) : null,
    make("span", { class: "source" }, ` ${where}.`));
};
const protocolSection = (page, rules) => {
  if (page.closed || !page.ill) return null;
  const of = (status, level) => page.protocol.filter((one) => one.status === status && (!level || one.level === level));
  const part = (title, found, level) => (found.length ? make("div", { class: `level ${level}` }, make("h4", {}, title), make("ul", {}, ...found.map((one) => ruleItem(one, rules)))) : null);
  const under = (title, found) => (found.length ? folded(`${title} (${found.length})`, make("ul", {}, ...found.map((one) => ruleItem(one, rules)))) : null);
  const act = of("applies", "act");
  return section("Care protocol",
    note("Guideline context, not a recommendation; it uses no score and decides nothing from a genotype alone."),
    act.length ? part("Act: a dated value is over a threshold", act, "act") : make("p", {}, "Act: no dated value is over a threshold."),
    part("Consider", of("applies", "consider"), "consider"),
    part("Out of date: would be decided by an old value, measure again", of("out of date").filter((one) => one.level === "act"), "old"),
    under("Out of date, other rules", of("out of date").filter((one) => one.level !== "act")),
    under("Background, the same for nearly everybody", of("applies", "background")),
    under("Cannot be decided: something is not recorded", of("cannot be decided")),
    under("Expired: the validity of the rule has ended", of("expired")));
};

// --- what was measured
const frame = (values, low, high) => {
  const all = [...values, low, high].filter((value) => value !== null);
  const least = Math.min(...all), most = Math.max(...all), gap = (most - least || Math.abs(most) || 1) * 0.12;
  return [least - gap, most + gap];
};
const courseChart = (page) => {
  const W = 720, H = 240, left = 34, right = 12, top = 26, bottom = 26;
  const events = page.events.filter((one) => one[1] !== "onset" && one[1] !== "last contact");
  const onset = page.onset_days;
  const days = [...page.alsfrs.map((one) => one[0]), ...events.map((one) => one[0]), ...(onset === null ? [] : [onset]), ...(page.dates.landmark_day === null ? [] : [page.dates.landmark_day])];
  const first = Math.min(...days), last = Math.max(...days, first + 1);
  const x = (at) => left + ((W - left - right) * (at - first)) / (last - first);
  const y = (total) => top + (H - top - bottom) * (1 - total / 48);
  const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "course", role: "img" });
  picture.setAttribute("aria-label", `ALSFRS-R: ${page.alsfrs.map((one) => `${one[1]} on day ${one[0]}`).join(", ")}. ${events.map((one) => `${one[1]} on day ${one[0]}`).join(", ")}`);
  const text = (content, attributes) => { const node = svg("text", attributes); node.textContent = content; return node; };
  for (const total of [0, 12, 24, 36, 48]) picture.append(svg("line", { x1: left, x2: W - right, y1: y(total), y2: y(total), class: "grid" }), text(total, { x: left - 6, y: y(total) + 4, "text-anchor": "end" }));
  const steps = Math.max(Math.ceil((last - first) / 6 / 30) * 30, 30);
  for (let at = Math.ceil(first / steps) * steps; at <= last; at += steps) picture.append(text(at, { x: x(at), y: H - 8, "text-anchor": "middle" }));
  picture.append(text("day", { x: 2, y: H - 8 }));
  if (page.dates.landmark_day !== null) picture.append(svg("line", { x1: x(page.dates.landmark_day), x2: x(page.dates.landmark_day), y1: top, y2: H - bottom, class: "landmark" }), text("scores", { x: x(page.dates.landmark_day) - 3, y: H - bottom - 4, class: "mark", "text-anchor": "end" }));
  const levels = [];
  for (const [at, what] of events) {
    const place = x(at), width = 6.2 * what.length;
    const anchor = place + width > W ? "end" : "start";
    const from = anchor === "end" ? place - width : place;
    let row = 0;
    while (levels[row] !== undefined && levels[row] > from) row += 1;
    levels[row] = from + width + 8;
    picture.append(svg("line", { x1: place, x2: place, y1: top - 4, y2: H - bottom, class: what === "died" ? "died" : "event" }), text(what, { x: place, y: 11 + 12 * row, class: "mark", "text-anchor": anchor }));
  }
  const points = [...(onset === null || page.alsfrs.some((one) => one[0] <= onset) ? [] : [[onset, 48]]), ...page.alsfrs];
  if (points.length) picture.append(svg("polyline", { points: points.map((one) => `${x(one[0])},${y(one[1])}`).join(" "), class: "line" }));
  points.forEach((one, i) => picture.append(svg("circle", { cx: x(one[0]), cy: y(one[1]), r: 3.6, class: i === 0 && points.length > page.alsfrs.length ? "open" : "filled" })));
  return picture;
};
const courseSection = (page) => section("Course",
  page.alsfrs.length || page.events.length ? courseChart(page) : make("p", {}, "No visit with a total and nothing dated."),
  page.alsfrs.length ? note("ALSFRS-R by days since the index visit; the open circle is onset, taken as 48.") : null,
  page.events.length ? make("p", { class: "small" }, page.events.map((one) => `${one[1]}: ${day(one[0], one[2])}`).join("; ")) : null);
const rangeBar = (one) => {
  const values = one.values.map((pair) => pair[1]), several = values.length > 1;
  const bounds = [one.low, one.high, ...one.cutoffs.map((pair) => pair[1])].filter((value) => value !== null);
  const [least, most] = frame([...values, ...bounds], null, null);
  const W = 240, H = several ? 84 : 30, at = (value) => 6 + (W - 12) * ((value - least) / (most - least));
  const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: several ? "range" : "range single", role: "img", "aria-label": `${one.name}: ${one.values.map((pair) => `${pair[1]} on day ${pair[0]}`).join(", ")}` });
  if (several) {
    const days = one.values.map((pair) => pair[0]), first = Math.min(...days), last = Math.max(...days, first + 1);
    const x = (when) => 8 + (W - 16) * ((when - first) / (last - first)), y = (value) => H - 6 - (H - 12) * ((value - least) / (most - least));
    const low = one.low ?? least, high = one.high ?? most;
    if (one.low !== null || one.high !== null) picture.append(svg("rect", { x: 0, width: W, y: y(high), height: Math.max(y(low) - y(high), 1), class: "normal" }));
    for (const [, bound] of one.cutoffs) picture.append(svg("line", { x1: 0, x2: W, y1: y(bound), y2: y(bound), class: "cutoff" }));
    picture.append(svg("polyline", { points: one.values.map((pair) => `${x(pair[0])},${y(pair[1])}`).join(" "), class: "line" }));
    one.values.forEach((pair) => picture.append(svg("circle", { cx: x(pair[0]), cy: y(pair[1]), r: 3, class: "filled" })));
    return picture;
  }
  picture.append(svg("line", { x1: 0, x2: W, y1: 15, y2: 15, class: "axis" }));
  if (one.low !== null || one.high !== null) picture.append(svg("rect", { x: at(one.low ?? least), width: Math.max(at(one.high ?? most) - at(one.low ?? least), 1), y: 9, height: 12, class: "normal" }));
  for (const [, bound] of one.cutoffs) picture.append(svg("line", { x1: at(bound), x2: at(bound), y1: 4, y2: 26, class: "cutoff" }));
  picture.append(svg("circle", { cx: at(values[0]), cy: 15, r: 5, class: "filled" }));
  return picture;
};
const span = (one) => (one.low !== null && one.high !== null ? `${one.low} to ${one.high}` : one.low !== null ? `${one.low} or more` : one.high !== null ? `up to ${one.high}` : "");
const markerCard = (one) => {
  const [when, value] = one.values.at(-1);
  const unit = one.unit ? ` ${one.unit}` : "";
  return make("section", { class: "card marker" },
    make("h4", {}, one.name),
    make("p", {}, make("strong", {}, `${value}${unit}`), ` on day ${when}`, one.values.length > 1 ? `, ${one.values.length} values` : "", one.state ? make("span", { class: one.worse ? "warn" : "" }, `; ${one.state}`) : ""),
    rangeBar(one),
    span(one) ? note(`Normal: ${span(one)}${unit} (${one.source}).`) : make("p", { class: "small noprint" }, "No range of normal is known."),
    ...one.cutoffs.map(([text, bound]) => note(`${bound}${unit}, ${text}. Not a limit of normal.`)),
    one.note ? note(`${one.note}${unit}.`) : null);
};
const markerSection = (page) => section("Markers",
  page.lowered ? warning("Measured on tofersen, which lowers neurofilament by about half: not the natural course.") : null,
  page.biomarkers.length ? make("div", { class: "cards" }, ...page.biomarkers.map(markerCard)) : make("p", {}, "None recorded with a day."),
  page.undated ? note(`${page.undated} values without a day are not shown.`) : null);

// --- mechanisms and variants
const mechanismCard = (one, treatments) => {
  const points = [...one.genetic, ...one.biomarkers];
  const silent = [
    one.normal.length ? one.normal.join("; ") : "", one.clear.length ? `nothing found in ${one.clear.join(", ")}` : "",
    one.unknown === null ? "genes not shown: no consent" : one.unknown.length ? `not assayed: ${one.unknown.join(", ")}` : "",
    one.unmeasured ? `${one.unmeasured} of its markers not measured` : "",
  ].filter(Boolean);
  const acts = (treatments[one.id] ?? []).map((each) => `${each.name ? `${each.name} (${each.kind}): ` : ""}${each.status}; ${each.source}`);
  return make("section", { class: points.length ? "card" : "card silent" }, make("h4", {}, one.name), note(one.meaning),
    points.length ? make("p", {}, "Points to it: ", make("strong", {}, points.join("; "))) : make("p", {}, "Nothing recorded points to it."),
    acts.length ? folded("What acts on it, for everybody", list(acts)) : null,
    silent.length ? folded("What says nothing", list(silent)) : null);
};
const mechanismSection = (page, treatments) => {
  if (!page.mechanisms.length) return null;
  const told = page.mechanisms.filter((one) => one.genetic.length || one.biomarkers.length);
  const rest = page.mechanisms.filter((one) => !told.includes(one));
  return section("Mechanisms", note("A summary of evidence, not a validated score. No marker selects a treatment, but SOD1 and tofersen."),
    told.length ? make("div", { class: "cards" }, ...told.map((one) => mechanismCard(one, treatments))) : make("p", {}, "Nothing recorded points to one of them."),
    rest.length ? folded(`Nothing recorded points to ${rest.length} others`, make("div", { class: "cards" }, ...rest.map((one) => mechanismCard(one, treatments)))) : null);
};
const variantSection = (page) => {
  if (page.variants === null) return null;
  return folded(`All variants above (likely) benign (${page.variants.length})`,
    page.variants.length ? rowsOf("Variants", ["Gene", "Variant", "Class", "Zygosity", "Evidence"], page.variants) : make("p", {}, "No sequence variant above (likely) benign; repeats stand in the genetic result."),
    note(`${page.benign} (likely) benign variants are not listed.`));
};

// The whole page; `shared` has the rules and the treatments of each mechanism.
const patientPage = (page, shared) => {
  const scores = page.closed ? null : section("Scores", page.scores.length ? make("div", { class: "cards pair" }, ...page.scores.map(scoreCard)) : make("p", {}, "No model was given."));
  return [
    make("div", { class: "onpaper", "aria-hidden": "true" }, make("div", {}, `${identity(page)} · ${shared.version} · research use only`)),
    header(page), geneticSection(page), scores, page.closed ? null : nextSection(page), protocolSection(page, shared.rules), courseSection(page),
    markerSection(page), mechanismSection(page, shared.treatments), variantSection(page),
  ].filter(Boolean);
};
