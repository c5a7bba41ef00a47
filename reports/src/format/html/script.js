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

  // A flamegraph's frame that is picked fills the drawing, with those that called it above and those that it called below.
  const CHARACTER = 6.3;
  const flamegraph = (drawing) => {
    const figure = drawing.closest("figure");
    const full = drawing.viewBox.baseVal.width;
    const frames = [...drawing.querySelectorAll("g")].map((group) => {
      const rect = group.querySelector("rect");
      const [x, y, width] = ["x", "y", "width"].map((name) => Number(rect.getAttribute(name)));
      const about = group.querySelector("title").textContent;
      const mark = /\bmore-/.test(rect.getAttribute("class")) ? "▲ " : /\bless-/.test(rect.getAttribute("class")) ? "▼ " : "";
      return { group, rect, x, y, width, about, mark, name: about.slice(0, about.lastIndexOf(": ")), text: group.querySelector("text") };
    });
    if (!figure || frames.length < 2) return;
    const said = document.createElement("p");
    said.className = "keys hint";
    said.setAttribute("role", "status");
    said.textContent = "Click a frame to widen it; or walk with the arrow keys, Enter widens, Escape shows all again.";
    figure.after(said);

    // Of a path its end says most.
    const fitting = (name, characters) => {
      if (name.length <= characters) return name;
      return name.includes("::") && !name.includes("<") ? "…" + name.slice(name.length - characters + 1) : name.slice(0, characters - 1) + "…";
    };
    const place = (frame, x, width) => {
      frame.rect.setAttribute("x", x);
      frame.rect.setAttribute("width", width);
      const characters = Math.floor((width - 8) / CHARACTER) - frame.mark.length;
      if (frame.text) frame.text.style.display = characters >= 3 ? "" : "none";
      if (characters < 3) return;
      if (!frame.text) {
        frame.text = document.createElementNS(SVG, "text");
        frame.text.setAttribute("class", "on-segment");
        frame.text.setAttribute("y", frame.y + 12.5);
        frame.group.appendChild(frame.text);
      }
      frame.text.setAttribute("x", x + 4);
      frame.text.textContent = frame.mark + fitting(frame.name, characters);
    };
    const widen = (chosen) => {
      const scale = full / chosen.width;
      for (const frame of frames) {
        const from = Math.max(0, (frame.x - chosen.x) * scale);
        const to = Math.min(full, (frame.x + frame.width - chosen.x) * scale);
        const seen = to - from > 0.05;
        frame.group.style.display = seen ? "" : "none";
        if (seen) place(frame, from, to - from);
      }
    };

    let current = frames[0];
    const walk = (frame) => {
      if (!frame) return;
      current.rect.classList.remove("current");
      current = frame;
      current.rect.classList.add("current");
      said.textContent = current.about;
    };
    const row = Math.min(...frames.filter((frame) => frame.y > 0).map((frame) => frame.y));
    const within = (inner, outer) => inner.x >= outer.x - 0.05 && inner.x + inner.width <= outer.x + outer.width + 0.05;
    const level = (y) => frames.filter((frame) => Math.abs(frame.y - y) < 1 && frame.group.style.display !== "none").sort((one, other) => one.x - other.x);
    const beside = (step) => {
      const same = level(current.y);
      return same[same.indexOf(current) + step];
    };
    const keys = {
      ArrowDown: () => walk(level(current.y + row).filter((frame) => within(frame, current)).sort((one, other) => other.width - one.width)[0]),
      ArrowUp: () => walk(level(current.y - row).find((frame) => within(current, frame))),
      ArrowLeft: () => walk(beside(-1)),
      ArrowRight: () => walk(beside(1)),
      Enter: () => widen(current),
      Escape: () => { widen(frames[0]); walk(frames[0]); },
    };
    figure.addEventListener("keydown", (event) => {
      if (event.target !== figure || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
      current.rect.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
    for (const frame of frames) {
      frame.group.addEventListener("click", () => { walk(frame); widen(frame); });
    }
  };
  document.querySelectorAll("svg.frame").forEach(flamegraph);

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
    const [low, high, begin, end] = [150, 16, 62, 882];
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
      if (batch[1] & 4) element("path", { class: "wrong-mark", d: `M${x + width / 2 - 4.5} ${low - 13}l9 9m0 -9l-9 9` }, detail);
      const hit = element("rect", { class: "hit", x, width: step, y: high, height: low - high + 20 }, detail);
      hit.addEventListener("click", () => choose(from + offset));
    });
    element("path", { class: "interval", d: `M${begin} ${y(interval)}H${end}` }, detail);
    element("text", { class: "strong", x: end + 7, y: y(interval) - 2 }, detail, "interval");
    element("text", { class: "strong", x: end + 7, y: y(interval) + 12 }, detail, duration(interval));
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
    const trouble = flags & 4 ? ", failed or wrong" : "";
    const words = `#${index}: ${number.format(records)} records, waited ${duration(wait)}, took ${duration(work)}, ${queue} waiting, ${state}${trouble}`;
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
  // The first one that failed or was wrong, else the longest.
  const worst = () => {
    const troubled = batches.findIndex((batch) => batch[1] & 4);
    if (troubled >= 0) return troubled;
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
