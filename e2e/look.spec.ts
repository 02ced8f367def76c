import type { Page } from "@playwright/test";
import { expect, test } from "./test.js";

// The look on every page of the gallery: narrow, enlarged, in the system's own colours, on
// paper and without motion. The database plays no part in it, so one run is enough.
test.use({ room: "look" });

/** What is wrong on the page that is open; each runs in the browser and answers one line a finding. */
const wrong = {
  /** WCAG 1.4.10, 1.4.4, 1.4.12: nothing scrolls sideways, no text is cut off. */
  reflow: () => {
    const root = document.scrollingElement!;
    const said: string[] = [];
    const name = (e: Element) => `${e.tagName.toLowerCase()}.${e.getAttribute("class") ?? ""} “${(e.textContent ?? "").trim().slice(0, 40)}”`;
    if (root.scrollWidth > root.clientWidth) {
      const out = [...document.querySelectorAll("body *")].find((e) => e.getBoundingClientRect().right > root.clientWidth + 1);
      said.push(`scrolls sideways, ${root.scrollWidth} of ${root.clientWidth} px, from ${out ? name(out) : "?"}`);
    }
    for (const e of document.querySelectorAll<HTMLElement>("body *")) {
      if (e.closest("svg, .hide, .viewer") || !e.checkVisibility()) continue;
      const style = getComputedStyle(e);
      if (style.clipPath !== "none" || (style.overflowX === "visible" && style.overflowY === "visible")) continue;
      if (e.matches("select, input, textarea, progress")) continue;
      if (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1) said.push(`cut off: ${name(e)}`);
    }
    return said;
  },

  /** A finger needs 44 pixels. */
  targets: () => {
    const said: string[] = [];
    for (const e of document.querySelectorAll<HTMLElement>("button, .btn, summary, select, .input, .nav a, .pills a, .foot a, .links a, .choice, .tick")) {
      const { height } = e.getBoundingClientRect();
      if (e.checkVisibility() && height < 43.5 && !e.closest(".hide")) said.push(`${height.toFixed(0)} px high: ${e.tagName.toLowerCase()} “${(e.textContent ?? "").trim().slice(0, 40)}”`);
    }
    return said;
  },

  /** What a wash, a shadow or a colour says has a line, and every line is of the system's colours. */
  forced: () => {
    const system = (word: string) => {
      const probe = document.body.appendChild(document.createElement("span"));
      probe.style.setProperty("forced-color-adjust", "none");
      probe.style.color = word;
      const { color } = getComputedStyle(probe);
      probe.remove();
      return color;
    };
    const [canvas, text, link, highlight] = ["Canvas", "CanvasText", "LinkText", "Highlight"].map(system);
    const said: string[] = [];
    const shown = <E extends Element>(selector: string) => [...document.querySelectorAll<E & Element>(selector)].filter((e) => e.checkVisibility());
    const ask = (e: Element, holds: boolean, sentence: string) => {
      if (!holds) said.push(`${sentence}: ${e.tagName.toLowerCase()}.${e.getAttribute("class") ?? ""} “${(e.textContent ?? "").trim().slice(0, 30)}”`);
    };
    const lined = (s: CSSStyleDeclaration) => parseFloat(s.borderBottomWidth) >= 1 && !["none", "hidden"].includes(s.borderBottomStyle) && s.borderBottomColor !== s.backgroundColor;
    for (const e of shown(".badge, .btn:not(.btn-bare), .input, .code, .choice, .note, .toast, .banner, .sheet, .initials, progress, .drop")) {
      const s = getComputedStyle(e);
      ask(e, lined(s) || s.backgroundColor === highlight, "no edge");
    }
    for (const e of shown(".badge")) ask(e, (e.textContent ?? "").trim() !== "" && !!e.querySelector("svg"), "a state without its word or its shape");
    for (const e of shown(".icon")) ask(e, getComputedStyle(e).color === getComputedStyle(e.parentElement!).color || getComputedStyle(e).color === highlight, "drawn in a colour of its own");
    for (const e of shown(".indent path")) {
      const { stroke, strokeDasharray } = getComputedStyle(e);
      ask(e, stroke === (e.matches(".b:not(.off)") ? link : text) && stroke !== canvas, "a line in no colour of the system");
      ask(e, !e.matches(".off, .todo") || strokeDasharray !== "none", "told from the other line by its colour alone");
    }
    for (const e of shown(".nav a[aria-current], .steps > li[aria-current], .path > li[aria-current]")) {
      const mark = getComputedStyle(e, e.matches("a") ? "::after" : "::before");
      ask(e, mark.borderBottomColor === highlight && parseFloat(mark.borderBottomWidth) >= 2, "where one is has no mark");
    }
    for (const e of shown(".pills a[aria-current], .btn[aria-pressed=true], .btn-pen:not([aria-disabled=true], :disabled)")) ask(e, getComputedStyle(e).backgroundColor === highlight, "what is chosen looks like the rest");
    for (const e of shown(".btn[aria-disabled=true], .btn:disabled")) ask(e, getComputedStyle(e).borderBottomStyle === "dashed", "cannot be pressed, and does not show it");
    for (const e of shown<HTMLProgressElement>("progress")) ask(e, getComputedStyle(e).color === highlight, "no progress to see"); // of what is inside the browser tells nothing
    return said;
  },

  /** On paper: black on white, nothing to press, everything unfolded, whose it is and as of when. */
  print: () => {
    const said: string[] = [];
    for (const e of document.querySelectorAll(".top, .foot, .skip, .banner, .toasts, .viewer, button, .btn, input[type=file], input[type=search], .pills, .pager")) {
      if (e.checkVisibility()) said.push(`is printed: ${e.tagName.toLowerCase()}.${e.getAttribute("class") ?? ""}`);
    }
    const head = document.querySelector(".print-head");
    if (!head?.checkVisibility() || !head.querySelector("time")) said.push("has no head with a time");
    const { color } = getComputedStyle(document.body);
    if (color !== "rgb(0, 0, 0)") said.push(`is printed in ${color}`);
    for (const e of document.querySelectorAll("html, .sheet, .note, .fold-sheet, .badge")) {
      const { backgroundColor: paper } = getComputedStyle(e);
      if (!["rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"].includes(paper)) said.push(`prints ${paper} behind ${e.tagName.toLowerCase()}.${e.getAttribute("class") ?? ""}`);
    }
    for (const e of document.querySelectorAll(".fold:not(.erase, form .fold, form ~ .fold) > :not(summary)")) {
      if (!e.closest(".no-print, .erase, form") && !e.checkVisibility()) said.push(`stays folded: “${e.parentElement!.querySelector("summary")!.textContent!.trim()}”`);
    }
    return said;
  },

  still: () => document.getAnimations().map((a) => `moves: ${(a.effect as KeyframeEffect).target?.tagName}`),
};

/** Text as large as a person may set it, and as wide apart (WCAG 1.4.12), without a style in the page. */
async function text(page: Page, how: { size?: string; spaced?: boolean }): Promise<void> {
  await page.evaluate(({ size, spaced }) => {
    document.documentElement.style.fontSize = size ?? "";
    const sheet = new CSSStyleSheet();
    if (spaced) sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-block-end: 2em !important }");
    document.adoptedStyleSheets = [sheet];
  }, how);
}

test("every page in every state holds: narrow, enlarged, spaced, in forced colours, on paper and without motion", async ({ world, visitor }) => {
  test.setTimeout(240_000);
  const page = await visitor({ reducedMotion: "reduce", colorScheme: "dark", viewport: { width: 320, height: 640 } });
  await page.goto(`${world.portal}/gallery`);
  const paths = await page.locator("ol a").evaluateAll((links) => links.map((a) => a.getAttribute("href")!));
  expect(paths.length).toBeGreaterThan(100);
  const found: string[] = [];
  const look = async (path: string, how: string, at: () => string[]) => found.push(...(await page.evaluate(at)).map((f) => `${path}, ${how}: ${f}`));
  for (const path of paths) {
    await page.setViewportSize({ width: 320, height: 640 });
    await page.goto(world.portal + path, { waitUntil: "domcontentloaded" });
    await look(path, "320 px", wrong.reflow);
    await look(path, "320 px", wrong.targets);
    await look(path, "reduced motion", wrong.still);
    await text(page, { spaced: true });
    await look(path, "320 px, spaced", wrong.reflow);
    await page.setViewportSize({ width: 1280, height: 900 });
    await look(path, "spaced", wrong.reflow);
    await text(page, { size: "200%" });
    await look(path, "text at 200 %", wrong.reflow);
    await text(page, {});
    await page.emulateMedia({ forcedColors: "active" });
    await look(path, "forced colours", wrong.forced);
    await page.emulateMedia({ forcedColors: "none", media: "print" });
    await look(path, "print", wrong.print);
    await page.emulateMedia({ media: "screen" });
  }
  expect(found).toEqual([]);
});

test("the second line is written before one’s eyes, and stands there at once for who wants no motion", async ({ world, visitor }) => {
  const page = await visitor();
  for (const reducedMotion of ["no-preference", "reduce"] as const) {
    await page.emulateMedia({ reducedMotion });
    await page.goto(`${world.portal}/gallery/sign-progress-2`);
    const moving = () =>
      page.evaluate(() => {
        const live = document.getElementById("live")!; // what an event of the stream does: the same part anew
        live.outerHTML = live.outerHTML;
        return document.getAnimations().length;
      });
    expect(await moving()).toBe(reducedMotion === "reduce" ? 0 : 1);
  }
});

test("in forced colours the focus is seen, wherever the Tab key goes", async ({ world, visitor }) => {
  const page = await visitor({ forcedColors: "active" });
  for (const path of ["home-document", "sign-code-and-pin", "case-awaiting_approval", "documents"]) {
    await page.goto(`${world.portal}/gallery/${path}`);
    for (let i = 0; i < 25; i++) {
      await page.keyboard.press("Tab");
      const ring = await page.evaluate(() => {
        const at = document.activeElement!;
        if (at === document.body) return null;
        const shown = at.closest(".choice") ?? at;
        const { outlineStyle, outlineWidth } = getComputedStyle(shown);
        return { of: `${at.tagName} ${at.textContent?.trim().slice(0, 20)}`, outlineStyle, outlineWidth };
      });
      if (!ring) break;
      expect(ring, path).toMatchObject({ outlineStyle: "solid", outlineWidth: "3px" });
    }
  }
});

test("a printed page is a few clean sheets", async ({ world, visitor }) => {
  const page = await visitor({ colorScheme: "dark" });
  for (const path of ["verify-valid", "sign-result", "document-signed", "audit", "audit-entry"]) {
    await page.goto(`${world.portal}/gallery/${path}`);
    const sheets = (await page.pdf({ format: "A4" })).toString("latin1").match(/\/Type\s*\/Page\b/g)!;
    expect(sheets.length, path).toBeLessThanOrEqual(2);
  }
});
