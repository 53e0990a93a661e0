// The box that adds an instrument: a combobox by the book (arrows, Enter, Escape), answered by the relay.

import { find, make, mark, show } from "./dom.js";

const PAUSE = 120;

export class Search {
  /** @param ask (text) => sends the question; @param pick ({token, symbol}) => the person chose it. */
  constructor(ask, pick) {
    Object.assign(this, { ask, pick, box: find("search"), list: find("found"), hits: [], at: -1 });
    this.box.addEventListener("input", () => this.typed());
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("blur", () => setTimeout(() => this.close(), 150));
  }

  typed() {
    clearTimeout(this.timer);
    const text = this.box.value.trim();
    if (!text) this.close();
    else this.timer = setTimeout(() => this.ask(text), PAUSE);
  }

  /** The relay's answer; one that is older than what is typed counts for nothing. */
  found({ query, instruments }) {
    if (query !== this.box.value.trim() || document.activeElement !== this.box) return;
    this.hits = instruments;
    this.at = instruments.length ? 0 : -1;
    this.draw();
  }

  draw() {
    const none = make("li", { class: "note", role: "option", "aria-disabled": "true", "aria-selected": "false" }, "Nothing by that name.");
    const lines = this.hits.map((one, i) => {
      const line = make("li", { id: `found-${i}`, role: "option", "aria-selected": String(i === this.at) },
        make("span", { class: "symbol" }, one.symbol),
        make("span", { class: "note" }, [one.exchange, one.name].filter(Boolean).join(" · ")));
      line.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.choose(i);
      });
      return line;
    });
    this.list.replaceChildren(...(lines.length ? lines : [none]));
    show(this.list, true);
    mark(this.box, "aria-expanded", "true");
    this.point();
  }

  point() {
    [...this.list.children].forEach((line, i) => line.id && mark(line, "aria-selected", String(i === this.at)));
    if (this.at >= 0) mark(this.box, "aria-activedescendant", `found-${this.at}`);
    else this.box.removeAttribute("aria-activedescendant");
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.hits.length) this.at = (this.at + step + this.hits.length) % this.hits.length;
    else if (event.key === "Enter" && this.at >= 0) this.choose(this.at);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    if (step) this.point();
  }

  choose(i) {
    this.pick(this.hits[i]);
    this.box.value = "";
    this.close();
  }

  close() {
    this.hits = [];
    this.at = -1;
    show(this.list, false);
    mark(this.box, "aria-expanded", "false");
    this.box.removeAttribute("aria-activedescendant");
  }
}
