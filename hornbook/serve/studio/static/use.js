/* Translate, summarise, classify, decide: one form each, one answer of the server's API each. */

const form = document.getElementById("use");
if (form) begin();

function begin() {
  const found = document.getElementById("found"), halt = document.getElementById("halt"), button = form.querySelector("button.main");
  const fields = form.elements, names = form.dataset.names.split("|");
  let running = null;

  const lines = (field) => field.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const made = (name, text = "", more = {}) => Object.assign(document.createElement(name), { textContent: text, ...more });
  const percent = (share) => `${(100 * share).toFixed(share > .995 || share < .1 ? 1 : 0)} %`;

  async function ask(path, body, signal) {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });
    if (!answer.ok) throw new Error((await answer.json()).error.message);
    return answer;
  }

  /* A table with a bar for each probability. */
  function table(heads, rows) {
    const whole = made("table"), head = whole.createTHead().insertRow(), body = whole.createTBody(), frame = made("div", "", { className: "scroll", tabIndex: 0 });
    for (const text of heads) head.append(made("th", text, { scope: "col" }));
    for (const [text, chosen, shares, remark] of rows) {
      const row = body.insertRow();
      row.insertCell().append(text, ...(remark ? [made("br"), made("small", remark)] : []));
      row.insertCell().append(made("b", chosen));
      const cell = row.insertCell();
      for (const [name, share] of shares) {
        const line = made("div", "", { className: "share" });
        line.append(made("span", name), made("progress", "", { max: 1, value: share, ariaLabel: name }), made("span", percent(share), { className: "n" }));
        cell.append(line);
      }
    }
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", heads[1]);
    frame.append(whole);
    found.replaceChildren(frame);
  }

  const byShare = (shares) => Object.entries(shares).sort((a, b) => b[1] - a[1]).slice(0, 6);

  const uses = {
    async translate(signal) {
      const texts = lines(fields.text), body = { model: fields.model.value, input: texts, beam: Number(fields.beam.value) };
      const { data } = await (await ask("/v1/translate", body, signal)).json();
      found.replaceChildren(...data.map((one) => {
        const part = made("div", "", { className: "sample" });
        part.append(made("span", texts[one.index], { className: "soft" }), one.text);
        return part;
      }));
    },
    async classify(signal) {
      const texts = lines(fields.text), body = { model: fields.model.value, input: texts, truncate: true };
      const { data } = await (await ask("/v1/classify", body, signal)).json();
      table(names.slice(0, 3), data.map((one) => [texts[one.index], one.label, byShare(one.probabilities), one.cut ? form.dataset.cut : ""]));
    },
    async decide(signal) {
      const asked = lines(fields.questions), questions = asked.map((line) => {
        const [first, ...rest] = line.split("|").map((part) => part.trim()).filter(Boolean);
        if (!rest.length) return { type: "predicate", instructions: first };
        const end = Math.max(...["?", "？", ":", "："].map((mark) => first.lastIndexOf(mark))) + 1 || first.lastIndexOf(" ");
        return { type: "choice", instructions: first.slice(0, end).trim(), choices: [first.slice(end).trim(), ...rest].filter(Boolean).map((value) => ({ value })) };
      });
      const { answers } = await (await ask("/v1/decisions", { model: fields.model.value, input: fields.text.value, questions }, signal)).json();
      table([names[3], names[4], names[2]], answers.map((one, i) => one.type === "predicate"
        ? [questions[i].instructions, one.probability >= .5 ? form.dataset.yes : form.dataset.no, [[form.dataset.yes, one.probability], [form.dataset.no, 1 - one.probability]]]
        : [questions[i].instructions, String(one.choice), byShare(Object.fromEntries(one.probabilities.map((each) => [each.value, each.probability])))]));
    },
    async summarise(signal) {
      const messages = [{ role: "user", content: form.dataset.prompt.replace("{text}", () => fields.text.value) }], p = made("p", "", { className: "answer" });
      found.replaceChildren(p);
      const answer = await ask("/v1/chat/completions", { model: fields.model.value, messages, temperature: 0, max_tokens: Number(fields.most.value), stream: true }, signal);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ;) {
        const { value, done } = await reader.read();
        if (done) return;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        for (const event of parts.filter((part) => part.startsWith("data: {")).map((part) => JSON.parse(part.slice(6)))) {
          if (event.error) throw new Error(event.error.message);
          p.append(event.choices?.[0]?.delta?.content ?? "");
        }
      }
    },
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return;
    running = new AbortController();
    halt.hidden = false;
    button.disabled = true;
    try {
      await uses[form.dataset.use](running.signal);
    } catch (error) {
      if (error.name !== "AbortError") found.replaceChildren(Object.assign(made("p", error.message), { className: "wrong", role: "alert" }));
    } finally {
      running = null;
      halt.hidden = true;
      button.disabled = false;
    }
  });
  halt.addEventListener("click", () => running?.abort());
}
