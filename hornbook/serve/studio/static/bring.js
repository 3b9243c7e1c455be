/* Files that are chosen or dropped go to the studio in pieces; their folder joins the paths. */

const drop = document.getElementById("drop"), chosen = document.getElementById("files"), paths = document.getElementById("paths");
const coming = document.getElementById("coming"), sent = document.getElementById("sent"), form = drop.closest("form");
const most = Number(drop.dataset.most);

/* A piece that does not arrive is sent again: it changes nothing where it did. */
async function put(place, body) {
  for (let wait = 1000; ; wait *= 2) {
    try {
      return await fetch(place, { method: "PUT", body, headers: { "HX-Request": "true" } });
    } catch (error) {
      if (wait > 8000) throw new Error(document.body.dataset.lost);
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

async function send(name, file) {
  const batch = form.elements.name.value;
  let folder = "";
  for (let start = 0; start === 0 || start < file.size; start += most) {
    const place = `/new/file?${new URLSearchParams({ batch, name, start, whole: file.size })}`;
    const answer = await put(place, file.slice(start, start + most));
    if (answer.status === 401) location.reload();  // the studio began anew, and shows its door
    const said = await answer.text();
    if (!(answer.headers.get("content-type") ?? "").includes("json")) throw new Error(new DOMParser().parseFromString(said, "text/html").body.textContent.trim());
    sent.value += 1 / Math.max(1, Math.ceil(file.size / most)) / sent.dataset.files;
    folder = JSON.parse(said).folder;
  }
  return folder;
}

async function bring(files) {
  if (!files.length) return;
  sent.hidden = false; sent.value = 0; sent.dataset.files = files.length;
  const say = (number) => { coming.textContent = drop.dataset.coming.replace("#1", number).replace("#2", files.length); };
  coming.className = "soft";
  try {
    let folder = "";
    for (const [number, [name, file]] of files.entries()) { say(number); folder = await send(name, file); }
    say(files.length);
    const lines = paths.value.split("\n").map((line) => line.trim()).filter(Boolean);
    if (!lines.includes(folder)) paths.value = [...lines, folder].join("\n");
    paths.dispatchEvent(new Event("input", { bubbles: true }));
  } catch (error) {
    coming.className = "wrong"; coming.textContent = error.message;
  } finally {
    sent.hidden = true;
  }
}

/* All files of a dropped folder, with their paths in it. */
async function inside(entry, before = "") {
  if (entry.isFile) return [[before + entry.name, await new Promise((done, failed) => entry.file(done, failed))]];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    for (const each of some) if (!each.name.startsWith(".")) found.push(...await inside(each, `${before}${entry.name}/`));
  }
}

chosen.addEventListener("change", () => bring([...chosen.files].map((file) => [file.name, file])));
drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  await bring((await Promise.all(entries.map((entry) => inside(entry)))).flat());
});
