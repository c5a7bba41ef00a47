// Checks of generated reports in a headless browser; started by scripts/report-browser.
"use strict";
const { chromium } = require("playwright-core");
const fs = require("fs");
const path = require("path");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const argumentsLeft = process.argv.slice(2);
let pictures = null;
if (argumentsLeft[0] === "--pictures") [, pictures] = argumentsLeft.splice(0, 2);

let failed = 0;
let passed = 0;
const check = (name, is, detail) => {
  if (is) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED  ${name}${detail ? ": " + detail : ""}`);
  }
};

// A page with everything that it asks for or complains about.
const open = async (browser, file, options) => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const requests = [];
  const problems = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) problems.push(message.text()); });
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto("file://" + path.resolve(file));
  return { context, page, requests, problems };
};

const quiet = (name, file, opened) => {
  const others = opened.requests.filter((url) => url !== "file://" + path.resolve(file) && url !== "about:blank");
  check(`${name}: loads nothing`, others.length === 0, others.join(" "));
  check(`${name}: no error on the console`, opened.problems.length === 0, opened.problems.join(" | "));
};

const worstIsVisible = (page) => page.evaluate(() => {
  const source = document.getElementById("batch-data");
  if (!source) return null;
  const { batches } = JSON.parse(source.textContent);
  const late = batches.filter((batch) => batch[1] === 2);
  if (late.length === 0) return true;
  const plot = document.querySelector("#batches svg[data-first]");
  const worst = late.reduce((one, other) => (other[2] + other[3] > one[2] + one[3] ? other : one));
  const [first, last] = [batches[0][0], batches[batches.length - 1][0]];
  const [left, right] = [Number(plot.dataset.left), Number(plot.dataset.right)];
  const x = left + (right - left) * (worst[0] - first) / Math.max(last - first, 1);
  const column = (right - left) / Math.min(batches.length, 440) + 2;
  const tips = [...plot.querySelectorAll(".late-mark")].map((mark) => mark.getBBox());
  const highest = Math.min(...tips.map((box) => box.y));
  return tips.some((box) => Math.abs(box.x + box.width / 2 - x) <= column && box.y <= highest + 1);
});

// From the top of the page to what made the worst batch late, counting every key.
const MOST_KEYS = 3;
const drillDown = async (name, page) => {
  if (await page.locator("details.batch").count() === 0) return;
  let keys = 0;
  const press = async (key) => {
    keys += 1;
    await page.keyboard.press(key);
  };
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("href") || "");
  while (keys < MOST_KEYS && !(await focused()).startsWith("#batch-")) await press("Tab");
  const wanted = await focused();
  await press("Enter");
  await page.waitForTimeout(50);
  const opened = wanted.startsWith("#batch-") && page.locator(`details${wanted}[open] table.causes`);
  check(`${name}: a late batch opens by keyboard`, opened && await opened.isVisible(), wanted || "no link to it");
  check(`${name}: and its cause is at most ${MOST_KEYS} keys away`, keys <= MOST_KEYS, `${keys} keys`);
};

// Without the script a late batch still opens, and its summary names the cause.
const opensByItself = async (name, page) => {
  const summary = page.locator("details.batch > summary").first();
  if (await summary.count() === 0) return;
  check(`${name}: the summary names a cause`, (await summary.locator(".cause").textContent()).trim() !== "");
  await summary.focus();
  await page.keyboard.press("Enter");
  check(`${name}: a late batch opens by keyboard`, await page.locator("details.batch[open] table.causes").first().isVisible());
};

// Every batch of the record has a place that a link leads to.
const linked = async (name, browser, file, javaScriptEnabled) => {
  const url = "file://" + path.resolve(file);
  const context = await browser.newContext({ javaScriptEnabled });
  const page = await context.newPage();
  await page.goto(url);
  const indexes = JSON.parse(await page.locator("#batch-data").textContent()).batches.map((batch) => batch[0]);
  const html = await page.content();
  const places = new Map();
  for (const [, index] of html.matchAll(/ id="batch-(\d+)"/g)) places.set(Number(index), (places.get(Number(index)) || 0) + 1);
  const odd = indexes.filter((index) => places.get(index) !== 1);
  check(`${name}: each batch has one place`, odd.length === 0, `${odd.length} have not: ${odd.slice(0, 5)}`);
  const late = indexes[Math.floor(indexes.length * 0.9)];
  await page.goto("about:blank");
  await page.goto(`${url}#batch-${late}`);
  await page.waitForTimeout(200);
  const seen = await page.evaluate((id) => {
    const inView = (element) => {
      if (!element) return false;
      const box = (element.closest("tr") || element).getBoundingClientRect();
      return box.height > 0 && box.top < innerHeight && box.bottom > 0;
    };
    return inView(document.getElementById(id)) || inView(document.getElementById("readout"));
  }, `batch-${late}`);
  check(`${name}: #batch-${late} leads somewhere`, seen);
  if (javaScriptEnabled) {
    const readout = await page.locator("#readout").textContent();
    check(`${name}: and the script picks it`, readout.startsWith(`#${late}:`), readout);
  }
  await context.close();
};

// What the page says, section by section: as many tables and rows with the script as without.
const outline = (page) => page.evaluate(() => [...document.querySelectorAll("header[id], section")].map((section) => {
  const rows = [...section.querySelectorAll("table")].map((table) => table.rows.length);
  return `${section.id}: ${section.querySelectorAll("figure > svg").length} figures, rows ${rows.join(" ")}`;
}));

const explorer = async (name, page) => {
  if (await page.locator("#explorer").count() === 0) return;
  check(`${name}: the script shows its controls`, await page.locator("#explorer").isVisible());
  const pick = page.locator("#pick");
  await pick.focus();
  const before = await page.locator("#readout").textContent();
  await page.keyboard.press((await pick.inputValue()) === (await pick.getAttribute("min")) ? "ArrowRight" : "ArrowLeft");
  check(`${name}: arrows pick another batch`, before !== await page.locator("#readout").textContent());
  check(`${name}: and its neighbours are drawn`, await page.locator("#detail .bar-work").count() >= 2);
  await page.locator("#worst").press("Enter");
  await pick.focus();
  if (await page.locator("#open").isVisible()) {
    await page.keyboard.press("Enter");
    await page.waitForTimeout(50);
    const wanted = await page.evaluate(() => location.hash);
    check(`${name}: Enter opens the picked batch`, /^#batch-\d+$/.test(wanted) && await page.locator(wanted).isVisible(), wanted);
  }
};

// A frame that is picked fills its drawing, by mouse and by keyboard, and all of it comes back.
const flamegraphs = async (name, page) => {
  const figure = page.locator("figure:has(svg.frame)").first();
  if (await figure.count() === 0 || await figure.locator("g").count() < 3) return;
  const shape = () => figure.evaluate((box) => [...box.querySelectorAll("g")].map((group) =>
    group.style.display === "none" ? "hidden" : ["x", "width"].map((side) => Math.round(group.querySelector("rect").getAttribute(side))).join("+")).join(" "));
  const before = await shape();
  const width = (frame) => frame.locator("rect").first().evaluate((rect) => Number(rect.getAttribute("width")));
  const narrowest = figure.locator("g").last();
  const was = await width(narrowest);
  await narrowest.dispatchEvent("click");
  check(`${name}: a frame that is clicked is wider`, await width(narrowest) > was * 1.01 || was > 950, `${was} before`);
  const said = figure.locator("xpath=following-sibling::p[@role='status']").first();
  const named = await narrowest.locator("title").textContent();
  check(`${name}: and is named`, await said.textContent() === named, named);
  await figure.focus();
  await page.keyboard.press("Escape");
  check(`${name}: Escape shows all frames again`, await shape() === before);
  await page.keyboard.press("ArrowDown");
  const walked = await said.textContent();
  check(`${name}: arrows walk through frames`, walked !== await figure.locator("g title").first().textContent(), walked);
  await page.keyboard.press("Enter");
  const filled = await figure.locator("rect.current").evaluate((rect) => Number(rect.getAttribute("width")));
  check(`${name}: Enter widens the frame`, Math.abs(filled - 960) < 1, `${filled}`);
  await page.keyboard.press("Escape");
};

const openAll = (page) => page.evaluate(() => document.querySelectorAll("details").forEach((box) => { box.open = true; }));

const accessible = async (name, page) => {
  // What is folded away would not be looked at.
  await openAll(page);
  // The policy lets no script in but the page's own; the debugger's console may.
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const words = found.violations.map((violation) => `${violation.id}: ${violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(" ; ")}`);
  check(`${name}: axe-core finds nothing`, words.length === 0, words.join(" | "));
};

const narrow = async (name, page) => {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(`${name}: nothing sticks out at 360 px`, wide <= 0, `${wide} px`);
};

// A4 without the margins of the stylesheet, in CSS pixels.
const PAPER = { width: Math.floor((210 - 32) / 25.4 * 96), height: Math.floor((297 - 32) / 25.4 * 96) };

const print = async (name, page) => {
  const directory = fs.mkdtempSync(path.join(require("os").tmpdir(), "report-"));
  const file = path.join(directory, "report.pdf");
  await page.pdf({ path: file, preferCSSPageSize: false, format: "A4" });
  const first = require("child_process").spawnSync("pdftotext", ["-l", "1", file, "-"], { encoding: "utf8" });
  const word = (await page.locator("h1").first().textContent()).replace(/[^A-Z ]/g, "").trim();
  check(`${name}: the verdict is on the first printed page`, !first.error && first.stdout.includes(word), first.error ? "pdftotext is not installed" : first.stdout.slice(0, 80));
  fs.rmSync(directory, { recursive: true });
  await page.emulateMedia({ media: "print" });
  await page.setViewportSize(PAPER);
  const cut = await page.evaluate((height) => [...document.querySelectorAll("figure, .numbers, .strip, a.small")]
    .map((block) => ({ block, style: getComputedStyle(block), box: block.getBoundingClientRect() }))
    .filter(({ style, box }) => style.breakInside !== "avoid" || box.height > height || box.right > innerWidth + 1)
    .map(({ block, style, box }) => `${block.tagName} ${block.className} ${Math.round(box.width)} x ${Math.round(box.height)}, break-inside ${style.breakInside}`), PAPER.height);
  check(`${name}: no figure is cut on paper`, cut.length === 0, cut.join(" | "));
  const folded = await page.evaluate(() => [...document.querySelectorAll("details table")].filter((table) => table.getBoundingClientRect().height === 0).length);
  check(`${name}: tables are unfolded on paper`, folded === 0, `${folded} tables are not`);
};

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  for (const file of argumentsLeft) {
    const base = path.basename(file, ".html");
    let withScript = [];
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [1200, 360]) {
        const name = `${base}, ${colorScheme}, ${width} px`;
        const opened = await open(browser, file, { colorScheme, viewport: { width, height: 900 } });
        if (width === 360) await narrow(name, opened.page);
        if (pictures) await opened.page.screenshot({ path: path.join(pictures, `${base}-${colorScheme}-${width}.png`), fullPage: true });
        if (width === 1200 && colorScheme === "light") {
          const visible = await worstIsVisible(opened.page);
          check(`${name}: the worst batch is visible`, visible !== false);
          withScript = await outline(opened.page);
          await explorer(name, opened.page);
          await flamegraphs(name, opened.page);
          for (const look of [drillDown, print]) {
            await opened.page.goto("about:blank");
            await opened.page.goto("file://" + path.resolve(file));
            await look(name, opened.page);
          }
          await opened.page.emulateMedia({ media: "screen" });
          await opened.page.setViewportSize({ width, height: 900 });
        }
        await accessible(name, opened.page);
        quiet(name, file, { ...opened, requests: [...new Set(opened.requests.map((url) => url.split("#")[0]))] });
        await opened.context.close();
      }
    }
    const plain = await open(browser, file, { javaScriptEnabled: false });
    const name = `${base}, without script`;
    check(`${name}: complete`, await plain.page.locator("h1").count() === 1 && !(await plain.page.locator("#explorer:visible").count()));
    const without = await outline(plain.page);
    const differs = without.find((section, place) => section !== withScript[place]);
    check(`${name}: the same sections, figures and rows`, without.length === withScript.length && !differs, differs);
    const explores = await plain.page.locator("#batch-data").count() > 0;
    await opensByItself(name, plain.page);
    quiet(name, file, plain);
    await plain.context.close();
    if (explores) {
      await linked(`${base}, with script`, browser, file, true);
      await linked(name, browser, file, false);
    }
  }
  await browser.close();
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
})();
