"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const at = (id) => document.getElementById(id);

  // A link to a batch opens what it points at, and what lies round it.
  const reveal = () => {
    const target = at(location.hash.slice(1));
    if (!target || target.tagName === "I") return;
    for (let box = target; box; box = box.parentElement) {
      if (box.tagName === "DETAILS") box.open = true;
    }
    target.scrollIntoView({ block: "start" });
    const summary = target.tagName === "DETAILS" && target.querySelector("summary");
    if (summary) summary.focus({ preventScroll: true });
  };
  addEventListener("hashchange", reveal);
  reveal();

  const theme = at("theme");
  if (theme) {
    theme.hidden = false;
    theme.addEventListener("click", () => {
      const set = document.documentElement.dataset.theme;
      const dark = set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      document.documentElement.dataset.theme = dark ? "light" : "dark";
    });
  }

  const source = at("batch-data");
  const plot = document.querySelector("#batches svg[data-first]");
  if (!source || !plot) return;
  const { interval, batches } = JSON.parse(source.textContent);
  const [pick, detail, readout, open] = ["pick", "detail", "readout", "open"].map(at);
  const number = new Intl.NumberFormat("en-US");
  const duration = (us) => {
    const [size, unit] = us >= 999500 ? [1e6, "s"] : us >= 999.5 ? [1e3, "ms"] : [1, "µs"];
    return Number((us / size).toPrecision(3)) + " " + unit;
  };
  const first = batches[0][0];
  const last = batches[batches.length - 1][0];
  let place = 0;
  let span = Math.min(60, batches.length);

  const element = (name, attributes, parent, text) => {
    const made = document.createElementNS(SVG, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text) made.textContent = text;
    parent.appendChild(made);
    return made;
  };

  // The place of the picked batch in the plot above.
  const left = Number(plot.dataset.left);
  const right = Number(plot.dataset.right);
  const across = (index) => left + (right - left) * (index - first) / Math.max(last - first, 1);
  const window_ = element("rect", { class: "picked-span", y: 18, height: Number(plot.dataset.bottom) - 18 }, plot);
  const cursor = element("path", { class: "picked" }, plot);

  const draw = () => {
    const from = Math.max(0, Math.min(place - (span >> 1), batches.length - span));
    const shown = batches.slice(from, from + span);
    const top = Math.max(interval * 1.25, ...shown.map((batch) => (batch[2] + batch[3]) * 1.06));
    const [low, high, begin, end] = [150, 16, 62, 936];
    const y = (us) => low - (low - high) * us / top;
    const step = (end - begin) / shown.length;
    detail.replaceChildren();
    element("text", { class: "end", x: begin - 8, y: low + 4 }, detail, "0");
    element("text", { class: "end", x: begin - 8, y: high + 8 }, detail, duration(top));
    shown.forEach((batch, offset) => {
      const x = begin + offset * step;
      const picked = from + offset === place;
      const width = Math.max(step - Math.min(2, step * 0.2), 0.4);
      element("rect", { class: "bar-wait", x, width, y: y(batch[2]), height: low - y(batch[2]) }, detail);
      const total = y(batch[2] + batch[3]);
      element("rect", { class: picked ? "bar-work bar-picked" : "bar-work", x, width, y: total, height: y(batch[2]) - total }, detail);
      if (batch[1] & 2) element("path", { class: "late-mark", d: `M${x + width / 2 - 4} ${total - 3}l4 -7l4 7Z` }, detail);
      const hit = element("rect", { class: "hit", x, width: step, y: high, height: low - high + 20 }, detail);
      hit.addEventListener("click", () => choose(from + offset));
    });
    element("path", { class: "interval", d: `M${begin} ${y(interval)}H${end}` }, detail);
    element("text", { class: "strong end", x: end, y: y(interval) - 6 }, detail, "interval " + duration(interval));
    element("path", { class: "axis", d: `M${begin} ${low}H${end}` }, detail);
    element("text", { x: begin, y: low + 18 }, detail, "#" + shown[0][0]);
    element("text", { class: "end", x: end, y: low + 18 }, detail, "#" + shown[shown.length - 1][0]);
    const [one, other] = [across(shown[0][0]), across(shown[shown.length - 1][0])];
    window_.setAttribute("x", one);
    // All of it needs no frame.
    window_.setAttribute("width", shown.length < batches.length ? Math.max(other - one, 1) : 0);
    cursor.setAttribute("d", `M${across(batches[place][0])} 18V${plot.dataset.bottom}`);
  };

  const choose = (wanted) => {
    place = Math.max(0, Math.min(wanted, batches.length - 1));
    const [index, flags, wait, work, records, queue] = batches[place];
    pick.value = index;
    const state = flags & 1 ? "warm-up" : flags & 2 ? "late by " + duration(wait + work - interval) : "in time";
    const words = `#${index}: ${number.format(records)} records, waited ${duration(wait)}, took ${duration(work)}, ${queue} waiting, ${state}`;
    readout.textContent = words;
    pick.setAttribute("aria-valuetext", words);
    const target = at("batch-" + index);
    open.hidden = !target || target.tagName === "I";
    open.href = "#batch-" + index;
    open.textContent = "open #" + index;
    draw();
  };

  const nearest = (index) => {
    let [low, high] = [0, batches.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (batches[middle][0] < index) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const zoom = (factor) => {
    span = Math.max(10, Math.min(Math.round(span * factor), batches.length, 400));
    draw();
  };
  const worst = () => {
    let found = 0;
    batches.forEach((batch, index) => {
      const beats = batch[2] + batch[3] > batches[found][2] + batches[found][3];
      if (!(batch[1] & 1) && (beats || batches[found][1] & 1)) found = index;
    });
    return found;
  };

  pick.addEventListener("input", () => choose(nearest(Number(pick.value))));
  pick.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !open.hidden) location.hash = open.hash;
    else if (event.key === "+") zoom(0.5);
    else if (event.key === "-") zoom(2);
  });
  at("worst").addEventListener("click", () => choose(worst()));
  at("closer").addEventListener("click", () => zoom(0.5));
  at("wider").addEventListener("click", () => zoom(2));

  // Dragging over the plot takes that span; a click takes that batch.
  const under = (event) => {
    const box = plot.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * plot.viewBox.baseVal.width;
    return nearest(Math.round(first + (last - first) * (x - left) / (right - left)));
  };
  let grabbed = -1;
  plot.addEventListener("pointerdown", (event) => { grabbed = under(event); });
  plot.addEventListener("pointerup", (event) => {
    if (grabbed < 0) return;
    const released = under(event);
    const [from, to] = [Math.min(grabbed, released), Math.max(grabbed, released)];
    if (to - from >= 5) span = Math.min(to - from + 1, 400);
    grabbed = -1;
    choose((from + to) >> 1);
  });

  // A link to any batch picks it. One without a row of its own is shown here.
  const follow = () => {
    const batch = /^#batch-(\d+)$/.exec(location.hash);
    if (!batch) return;
    choose(nearest(Number(batch[1])));
    const target = at(location.hash.slice(1));
    if (target && target.tagName !== "I") return;
    at("explorer").scrollIntoView({ block: "center" });
    pick.focus({ preventScroll: true });
  };

  at("explorer").hidden = false;
  choose(worst());
  addEventListener("hashchange", follow);
  follow();
})();
