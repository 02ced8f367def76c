// Uploading: each chosen file is sent by itself as the body of one PUT, with a bar, a way
// to stop, and the server's refusal in its own row. Without this file the form is sent whole.
import { size } from "./size";
import { countChosen } from "./together";

const together = document.querySelector<HTMLFormElement>("form[data-together]");
if (together) countChosen(together);

const form = document.querySelector<HTMLFormElement>("form[data-upload]");
const list = document.getElementById("uploads");
const input = form?.querySelector<HTMLInputElement>("input[type=file]");

if (form && list && input) {
  input.multiple = true;
  input.required = false;
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    input.value = "";
    void sendAll(files);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
}

// One at a time: a slow line is not shared, and the order stays.
async function sendAll(files: File[]): Promise<void> {
  const only = files.length === 1 && list?.querySelector("progress") === null;
  const waiting = files.map((file) => ({ file, row: begin(file) }));
  for (const { file, row } of waiting) {
    const location = row.isConnected ? await send(file, row) : null;
    if (location && only) window.location.assign(location);
  }
  offerTogether();
}

// Several that are ready can be signed under one approval at once.
function offerTogether(): void {
  const ids = [...(list?.querySelectorAll<HTMLAnchorElement>("a[data-link]") ?? [])].map((a) => a.pathname.split("/").pop()!);
  document.getElementById("uploads-together")?.remove();
  if (ids.length < 2) return;
  const template = document.getElementById("upload-together") as HTMLTemplateElement;
  const row = template.content.firstElementChild!.cloneNode(true) as HTMLElement;
  row.id = "uploads-together";
  const button = row.querySelector("button")!;
  button.textContent = (button.dataset.label ?? "").replace("{count}", String(ids.length));
  for (const id of ids) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = "document";
    input.value = id;
    row.querySelector("form")!.append(input);
  }
  list?.append(row);
}

function fromTemplate(id: string, name: string): HTMLElement {
  const template = document.getElementById(id) as HTMLTemplateElement;
  const row = template.content.firstElementChild!.cloneNode(true) as HTMLElement;
  for (const place of row.querySelectorAll("[data-name]")) place.textContent = place.classList.contains("hide") ? ` ${name}` : name;
  return row;
}

function begin(file: File): HTMLElement {
  const row = fromTemplate("upload-running", file.name);
  row.querySelector("progress")?.setAttribute("aria-label", file.name);
  row.querySelector<HTMLButtonElement>("[data-stop]")?.addEventListener("click", () => row.remove());
  list?.append(row);
  return row;
}

function refuse(row: HTMLElement, name: string, sentence: string): void {
  const refused = fromTemplate("upload-refused", name);
  refused.querySelector("[data-sentence]")!.textContent = sentence;
  refused.querySelector<HTMLButtonElement>("[data-replace]")?.addEventListener("click", () => {
    refused.remove();
    input?.click();
  });
  row.replaceWith(refused);
}

function send(file: File, row: HTMLElement): Promise<string | null> {
  const texts = form!.dataset;
  if (file.size > Number(texts.max)) {
    refuse(row, file.name, texts.tooLarge ?? "");
    return Promise.resolve(null);
  }
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    const bar = row.querySelector("progress")!;
    const progress = row.querySelector<HTMLElement>("[data-done]")!;
    const left = row.querySelector<HTMLElement>("[data-left]")!;
    const began = performance.now();

    const watch = new MutationObserver(() => {
      if (row.isConnected) return;
      request.abort();
    });
    watch.observe(list!, { childList: true });
    const end = (location: string | null): void => {
      watch.disconnect();
      done(location);
    };

    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      const share = event.loaded / Math.max(event.total, 1);
      bar.value = share * 100;
      progress.textContent = (texts.progress ?? "").replace("{percent}", `${Math.floor(share * 100)}\u00a0%`).replace("{size}", size(event.total));
      const seconds = Math.ceil(((performance.now() - began) / 1000) * (1 / Math.max(share, 0.001) - 1));
      left.textContent = share < 1 && seconds > 2 ? (texts.left ?? "").replace("{seconds}", String(seconds)) : "";
    });
    request.upload.addEventListener("load", () => {
      progress.textContent = texts.checking ?? "";
      left.textContent = "";
      bar.removeAttribute("value"); // the server reads it now, and does not say how far
    });
    request.addEventListener("load", () => {
      let answer: { location?: string; sentence?: string } = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // an answer of something between us and the server
      }
      if (request.status === 201 && answer.location) {
        const ready = fromTemplate("upload-done", file.name);
        ready.querySelector<HTMLAnchorElement>("[data-link]")!.href = answer.location;
        ready.querySelector("[data-link]")!.textContent = file.name;
        watch.disconnect();
        row.replaceWith(ready);
        end(answer.location);
        return;
      }
      if (request.status === 401) {
        window.location.reload(); // the session is over: the page says so and leads back
        return;
      }
      watch.disconnect();
      refuse(row, file.name, answer.sentence ?? texts.broken ?? "");
      end(null);
    });
    request.addEventListener("error", () => {
      watch.disconnect();
      refuse(row, file.name, texts.broken ?? "");
      end(null);
    });
    request.addEventListener("abort", () => end(null));

    request.open("PUT", `/documents?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(file);
  });
}
