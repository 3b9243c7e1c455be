/* What all pages do: look again when something changed, sort tables, keep what is being written. */

/* An element with data-live is told `live` upon each event of that stream, and with it all that
   waits for it. A page that nobody sees listens to nothing, as browsers have few connections; nor
   does an element that is gone. */
const listened = new Map(), { version, lost, newer } = document.body.dataset;
const AGAIN = 5000;

/* What a page says of the studio itself, at its top. */
function notice(text) {
  let shown = document.getElementById("notice");
  if (!text) { shown?.remove(); return; }
  if (!shown) {
    shown = Object.assign(document.createElement("p"), { id: "notice", className: "notice" });
    shown.setAttribute("role", "alert");
    document.getElementById("main").prepend(shown);
  }
  if (shown.textContent !== text) shown.textContent = text;
}

function listen(element) {
  const address = element.dataset.live;
  if (listened.get(element) === address) return;
  listened.set(element, address);
  let stream = null, silent = null;
  const shut = () => { stream?.close(); stream = null; clearTimeout(silent); silent = null; };
  const tell = () => {
    for (const each of document.querySelectorAll('[data-hx-trigger="live"]')) each.dispatchEvent(new Event("live"));
    document.dispatchEvent(new Event("live"));
  };
  const open = () => {
    const gone = !element.isConnected || element.dataset.live !== address;
    if (gone) listened.delete(element);
    if (document.hidden || gone) { shut(); return; }
    if (stream) return;
    stream = new EventSource(address);
    stream.addEventListener("open", () => { clearTimeout(silent); silent = null; notice(""); });
    stream.addEventListener("changed", (event) => { if (JSON.parse(event.data).version !== version) notice(newer); tell(); });
    stream.addEventListener("error", () => {  // streams end by themselves as well, and are opened again at once
      const over = stream.readyState === EventSource.CLOSED;
      silent ??= setTimeout(() => notice(lost), AGAIN + 1000);
      if (over) { stream.close(); stream = null; setTimeout(open, AGAIN); tell(); }
    });
  };
  document.addEventListener("visibilitychange", open);
  document.addEventListener("htmx:after:swap", open);
  addEventListener("pagehide", shut);
  open();
}

/* Where a table is sorted by, so that it stays so when its rows come anew. */
let sortedBy = null;

function sorted(button, again = false) {
  const table = button.closest("table"), head = button.closest("th");
  const place = [...head.parentNode.children].indexOf(head), number = button.dataset.sort === "number";
  const up = again ? sortedBy.up : button.getAttribute("aria-pressed") === "true" && button.dataset.up !== "yes";
  sortedBy = { place, up };
  const value = (row) => {
    const cell = row.children[place], text = cell.dataset.value ?? cell.textContent.trim();
    return number ? (text === "" ? -Infinity : Number(text)) : text;
  };
  const rows = [...table.tBodies[0].rows];
  const order = number ? (a, b) => value(b) - value(a) || 0 : (a, b) => value(a).localeCompare(value(b));
  rows.sort(up ? (a, b) => order(b, a) : order);
  table.tBodies[0].append(...rows);
  for (const each of table.querySelectorAll("th button")) { each.setAttribute("aria-pressed", "false"); delete each.dataset.up; }
  button.setAttribute("aria-pressed", "true");
  if (up) button.dataset.up = "yes";
}

/* What is written into a form stays where it is when the page is loaded anew; what comes into it
   later, too. A form that was refused has its fields from the server. */
const refused = document.querySelector("main > .wrong") !== null;

const fields = (form) => [...form.elements].filter((e) => e.name && e.type !== "hidden" && e.type !== "file");

function restore(form) {
  if (refused) return;
  const asked = new URLSearchParams(location.search);
  try {
    const kept = JSON.parse(sessionStorage.getItem(`studio ${form.dataset.keep}`) ?? "{}");
    for (const field of fields(form).filter((each) => !asked.has(each.name))) {
      if (field.type === "checkbox") { field.checked = kept[field.name] ?? field.checked; continue; }
      const offered = field.tagName !== "SELECT" || [...field.options].some((one) => one.value === kept[field.name]);
      if (field.name in kept && offered && !("given" in field.dataset)) field.value = kept[field.name];
    }
  } catch { /* nothing was kept */ }
}

function keep(form) {
  const name = `studio ${form.dataset.keep}`;
  restore(form);
  form.addEventListener("input", () => {
    const kept = JSON.parse(sessionStorage.getItem(name) ?? "{}");
    sessionStorage.setItem(name, JSON.stringify({ ...kept, ...Object.fromEntries(fields(form).map((e) => [e.name, e.type === "checkbox" ? e.checked : e.value])) }));
  });
  form.addEventListener("submit", () => sessionStorage.removeItem(name));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("th button[data-sort]");
  if (button) sorted(button);
});
document.addEventListener("htmx:after:swap", () => {
  const button = sortedBy && document.querySelectorAll("th button[data-sort]")[sortedBy.place];
  if (button) sorted(button, true);
  document.querySelectorAll("[data-live]").forEach(listen);
  document.querySelectorAll("form[data-keep]").forEach(restore);
  const named = document.querySelector("[data-named]");
  if (named) {  // so that the page is found as it is when it is loaded anew
    const address = new URL(location);
    address.searchParams.set("name", named.dataset.named);
    history.replaceState(null, "", address);
  }
});
document.querySelectorAll("[data-live]").forEach(listen);
document.querySelectorAll("form[data-keep]").forEach(keep);
