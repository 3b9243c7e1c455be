/* Charts of runs: one for all pages, drawn anew only where its lines are others. */

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axes() {
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  return [{ ...axis, values: (u, all) => all.map((v) => v >= 1e6 ? `${+(v / 1e6).toPrecision(3)}M` : v >= 1e4 ? `${+(v / 1e3).toPrecision(3)}k` : `${+v.toPrecision(4)}`) }, { ...axis, size: 56 }];
}

/* A line of a chart. name: of its colour. */
export function line(label, name, more = {}) {
  return { label, stroke: colour(name), width: 1.5, spanGaps: true, points: { show: false }, value: (u, v) => (v == null ? "–" : v.toPrecision(4)), ...more };
}

/* One chart in an element. New points move in without a new drawing of all, and what was zoomed into
   stays where it is. */
export class Chart {
  constructor(element, height) { this.element = element; this.height = height; this.plot = null; this.lines = ""; }

  show(label, series, data) {
    const lines = JSON.stringify([label, series.map((one) => [one.label, one.stroke, one.dash])]);
    if (this.plot && lines === this.lines) {
      const { min, max } = this.plot.scales.x, x = this.plot.data[0];
      this.plot.setData(data, min <= x[0] && max >= x.at(-1));
      return;
    }
    this.clear();
    this.lines = lines;
    this.plot = new uPlot({
      width: this.element.clientWidth, height: this.height, axes: axes(), scales: { x: { time: false } }, cursor: { drag: { x: true, y: false } },
      series: [{ label, value: (u, v) => (v == null ? "–" : v.toLocaleString()) }, ...series],
    }, data, this.element);
  }

  clear() { this.plot?.destroy(); this.plot = null; }

  fit() { if (this.plot && this.plot.width !== this.element.clientWidth) this.plot.setSize({ width: this.element.clientWidth, height: this.height }); }
}

/* What a page of charts does: load its figures, again when something changed, and draw. */
export function follow(place, charts, draw) {
  const across = document.getElementById("across");
  let figures = null, waiting = null;
  const drawn = () => { if (figures) draw(figures, across.value, across.selectedOptions[0].textContent); };
  async function load() {
    const answer = await fetch(place.dataset.figures).catch(() => null);  // the page says that nobody answers
    if (!answer?.ok) return;
    figures = await answer.json();
    drawn();
  }
  document.addEventListener("live", () => { waiting ??= setTimeout(() => { waiting = null; load(); }, 200); });
  across.addEventListener("change", drawn);
  new ResizeObserver(() => charts.forEach((each) => each.fit())).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { charts.forEach((each) => each.clear()); drawn(); });
  load();
  return drawn;
}

/* Leave out of the choice what no run has. */
export function offer(name, there) {
  const across = document.getElementById("across"), option = across.querySelector(`[value=${name}]`);
  option.hidden = option.disabled = !there;
  if (!there && across.value === name) across.value = "step";
}
