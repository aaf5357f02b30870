// Small things that the page is made of. Whatever comes from elsewhere, names above all, becomes text and nothing else.

/** An element with attributes and children; texts become text nodes. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function put(parent, children) {
  parent.replaceChildren(...children);
}

export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86400)}d${two(Math.floor((whole % 86400) / 3600))}h`;
}

export function octets(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = count;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${size} B` : `${size.toFixed(1)} ${units[unit]}`;
}

/** The table of sessions: a row for each, changed in place. `choose(number)` is called when one is clicked. */
export class Sessions {
  constructor(body, choose) {
    this.body = body;
    this.choose = choose;
    this.rows = new Map(); // number -> {session, row, cells}
    this.wanted = "";
    this.chosen = null;
  }

  get size() {
    return this.rows.size;
  }

  get(number) {
    return this.rows.get(number)?.session;
  }

  clear() {
    this.rows.clear();
    put(this.body, []);
  }

  remove(number) {
    this.rows.get(number)?.row.remove();
    this.rows.delete(number);
  }

  show(session) {
    const shown = this.rows.get(session.number) ?? this.#add(session.number);
    shown.session = session;
    const { name, state, peer, address, traffic } = shown.cells;
    name.textContent = session.name;
    state.textContent = session.state;
    state.className = session.state === "SM_MATURE" ? "state mature" : "state";
    const who = session.peer || "not known yet";
    put(peer, [element("bdi", {}, who), element("small", {}, session.at)]);
    peer.title = `${who}\n${session.suite}\n${session.children.map((one) => `${one.name} ${one.state}: ${one.local} === ${one.remote}`).join("\n")}`;
    address.textContent = session.addresses.join(" ");
    const [received, sent] = session.octets.map(octets);
    put(traffic, [received, element("small", {}, sent)]);
    traffic.title = `received ${received}, sent ${sent}`;
    shown.text = [session.name, session.state, session.peer, session.at, ...session.addresses].join(" ").toLowerCase();
    shown.row.hidden = !shown.text.includes(this.wanted);
    this.#age(shown);
  }

  #add(number) {
    const name = element("button", { type: "button" });
    const state = element("span", { class: "state" });
    const cells = { name, state, peer: element("td", { class: "peer" }), address: element("td") };
    for (const each of ["up", "traffic"]) cells[each] = element("td", { class: "number" });
    const row = element(
      "tr",
      { "data-number": number, "aria-selected": String(number === this.chosen) },
      element("td", {}, name, state),
      ...["peer", "address", "up", "traffic"].map((each) => cells[each]),
    );
    row.addEventListener("click", () => this.choose(number));
    this.body.prepend(row);
    const shown = { row, cells, text: "" };
    this.rows.set(number, shown);
    return shown;
  }

  filter(text) {
    this.wanted = text.trim().toLowerCase();
    for (const shown of this.rows.values()) shown.row.hidden = !shown.text.includes(this.wanted);
  }

  mark(number) {
    this.rows.get(this.chosen)?.row.setAttribute("aria-selected", "false");
    this.chosen = number;
    this.rows.get(number)?.row.setAttribute("aria-selected", "true");
  }

  /** Time went on. */
  age() {
    for (const shown of this.rows.values()) this.#age(shown);
  }

  #age({ session, cells }) {
    const text = session.since === null ? "" : duration(Date.now() / 1000 - session.since);
    if (cells.up.textContent !== text) cells.up.textContent = text;
  }
}
