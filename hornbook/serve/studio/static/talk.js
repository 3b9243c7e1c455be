/* Talk: answers as they are written, each token coloured by its probability, alternatives at hand. */

const form = document.getElementById("talk");
if (form) begin();

function begin() {
  const said = document.getElementById("said"), instead = document.getElementById("instead"), halt = document.getElementById("halt");
  const message = form.elements.message, key = "studio talk";
  let columns = [], running = null;

  /* Of what was said: a list of turns for each model that is asked. */
  let kept = { models: [], mode: "chat", turns: [] };
  try { kept = JSON.parse(sessionStorage.getItem(key)) ?? kept; } catch { /* begin anew */ }
  const save = () => sessionStorage.setItem(key, JSON.stringify(kept));

  const models = () => [form.elements.model.value, form.elements.second?.value].filter(Boolean);
  const paragraph = (name, parent, text = "") => { const p = document.createElement("p"); p.className = name; p.textContent = text; parent.append(p); return p; };

  function draw() {
    said.replaceChildren();
    said.classList.toggle("two", kept.models.length > 1);
    columns = kept.models.map((name, i) => {
      const column = document.createElement("div");
      said.append(column);
      if (kept.models.length > 1) paragraph("soft", column, name);
      for (const turn of kept.turns[i]) {
        const p = paragraph(`turn ${turn.role}`, column, turn.role === "user" ? turn.content : "");
        if (turn.role === "assistant") for (const token of turn.tokens) p.append(shown(token));
        if (turn.role === "assistant") reachable(p, i);
      }
      return column;
    });
  }

  function shown(token) {
    const span = document.createElement("span"), p = Math.exp(token.logprob);
    span.className = `token sure${p >= .9 ? 4 : p >= .6 ? 3 : p >= .3 ? 2 : p >= .1 ? 1 : 0}`;
    span.textContent = token.text;
    span.token = token;
    return span;
  }

  const percent = (logprob) => `${(100 * Math.exp(logprob)).toFixed(Math.exp(logprob) < .1 ? 1 : 0)} %`;

  function choose(span, place) {
    said.querySelectorAll(".token.chosen").forEach((each) => each.classList.remove("chosen"));
    span.classList.add("chosen");
    instead.replaceChildren();
    const { token } = span, visible = (text) => text.replaceAll("\n", "↵") || "␣";
    paragraph("soft", instead, form.dataset.instead.replace("#1", visible(token.text)));
    const list = document.createElement("ul");
    list.className = "instead";
    for (const other of token.top) {
      const item = document.createElement("li"), name = document.createElement(kept.mode === "text" ? "button" : "code");
      name.textContent = visible(other.text);
      if (kept.mode === "text") {
        name.type = "button";
        name.setAttribute("aria-label", form.dataset.from.replace("#1", other.text));
        name.addEventListener("click", () => from(span, other, place));
      }
      item.append(name, ` ${percent(other.logprob)}`);
      list.append(item);
    }
    instead.append(list);
  }

  /* A text is one stop for the keyboard, within which arrows go from token to token. */
  function reachable(p, place) {
    p.tabIndex = 0;
    p.addEventListener("click", (event) => { if (event.target.token) choose(event.target, place); });
    p.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], all = [...p.querySelectorAll(".token")];
      if (!step || !all.length) return;
      event.preventDefault();
      const now = all.findIndex((each) => each.classList.contains("chosen"));
      choose(all[Math.max(0, Math.min(all.length - 1, now + step))], place);
    });
  }

  /* Cut a text before a token, put another one there, and let it be gone on with. */
  function from(span, other, place) {
    const turn = kept.turns[place].at(-1), tokens = [...span.parentNode.querySelectorAll(".token")];
    turn.tokens = [...turn.tokens.slice(0, tokens.indexOf(span)), { ...span.token, text: other.text, logprob: other.logprob }];
    instead.replaceChildren();
    draw();
    go([place]);
  }

  function body(place) {
    const turns = kept.turns[place], common = { model: kept.models[place], stream: true, max_tokens: Number(form.elements.most.value) };
    for (const name of ["temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed"]) {
      const { value } = form.elements[name];
      if (value !== "") common[name] = Number(value);
    }
    const text = (turn) => turn.content ?? turn.tokens.map((token) => token.text).join("");
    if (kept.mode === "text") return ["/v1/completions", { ...common, prompt: turns.map(text).join(""), logprobs: 5 }];
    const messages = turns.filter((turn) => turn.role === "user" || turn.tokens.length).map((turn) => ({ role: turn.role, content: text(turn) }));
    return ["/v1/chat/completions", { ...common, messages, logprobs: true, top_logprobs: 5 }];
  }

  /* Tokens of an event, whichever form it has. Several may make one character. */
  function tokens(choice, decoder) {
    const of = choice.logprobs;
    if (!of) return [];
    if (of.content) return of.content.map((one) => ({ text: decoder.decode(Uint8Array.from(one.bytes), { stream: true }), logprob: one.logprob, top: one.top_logprobs.map((other) => ({ text: other.token, logprob: other.logprob })) }));
    const whole = of.tokens.join("") === choice.text;
    return of.tokens.map((token, i) => ({ text: whole ? token : i ? "" : choice.text, logprob: of.token_logprobs[i], top: Object.entries(of.top_logprobs[i] ?? {}).map(([other, logprob]) => ({ text: other, logprob })).sort((a, b) => b.logprob - a.logprob) }));
  }

  async function answer(place, signal) {
    const turns = kept.turns[place];
    if (turns.at(-1).role === "user") { turns.push({ role: "assistant", tokens: [] }); reachable(paragraph("turn assistant", columns[place]), place); }
    const p = columns[place].lastElementChild, turn = turns.at(-1), decoder = new TextDecoder();
    const [path, values] = body(place);
    const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values), signal });
    if (!response.ok) throw new Error((await response.json()).error.message);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        if (!part.startsWith("data: {")) continue;
        const event = JSON.parse(part.slice(6));
        if (event.error) throw new Error(event.error.message);
        for (const token of event.choices?.[0] ? tokens(event.choices[0], decoder) : []) { turn.tokens.push(token); p.append(shown(token)); }
      }
    }
  }

  async function go(places) {
    running = new AbortController();
    halt.hidden = false;
    form.querySelector("button.main").disabled = true;
    for (const place of places) {
      try { await answer(place, running.signal); } catch (error) {
        if (error.name === "AbortError") break;
        paragraph("wrong", columns[place], error.message).setAttribute("role", "alert");
        if (!kept.turns[place].at(-1).tokens?.length) kept.turns[place].pop();
      }
    }
    running = null;
    halt.hidden = true;
    form.querySelector("button.main").disabled = false;
    save();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (running) return;
    const asked = models(), mode = form.elements.mode.value;
    if (mode === "text" || mode !== kept.mode || asked.join("\n") !== kept.models.join("\n")) kept = { models: asked, mode, turns: asked.map(() => []) };
    for (const turns of kept.turns) {
      if (turns.at(-1)?.role === "user") turns.pop();
      turns.push({ role: "user", content: message.value });
    }
    instead.replaceChildren();
    draw();
    if (mode === "chat") message.value = "";
    go(asked.map((_, i) => i));
  });
  message.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });
  halt.addEventListener("click", () => running?.abort());
  document.getElementById("forget").addEventListener("click", () => { running?.abort(); kept = { models: [], mode: "chat", turns: [] }; instead.replaceChildren(); save(); draw(); message.focus(); });
  if (kept.models.length) { form.elements.mode.value = kept.mode; draw(); }
}
