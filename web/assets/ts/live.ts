// The live part of a page. The server sends it whole, htmx morphs it in; this file does
// what a person needs around that: the title, one spoken sentence, the focus, and asking
// by itself when the stream does not come through.

const pollEvery = 10_000;

interface Htmx {
  ajax(verb: string, path: string, context: Record<string, unknown>): Promise<void>;
}

interface Answered {
  ctx?: { response?: { status: number }; text?: string };
  status?: number; // of a stream that was opened again
}

export function keepLive(after: (root: ParentNode) => void): void {
  let live = document.getElementById("live");
  const stream = document.getElementById("stream");
  if (!live) return;
  let said = live.dataset.say;
  let stage = live.dataset.stage;
  let reload = live.dataset.reload;

  const settle = (): void => {
    live = document.getElementById("live");
    if (!live) return;
    if (live.dataset.reload !== reload) {
      location.reload();
      return;
    }
    if (live.dataset.title) {
      const brand = document.body.dataset.brand ?? "";
      document.title = `${live.dataset.title} · ${brand}`;
    }
    const say = live.dataset.say;
    if (say && say !== said) {
      said = say;
      const region = document.getElementById("said");
      if (region) region.textContent = say;
    }
    if (live.dataset.stage !== stage) {
      stage = live.dataset.stage;
      document.getElementById("toast")?.remove(); // what it says, and offers to undo, was the stage before
      moveFocus(live);
    }
    reload = live.dataset.reload;
    after(live);
  };
  document.addEventListener("htmx:after:swap", settle);

  if (!stream) return;
  let timer = 0;
  const ask = (): void => {
    if (document.hidden || !stream.isConnected) return;
    const { htmx } = window as unknown as { htmx: Htmx };
    // The header says that nobody did anything: what asks by itself keeps no session.
    void htmx.ajax("GET", location.href, { target: "#live", select: "#live", swap: "outerMorph", headers: { "Countersign-Passive": "1" } });
  };
  const poll = (): void => {
    if (!timer) timer = window.setInterval(ask, pollEvery);
  };
  const rest = (): void => {
    clearInterval(timer);
    timer = 0;
  };
  const failed = (event: Event): void => {
    const { ctx, status } = (event as CustomEvent<Answered>).detail;
    if (isOver(ctx?.response?.status ?? status)) ask(); // at once: the page's own address tells why
    poll();
  };
  stream.addEventListener("htmx:sse:error", failed);
  stream.addEventListener("htmx:response:error", failed);
  stream.addEventListener("htmx:error", failed);
  stream.addEventListener("htmx:sse:after:connection", rest);
  stream.addEventListener("htmx:sse:close", (event) => {
    rest();
    // "message" is the server's word that nothing can change any more.
    if ((event as CustomEvent<{ reason?: string }>).detail?.reason === "ended") poll();
  });
  document.body.addEventListener("htmx:response:error", (event) => {
    const { ctx } = (event as CustomEvent<Answered>).detail;
    if (event.target === stream || !isOver(ctx?.response?.status)) return;
    rest();
    stream.remove();
    tellEnd(ctx?.text ?? "");
  });
}

// The session has ended, the role was taken, what was here is gone: no later answer is another.
const isOver = (status?: number): boolean => status === 401 || status === 403 || status === 404;

// What the server says of the end takes the place of the page, with a way on. A reload
// would say it too, but might sign in unasked.
function tellEnd(answer: string): void {
  const said = new DOMParser().parseFromString(answer, "text/html");
  const main = document.getElementById("main");
  const told = said.getElementById("main");
  if (!main || !told) return;
  main.className = told.className;
  main.replaceChildren(...told.children);
  document.title = said.title;
  document.getElementById("toast")?.remove();
  const region = document.getElementById("said");
  if (region) region.textContent = main.querySelector("h1")?.textContent ?? "";
  moveFocus(main);
}

// A new step begins at its heading, but nobody is torn out of a field or a menu.
function moveFocus(live: HTMLElement): void {
  const at = document.activeElement;
  if (at && at !== document.body && at.isConnected && !live.contains(at)) return;
  const heading = live.querySelector<HTMLElement>("h1");
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: false });
}
