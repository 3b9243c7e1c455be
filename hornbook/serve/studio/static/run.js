/* The charts of a run: scores with what simple methods reach, and the loss of each step. */

import { Chart, follow, line, offer } from "./charts.js";

const place = document.getElementById("charts"), measure = document.getElementById("measure");
const scores = new Chart(document.getElementById("validation"), 280), losses = new Chart(document.getElementById("train"), 200);

function draw({ train, validation, floors, measure: name }, across, label) {
  place.hidden = !train?.value.length && !validation?.value.length;
  if (place.hidden) return;
  offer("passes", "passes" in train);
  measure.textContent = measure.getAttribute(`data-${name}`) ?? name;
  const x = validation[across] ?? [], [ngram, given] = place.dataset.floors.split("|"), names = { ngram, xz_given: given };
  const series = [line(measure.textContent, "--accent", { width: 2.5, points: { show: true, size: 6 } })], rows = [[x, validation.value]];
  const all = [...(train[across] ?? []), ...x], ends = [Math.min(...all), Math.max(...all)];
  for (const [floor, value] of name === "bits_per_byte" ? Object.entries(floors) : []) {
    series.push(line(`${names[floor] ?? floor} ${value.toPrecision(3)}`, "--edge", { dash: [5, 4], value: () => "" }));
    rows.push([ends, [value, value]]);
  }
  scores.element.parentNode.hidden = !x.length;
  if (x.length) scores.show(label, series, uPlot.join(rows));
  if (train.value.length) losses.show(label, [line(place.dataset.loss, "--accent")], [train[across], train.value]);
}

follow(place, [scores, losses], draw);
