// The live part of a page. The server sends it whole, htmx morphs it in; this file does
// what a person needs around that: the title, one spoken sentence, the focus, and asking
// by itself when the stream does not come through.

const pollEvery = 10_000;

interface Htmx {
  ajax(verb: string, path: string, context: Record<string, string>): Promise<void>;
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
    void htmx.ajax("GET", location.href, { target: "#live", select: "#live", swap: "outerMorph" });
  };
  const poll = (): void => {
    if (!timer) timer = window.setInterval(ask, pollEvery);
  };
  const rest = (): void => {
    clearInterval(timer);
    timer = 0;
  };
  stream.addEventListener("htmx:sse:error", poll);
  stream.addEventListener("htmx:sse:after:connection", rest);
  stream.addEventListener("htmx:sse:close", (event) => {
    rest();
    // "message" is the server's word that nothing can change any more.
    if ((event as CustomEvent<{ reason?: string }>).detail?.reason === "ended") poll();
  });
  stream.addEventListener("htmx:response:error", poll);
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
