// What every page gets: htmx with its event stream, and small helps that only make a
// plain page quicker. Everything here works on attributes the server wrote; without a
// script each form and link still does its work.
import "htmx.org";
import "htmx.org/dist/ext/hx-sse.js";
import { beginCountdowns } from "./countdown";
import { decorateDrops } from "./drop";
import { keepLive } from "./live";

function reveal(root: ParentNode): void {
  for (const button of root.querySelectorAll<HTMLButtonElement>("[data-show], [data-close]")) button.hidden = false;
  if (navigator.clipboard) {
    for (const button of root.querySelectorAll<HTMLButtonElement>("[data-copy]")) button.hidden = false;
  }
  beginCountdowns(root);
  decorateDrops(root);
}

// A form is sent once. The button keeps its width and says what happens now.
document.addEventListener("submit", (event) => {
  const form = event.target as HTMLFormElement;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent !== undefined) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "";
  const button = event.submitter as HTMLButtonElement | null;
  if (!button) return;
  button.setAttribute("aria-busy", "true");
  const busy = button.dataset.busy;
  if (busy) {
    button.style.minInlineSize = `${button.offsetWidth}px`;
    (button.querySelector("span") ?? button).textContent = busy;
  }
});

// A page that comes back from the browser's memory may be sent again.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});

document.addEventListener("click", (event) => {
  const target = event.target as Element;
  const show = target.closest<HTMLButtonElement>("[data-show]");
  if (show) {
    const field = document.getElementById(show.dataset.show ?? "") as HTMLInputElement | null;
    if (!field) return;
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    show.setAttribute("aria-pressed", String(!shown));
    field.focus();
    return;
  }
  const close = target.closest<HTMLElement>("[data-close]");
  if (close) {
    document.getElementById(close.dataset.close ?? "")?.remove();
    return;
  }
  const copy = target.closest<HTMLButtonElement>("[data-copy]");
  if (copy) {
    void navigator.clipboard.writeText(copy.dataset.copy ?? "").then(() => {
      const label = copy.querySelector("span");
      if (!label || !copy.dataset.copied) return;
      const before = label.textContent;
      label.textContent = copy.dataset.copied;
      setTimeout(() => { label.textContent = before; }, 2000);
    });
    return;
  }
  // An open menu closes when something else is pressed.
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.querySelector<HTMLDetailsElement>("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
    return;
  }
  // Keys of the review desk: single letters, only where the page offers them and nobody types.
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const at = event.target as HTMLElement;
  if (at.closest("input, select, textarea, [contenteditable]")) return;
  if (!document.querySelector("[data-keys]")) return;
  const wanted = document.querySelector<HTMLElement>(`[data-keys] [data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!wanted) return;
  event.preventDefault();
  wanted.focus();
  wanted.click();
  wanted.closest("details[open]")?.querySelector<HTMLElement>("select")?.focus();
});

// After a refusal of the server the first field with an error gets the focus.
function focusError(): void {
  const field = document.querySelector<HTMLInputElement>("[aria-invalid='true']");
  if (!field) return;
  field.focus();
  if (field.type !== "file") field.select?.();
}

reveal(document);
focusError();
keepLive(reveal);
