/* Several runs in one chart. */

import { Chart, follow, line, offer } from "./charts.js";

const place = document.getElementById("together");
if (place) begin();

function begin() {
  const shown = document.getElementById("shown"), measure = document.getElementById("measure"), missing = document.getElementById("missing");
  const chart = new Chart(place.querySelector(".chart"), 340);

  function draw(runs, across, label) {
    offer("passes", runs.every((run) => "passes" in run.train));
    const name = runs.find((run) => run.measure)?.measure, train = shown.value === "train";
    const able = runs.filter((run) => run[shown.value].value.length && (train || run.measure === name)), others = runs.filter((run) => !able.includes(run));
    measure.textContent = train ? "" : measure.getAttribute(`data-${name}`) ?? "";
    missing.textContent = others.length ? missing.dataset.said.replace("#1", others.map((run) => run.id).join(", ")) : "";
    if (!able.length) { chart.clear(); return; }
    const colours = runs.map((_, i) => `--line${i}`);
    const series = able.map((run) => line(run.id, colours[runs.indexOf(run)], { width: 2, points: { show: !train, size: 5 } }));
    chart.show(label, series, uPlot.join(able.map((run) => [run[shown.value][across], run[shown.value].value])));
  }

  shown.addEventListener("change", follow(place, [chart], draw));
}
