// Choosing documents to sign together: how many and how large they are, as one ticks. Without
// this file the next page says so, and choosing all is a button that asks for the page anew.
import { size } from "./size";

export function countChosen(form: HTMLFormElement): void {
  const said = form.querySelector<HTMLElement>("[data-count]");
  const boxes = [...form.querySelectorAll<HTMLInputElement>("input[type=checkbox][name=document]")];
  if (!said || boxes.length === 0) return;
  const tell = (): void => {
    const chosen = boxes.filter((box) => box.checked);
    const count = chosen.length + Number(said.dataset.others ?? 0);
    const bytes = chosen.reduce((sum, box) => sum + Number(box.dataset.bytes ?? 0), 0);
    said.textContent = count === 0 ? (said.dataset.none ?? "") : (said.dataset.some ?? "").replace("{count}", String(count)).replace("{size}", size(bytes));
  };
  form.addEventListener("change", tell);
  form.querySelector("[data-all]")?.addEventListener("click", (event) => {
    event.preventDefault();
    const all = boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = !all;
    tell();
  });
  tell();
}
