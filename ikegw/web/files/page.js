// The status page: listens to /events, and shows what it is told. Nothing here can change anything in the gateway.

import { Drawing } from "./drawing.js";
import { Sessions, duration, element, put } from "./tables.js";

const MACHINES = { initiator: "Initiator", responder: "Responder", mature: "Established", child: "CHILD SA", lease: "Lease" };

const find = (id) => document.getElementById(id);
const sessions = new Sessions(find("rows"), (number) => choose(number));
const drawings = {};
const told = { machines: {} }; // what the gateway said last, by part
let machine = "mature"; // which drawing is shown
let selected = null; // the number of the IKE SA whose path is lit
let story = null;

// ---------------------------------------------------------------- what is told

const parts = {
  gateway(gateway) {
    find("host").textContent = gateway.host;
    document.title = `ikegw ${gateway.host}`;
    about();
  },
  totals(totals) {
    const tile = (number, text, bad = false) =>
      element("li", bad ? { class: "bad" } : {}, element("b", {}, number.toLocaleString("en")), element("span", {}, text));
    put(find("totals"), [
      tile(totals.up, "established"),
      tile(totals.half_open, "half open"),
      tile(totals.children, "CHILD SAs"),
      tile(totals.logins, "logins since the start"),
      tile(totals.failed, "logins failed", totals.failed > 0),
    ]);
    find("not-shown").hidden = totals.not_shown === 0;
    find("not-shown").textContent = `${totals.not_shown.toLocaleString("en")} more are not shown.`;
  },
  machines() {
    drawTabs();
    drawings[machine]?.count(told.machines[machine] ?? {});
  },
  pools(pools) {
    find("no-pools").hidden = pools.length > 0;
    put(find("lent"), pools.map(pool));
  },
  servers(servers) {
    find("no-servers").hidden = servers.length > 0;
    put(find("asked"), servers.map(server));
  },
  failures(failures) {
    find("no-failures").hidden = failures.length > 0;
    put(find("failed"), failures.map(failure));
  },
};

function pool({ pool: name, family, size, lent }) {
  const share = size === 0 ? 0 : lent / size;
  const used = share > 0 && share < 0.01 ? "under 1 %" : `${Math.round(100 * share)} %`;
  return element(
    "li",
    {},
    element("b", {}, `${name} `, element("span", {}, `IPv${family}`)),
    element("span", {}, `${lent.toLocaleString("en")} of ${size.toLocaleString("en")} lent, ${used}`),
    element("meter", { min: 0, max: 1, low: 0.8, high: 0.95, optimum: 0, value: share, "aria-label": `${name} ${used}` }),
  );
}

function server({ name, kind, good, notes }) {
  return element(
    "li",
    {},
    element("b", { class: good ? "good" : "dead" }, `${name} `, element("span", {}, kind)),
    element("span", {}, notes.filter(Boolean).join(", ")),
  );
}

function failure({ number, name, who, at, when, cause }) {
  const time = new Date(1000 * when).toLocaleTimeString("en-GB");
  const item = element(
    "li",
    { "data-number": number },
    element("button", { type: "button" }, element("bdi", {}, who || name)),
    element("small", {}, ` ${at} at ${time}`),
    element("p", { title: cause }, cause),
  );
  item.addEventListener("click", () => choose(number));
  return item;
}

function about() {
  const { version, since, data_plane: plane, listening } = told.gateway;
  const up = duration(Date.now() / 1000 - since);
  find("about").textContent = `${version}, up ${up}; ${plane}`;
  find("about").title = `listening on ${listening.join(", ")}`;
}

function take(message, whole) {
  if (whole && told.gateway && told.gateway.since !== message.gateway.since) {
    location.reload(); // it was started anew, and may be another version with other drawings; numbers begin at 1 again
    return;
  }
  if (whole) sessions.clear();
  for (const number of message.gone ?? []) sessions.remove(number);
  for (const session of message.sessions ?? []) sessions.show(session);
  find("no-sessions").hidden = sessions.size > 0;
  for (const [name, show] of Object.entries(parts)) {
    if (name in message) {
      told[name] = message[name];
      show(message[name]);
    }
  }
  const changed = [...(message.sessions ?? []).map((session) => session.number), ...(message.gone ?? [])];
  if (selected !== null && (whole || changed.includes(selected))) tellStory();
}

// ---------------------------------------------------------------- the machines

function drawTabs() {
  const lit = new Set([...(story?.path ?? []).map(([of]) => of), sessions.get(selected)?.machine]);
  const tabs = Object.entries(MACHINES).map(([name, title]) => {
    const count = Object.entries(told.machines[name] ?? {}).reduce((sum, [, number]) => sum + number, 0);
    const tab = element(
      "button",
      { type: "button", role: "tab", "data-machine": name, "aria-selected": String(name === machine), class: lit.has(name) && "lit" },
      title,
    );
    if (count > 0) tab.append(element("span", { class: "count" }, count.toLocaleString("en")));
    tab.addEventListener("click", () => draw(name));
    return tab;
  });
  const focused = document.activeElement?.dataset?.machine;
  put(find("tabs"), tabs);
  if (focused) tabs.find((tab) => tab.dataset.machine === focused)?.focus();
}

async function draw(name) {
  machine = name;
  drawTabs();
  drawings[name] ??= await Drawing.load(name);
  if (machine !== name) return; // another was chosen while this one was fetched
  put(find("drawing"), [drawings[name].svg]);
  drawings[name].count(told.machines[name] ?? {});
  light();
}

function light() {
  const path = (story?.path ?? []).filter(([of]) => of === machine).map(([, ...transition]) => transition);
  const session = sessions.get(selected);
  const here = session?.machine === machine ? session.state : path.at(-1)?.at(-1);
  find("drawing").classList.toggle("pathed", path.length > 0 || session?.machine === machine);
  drawings[machine]?.light(path, selected === null ? undefined : here);
  find("legend").textContent =
    selected === null
      ? "A number is how many are in that state now. Choose a session, or a login that failed, to see its path."
      : `The path of ${story?.name ?? "the session"} through this machine; where it is, or ended, is filled.`;
}

// ---------------------------------------------------------------- one session

async function choose(number) {
  selected = number === selected ? null : number;
  story = null;
  sessions.mark(selected);
  find("story").hidden = selected === null;
  if (selected === null) {
    drawTabs();
    light();
    return;
  }
  await tellStory();
  await draw(sessions.get(selected)?.machine ?? story?.path.at(-1)?.[0] ?? machine);
}

async function tellStory() {
  const number = selected;
  const answer = await fetch(`stories/${number}`);
  if (number !== selected) return;
  story = answer.ok ? await answer.json() : null;
  find("story-head").replaceChildren(
    story?.name ?? "",
    element("small", {}, " ", element("bdi", {}, story?.who.join(", ") ?? ""), ` ${story?.outcome ?? "its story is no longer kept"}`),
  );
  find("story-cause").hidden = !story?.cause;
  find("story-cause").textContent = [story?.cause, story?.advice].filter(Boolean).join("\n");
  const step = ({ after, text }) =>
    element("li", { class: text.includes("→") ? "" : "between" }, element("time", {}, `+${after.toFixed(3)} s`), element("span", {}, text));
  put(find("steps"), (story?.steps ?? []).map(step));
  drawTabs();
  light();
}

// ---------------------------------------------------------------- beginning

function listen() {
  const events = new EventSource("events");
  const live = (state, text) => {
    find("live").dataset.live = state;
    find("live").textContent = text;
  };
  events.addEventListener("open", () => live("yes", "live"));
  events.addEventListener("all", (event) => take(JSON.parse(event.data), true));
  events.addEventListener("change", (event) => take(JSON.parse(event.data), false));
  events.addEventListener("error", () => {
    live("lost", "the gateway does not answer");
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000); // it was refused, and would not try again by itself
    if (events.readyState === EventSource.CLOSED) events.close();
  });
}

find("filter").addEventListener("input", (event) => sessions.filter(event.target.value));
find("enlarge").addEventListener("click", () => {
  const large = document.querySelector("main").classList.toggle("enlarged");
  find("enlarge").textContent = large ? "smaller" : "larger";
  find("enlarge").setAttribute("aria-pressed", String(large));
});
find("unselect").addEventListener("click", () => choose(selected));
setInterval(() => {
  sessions.age();
  if (told.gateway) about();
}, 1000);
await draw(machine);
listen();
