// Keeps what arrives up to date on the pages that show it. Without it, reload.
const parts = () => [...document.querySelectorAll("[data-live]")];
const look = async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts()) {
      const fresh = next.getElementById(part.id);
      // Not under somebody's hands.
      if (!fresh || part.contains(document.activeElement) || (fresh.innerHTML === part.innerHTML && fresh.className === part.className)) continue;
      part.className = fresh.className;
      part.replaceChildren(...fresh.childNodes);
    }
  } catch {
    // The simulator is away; the next look may find it.
  }
};
if (parts().length > 0) setInterval(look, 1500);
