/* The charts of a run: scores with what simple methods reach, and the loss of each step. */

const place = document.getElementById("charts"), across = document.getElementById("across");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let figures = null, drawn = [];

function axes() {
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  return [{ ...axis, values: (u, all) => all.map((v) => v >= 1e6 ? `${+(v / 1e6).toPrecision(3)}M` : v >= 1e4 ? `${+(v / 1e3).toPrecision(3)}k` : `${+v.toPrecision(4)}`) }, { ...axis, size: 56 }];
}

function line(label, name, more = {}) {
  return { label, stroke: colour(name), width: 1.5, points: { show: false }, value: (u, v) => (v == null ? "–" : v.toPrecision(4)), ...more };
}

function chart(element, x, series, data, height) {
  const label = across.selectedOptions[0].textContent;
  const options = {
    width: element.clientWidth, height, axes: axes(), scales: { x: { time: false } }, cursor: { drag: { x: true, y: false } },
    series: [{ label, value: (u, v) => (v == null ? "–" : v.toLocaleString()) }, ...series],
  };
  drawn.push(new uPlot(options, data, element));
}

function draw() {
  drawn.forEach((each) => each.destroy());
  drawn = [];
  if (!figures?.train?.value.length && !figures?.validation?.value.length) { place.hidden = true; return; }
  place.hidden = false;
  const measure = document.getElementById("measure"), { train, validation, floors } = figures;
  measure.textContent = measure.getAttribute(`data-${figures.measure}`) ?? figures.measure;
  const x = validation[across.value], ends = [x.at(0) ?? 0, x.at(-1) ?? 1];
  const [ngram, given] = place.dataset.floors.split("|"), names = { ngram, xz_given: given };
  const simple = figures.measure === "bits_per_byte" ? Object.entries(floors) : [];
  const series = [line(measure.textContent, "--accent", { width: 2.5, points: { show: true, size: 6 } })];
  const rows = [validation.value];
  for (const [name, value] of simple) {
    series.push(line(`${names[name] ?? name} ${value.toPrecision(3)}`, "--edge", { dash: [5, 4], value: () => "" }));
    rows.push(x.map(() => value));
  }
  document.getElementById("validation").parentNode.hidden = !x.length;
  if (x.length) chart(document.getElementById("validation"), x, series, [x, ...rows], 280);
  if (train.value.length) chart(document.getElementById("train"), train[across.value], [line(place.dataset.loss, "--accent")], [train[across.value], train.value], 200);
}

async function load() {
  const answer = await fetch(place.dataset.figures);
  if (!answer.ok) return;
  figures = await answer.json();
  draw();
}

let waiting = null;
document.addEventListener("live", () => { waiting ??= setTimeout(() => { waiting = null; load(); }, 200); });
across.addEventListener("change", draw);
new ResizeObserver(() => drawn.forEach((each) => each.setSize({ width: each.root.parentNode.clientWidth, height: each.height }))).observe(place);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
load();
