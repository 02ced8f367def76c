// The preview: pdf.js draws the exact stored bytes, fetched in ranges, in the reader's own
// tab. No eval, own worker file, own fonts. Pages are drawn as they come into view; the
// bar, the keyboard and a text form work on the same pages.
import * as pdfjs from "pdfjs-dist";
import type { PDFDocumentProxy, PDFPageProxy, RenderTask } from "pdfjs-dist";

declare const PDF_WORKER: string;
declare const PDF_DATA: string;

pdfjs.GlobalWorkerOptions.workerSrc = PDF_WORKER;

const zooms = [0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3];
const mostPixels = 16_777_216; // of one canvas

class Sheet {
  readonly element = document.createElement("div");
  private page: PDFPageProxy | null = null;
  private task: RenderTask | null = null;
  private drawn = 0;

  constructor(private readonly file: PDFDocumentProxy, readonly number: number, label: string) {
    this.element.className = "page-sheet";
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", label);
    this.element.dataset.number = String(number);
  }

  async load(): Promise<PDFPageProxy> {
    if (!this.page) {
      this.page = await this.file.getPage(this.number);
      const { width, height } = this.page.getViewport({ scale: 1 });
      this.element.style.setProperty("--ratio", String(width / height));
    }
    return this.page;
  }

  async draw(): Promise<void> {
    const page = await this.load();
    const wide = this.element.clientWidth;
    if (!wide || this.drawn === wide) return;
    this.drawn = wide;
    this.task?.cancel();
    const natural = page.getViewport({ scale: 1 });
    let scale = (wide / natural.width) * Math.min(window.devicePixelRatio || 1, 2);
    scale = Math.min(scale, Math.sqrt(mostPixels / (natural.width * natural.height)));
    const viewport = page.getViewport({ scale });
    const canvas = document.createElement("canvas");
    canvas.width = Math.floor(viewport.width);
    canvas.height = Math.floor(viewport.height);
    this.task = page.render({ canvas, viewport, annotationMode: pdfjs.AnnotationMode.ENABLE });
    try {
      await this.task.promise;
      this.element.replaceChildren(canvas);
    } catch (error) {
      if (!(error instanceof pdfjs.RenderingCancelledException)) throw error;
    }
  }

  forget(): void {
    this.task?.cancel();
    this.drawn = 0;
    this.element.replaceChildren();
    this.page?.cleanup();
  }
}

class Viewer {
  private readonly pages: HTMLElement;
  private readonly bar: HTMLElement;
  private readonly at: HTMLElement;
  private sheets: Sheet[] = [];
  private file: PDFDocumentProxy | null = null;
  private current = 1;
  private zoom = 3;
  private text = false;

  constructor(private readonly root: HTMLElement) {
    this.pages = root.querySelector("[data-sheets]")!;
    this.bar = root.querySelector("[data-bar]")!;
    this.at = root.querySelector("[data-at]")!;
  }

  async open(): Promise<void> {
    const loading = pdfjs.getDocument({
      url: this.root.dataset.viewer,
      isEvalSupported: false,
      useWasm: false,
      enableXfa: false,
      cMapUrl: `${PDF_DATA}cmaps/`,
      cMapPacked: true,
      standardFontDataUrl: `${PDF_DATA}standard_fonts/`,
      wasmUrl: `${PDF_DATA}wasm/`,
      disableAutoFetch: true, // only what is looked at
      disableStream: true,
      rangeChunkSize: 131_072,
    });
    this.file = await loading.promise;
    this.sheets = Array.from({ length: this.file.numPages }, (_, i) => new Sheet(this.file!, i + 1, this.label(i + 1)));
    const first = await this.sheets[0]!.load();
    const { width, height } = first.getViewport({ scale: 1 });
    for (const sheet of this.sheets.slice(1)) sheet.element.style.setProperty("--ratio", String(width / height));
    this.pages.replaceChildren(...this.sheets.map((s) => s.element));
    this.bar.hidden = false;
    this.watch();
    this.fit();
    this.show();
    this.bar.addEventListener("click", (event) => {
      const button = (event.target as Element).closest<HTMLButtonElement>("[data-do]");
      if (button) void this.do(button.dataset.do!, button);
    });
    this.pages.addEventListener("keydown", (event) => this.key(event));
    let waiting = 0;
    new ResizeObserver(() => {
      clearTimeout(waiting);
      waiting = window.setTimeout(() => this.fit(), 150);
    }).observe(this.pages);
  }

  private label(number: number): string {
    return (this.root.dataset.page ?? "{at} / {all}").replace("{at}", String(number)).replace("{all}", String(this.file?.numPages ?? 1));
  }

  private watch(): void {
    const near = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) {
        const sheet = this.sheets[Number((target as HTMLElement).dataset.number) - 1]!;
        if (isIntersecting) void sheet.draw();
        else sheet.forget();
      }
    }, { root: this.pages, rootMargin: "150% 0px" });
    for (const sheet of this.sheets) near.observe(sheet.element);
    this.pages.addEventListener("scroll", () => this.notice(), { passive: true });
  }

  // The current page is the one that holds the upper third of what is shown.
  private notice(): void {
    const line = this.pages.getBoundingClientRect().top + this.pages.clientHeight / 3;
    let current = 1;
    for (const child of this.pages.children) {
      if (child.getBoundingClientRect().top <= line) current = Number((child as HTMLElement).dataset.number ?? current);
    }
    if (current !== this.current) {
      this.current = current;
      this.show();
    }
  }

  private show(): void {
    this.at.textContent = this.label(this.current);
    this.button("before").disabled = this.current <= 1;
    this.button("after").disabled = this.current >= this.sheets.length;
    this.button("smaller").disabled = this.text || this.zoom === 0;
    this.button("larger").disabled = this.text || this.zoom === zooms.length - 1;
    this.root.querySelector("[data-zoom]")!.textContent = `${Math.round(zooms[this.zoom]! * 100)}\u00a0%`;
  }

  private button(name: string): HTMLButtonElement {
    return this.bar.querySelector<HTMLButtonElement>(`[data-do=${name}]`)!;
  }

  private fit(): void {
    if (this.text) return;
    const room = this.pages.clientWidth - 32;
    const wide = Math.max(120, Math.min(room, 720) * zooms[this.zoom]!);
    for (const sheet of this.sheets) sheet.element.style.inlineSize = `${wide}px`;
    this.pages.classList.toggle("wider", wide > room);
    const shown = this.pages.getBoundingClientRect();
    for (const sheet of this.sheets) {
      const box = sheet.element.getBoundingClientRect();
      if (box.bottom > shown.top - shown.height && box.top < shown.bottom + shown.height) void sheet.draw();
    }
  }

  private go(number: number): void {
    const child = this.pages.children[Math.min(Math.max(number, 1), this.sheets.length) - 1] as HTMLElement | undefined;
    if (child) this.pages.scrollTo({ top: child.offsetTop - this.pages.offsetTop - 16 });
  }

  private async do(what: string, button?: HTMLButtonElement): Promise<void> {
    switch (what) {
      case "before": this.go(this.current - 1); break;
      case "after": this.go(this.current + 1); break;
      case "smaller": this.scale(-1); break;
      case "larger": this.scale(1); break;
      case "text":
        this.text = !this.text;
        button?.setAttribute("aria-pressed", String(this.text));
        await this.swap();
    }
    this.show();
  }

  private scale(by: number): void {
    const before = this.pages.scrollTop / Math.max(this.pages.scrollHeight, 1);
    this.zoom = Math.min(Math.max(this.zoom + by, 0), zooms.length - 1);
    this.fit();
    this.pages.scrollTop = before * this.pages.scrollHeight;
  }

  private key(event: KeyboardEvent): void {
    const step: Record<string, string> = { PageDown: "after", PageUp: "before", ArrowRight: "after", ArrowLeft: "before", "+": "larger", "-": "smaller" };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Home") this.go(1);
    else if (event.key === "End") this.go(this.sheets.length);
    else if (step[event.key]) void this.do(step[event.key]!);
    else return;
    event.preventDefault();
  }

  // The words of each page instead of its picture, for those who hear or enlarge.
  private async swap(): Promise<void> {
    const page = this.current;
    if (!this.text) {
      this.pages.replaceChildren(...this.sheets.map((s) => s.element));
      this.fit();
      this.go(page);
      return;
    }
    for (const sheet of this.sheets) sheet.forget();
    const texts = this.sheets.map((sheet) => {
      const part = document.createElement("article");
      part.className = "page-text";
      part.dataset.number = String(sheet.number);
      const head = document.createElement("h3");
      head.textContent = this.label(sheet.number);
      part.append(head);
      return part;
    });
    this.pages.replaceChildren(...texts);
    for (const [i, sheet] of this.sheets.entries()) {
      const content = await (await sheet.load()).getTextContent();
      if (!this.text) return;
      let words = "";
      for (const item of content.items) if ("str" in item) words += item.str + (item.hasEOL ? "\n" : "");
      const body = document.createElement("p");
      body.textContent = words.trim() || (this.root.dataset.noText ?? "");
      texts[i]!.append(body);
      if (sheet.number === page) this.go(page);
    }
  }
}

for (const root of document.querySelectorAll<HTMLElement>("[data-viewer]")) {
  new Viewer(root).open().catch((error: unknown) => {
    console.warn("preview", error);
    const note = document.createElement("p");
    note.className = "viewer-note";
    note.setAttribute("role", "alert");
    note.textContent = root.dataset.failed ?? "";
    root.querySelector("[data-sheets]")?.replaceChildren(note);
  });
}
