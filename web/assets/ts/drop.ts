// Dropping files is decoration on a real file input: the area lights up, and what is
// dropped lands in the input as if it had been chosen there.

const decorated = new WeakSet<Element>();

export function decorateDrops(root: ParentNode): void {
  for (const area of root.querySelectorAll<HTMLElement>(".drop")) {
    const input = area.querySelector<HTMLInputElement>("input[type=file]");
    if (!input || decorated.has(area)) continue;
    decorated.add(area);
    const label = area.querySelector<HTMLElement>(".label");
    const words = label?.innerHTML;
    let depth = 0;

    const over = (on: boolean): void => {
      area.toggleAttribute("data-over", on);
      if (!label || words === undefined) return;
      if (on) label.textContent = area.dataset.drop ?? "";
      else label.innerHTML = words;
    };
    area.addEventListener("dragenter", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      if (depth++ === 0) over(true);
    });
    area.addEventListener("dragleave", () => {
      if (depth > 0 && --depth === 0) over(false);
    });
    area.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
    area.addEventListener("drop", (event) => {
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      depth = 0;
      over(false);
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }
}

// A file dropped beside the area must not replace the page.
for (const name of ["dragover", "drop"]) {
  window.addEventListener(name, (event) => {
    if ((event as DragEvent).dataTransfer?.types.includes("Files")) event.preventDefault();
  });
}
