// The drawings of the state machines: how many are in each state, and the path of one session.

const SVG = "http://www.w3.org/2000/svg";
const CLOSEST = 0.4; // of a drawing is shown at least, however short a path is
const ENDS = new Set(["SM_DEAD", "SA_DEAD", "FINISHED", "ERROR"]);

/** The drawing of one machine, as graphviz made it. */
export class Drawing {
  constructor(svg) {
    this.svg = svg;
    this.nodes = new Map(); // state -> its group
    this.boxes = new Map(); // "in_0" -> {group, states}: what many states have alike is drawn from such a box
    this.edges = [];
    this.whole = { width: svg.viewBox.baseVal.width, height: svg.viewBox.baseVal.height };
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    for (const group of svg.querySelectorAll("g.node")) this.#readNode(group);
    for (const group of svg.querySelectorAll("g.edge")) this.#readEdge(group);
    for (const title of svg.querySelectorAll("title")) title.remove(); // browsers show them as tooltips
  }

  static async load(name) {
    const answer = await fetch(`machines/${name}.svg`);
    const read = new DOMParser().parseFromString(await answer.text(), "image/svg+xml");
    return new Drawing(document.importNode(read.documentElement, true));
  }

  #readNode(group) {
    const name = group.querySelector("title").textContent;
    const texts = [...group.querySelectorAll("text")];
    if (group.querySelector("ellipse") === null) {
      group.classList.add("box");
      this.boxes.set(name, { group, states: new Set(texts.map((text) => text.textContent.trim())) });
    } else {
      group.classList.toggle("end", ENDS.has(name));
      this.nodes.set(name, group);
    }
  }

  #readEdge(group) {
    const [from, to] = group.querySelector("title").textContent.split("->");
    const causes = new Map(); // input -> its text
    for (const text of group.querySelectorAll("text")) {
      if (text.getAttribute("font-size") === "8.00") text.classList.add("row");
      else causes.set(text.textContent.trim(), text);
    }
    this.edges.push({ group, from, to, causes });
  }

  /** Show `counts`, an object {state: how many}. */
  count(counts) {
    for (const [state, group] of this.nodes) {
      const number = counts[state] ?? 0;
      group.classList.toggle("busy", number > 0);
      this.#badge(group, number);
    }
  }

  #badge(group, number) {
    let badge = group.querySelector(".badge");
    if (number === 0) {
      badge?.remove();
      return;
    }
    if (badge === null) {
      const ellipse = group.querySelector("ellipse").getBBox();
      badge = document.createElementNS(SVG, "g");
      badge.setAttribute("class", "badge");
      badge.setAttribute("transform", `translate(${ellipse.x + ellipse.width - 4} ${ellipse.y + 3})`);
      badge.append(document.createElementNS(SVG, "rect"), document.createElementNS(SVG, "text"));
      group.append(badge);
    }
    const [rect, text] = badge.children;
    const label = number.toLocaleString("en");
    if (text.textContent === label) return;
    text.textContent = label;
    text.setAttribute("y", "5");
    const width = 13 + 9 * label.length;
    for (const [name, value] of Object.entries({ x: -width / 2, y: -11, width, height: 22, rx: 11 })) {
      rect.setAttribute(name, value);
    }
  }

  /** Light the transitions of a path, [state before, input, state after] each, and `here`, the state that it is in now. */
  light(path, here) {
    for (const group of this.svg.querySelectorAll(".lit, .here")) group.classList.remove("lit", "here");
    for (const [before, cause, after] of path) {
      this.nodes.get(before)?.classList.add("lit");
      this.nodes.get(after)?.classList.add("lit");
      for (const edge of this.edges) {
        const box = this.boxes.get(edge.from);
        const fits = edge.to === after && edge.causes.has(cause) && (edge.from === before || box?.states.has(before));
        if (!fits) continue;
        edge.group.classList.add("lit");
        edge.causes.get(cause).classList.add("lit");
        box?.group.classList.add("lit");
      }
    }
    if (here) this.nodes.get(here)?.classList.add("lit", "here");
    this.#look([...this.svg.querySelectorAll(".lit")].filter((group) => group instanceof SVGGElement));
  }

  /** Look closer at these groups, with something of what is around them; at all of it, if there are none. */
  #look(groups) {
    const graph = this.svg.querySelector("g.graph");
    const { e: left, f: top } = graph.transform.baseVal.consolidate().matrix;
    const whole = this.whole;
    const sides = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
    for (const group of groups) {
      const box = group.getBBox();
      sides.left = Math.min(sides.left, box.x + left);
      sides.top = Math.min(sides.top, box.y + top);
      sides.right = Math.max(sides.right, box.x + left + box.width);
      sides.bottom = Math.max(sides.bottom, box.y + top + box.height);
    }
    const around = (low, high, all) => {
      const size = Math.min(all, Math.max(high - low + 60, all * CLOSEST));
      return [Math.max(0, Math.min(all - size, (low + high - size) / 2)), size];
    };
    const [x, width] = groups.length > 0 ? around(sides.left, sides.right, whole.width) : [0, whole.width];
    const [y, height] = groups.length > 0 ? around(sides.top, sides.bottom, whole.height) : [0, whole.height];
    this.svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
  }
}
