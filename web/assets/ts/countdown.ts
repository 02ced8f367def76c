// What must wait: the server says for how many seconds, the text counts. A button cannot be pressed before.

const running = new Map<Element, { ends: number; told: string }>();

export function beginCountdowns(root: ParentNode): void {
  for (const button of root.querySelectorAll<HTMLElement>("[data-wait]")) {
    const told = button.dataset.wait ?? "0";
    if (running.get(button)?.told === told) continue;
    running.set(button, { ends: performance.now() + Number(told) * 1000, told });
    tick(button);
  }
}

function tick(button: HTMLElement): void {
  const state = running.get(button);
  if (!state || !button.isConnected || button.dataset.wait !== state.told) {
    if (!button.isConnected) running.delete(button);
    return;
  }
  const seconds = Math.ceil((state.ends - performance.now()) / 1000);
  if (seconds <= 0) {
    running.delete(button);
    if (button instanceof HTMLButtonElement) button.disabled = false;
    button.removeAttribute("data-wait");
    button.textContent = button.dataset.ready ?? "";
    return;
  }
  button.textContent = (button.dataset.waiting ?? "{seconds}").replace("{seconds}", String(seconds)).replace("{time}", `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
  setTimeout(() => tick(button), 250);
}
