// Keeps a page that shows what arrives up to date. Without it, reload.
const live = document.querySelector("main[data-live]");
const look = async () => {
  if (document.hidden || live.contains(document.activeElement)) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (next && next.innerHTML !== live.innerHTML) live.replaceChildren(...next.childNodes);
  } catch {
    // The simulator is away; the next look may find it.
  }
};
if (live) setInterval(look, 1500);
