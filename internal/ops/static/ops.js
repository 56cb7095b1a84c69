// Keeps the page fresh: fetches it again and exchanges what is in main, unless
// somebody is in the middle of something there. Without this script the page
// reloads by itself.
const every = 5000;
const main = document.querySelector("main");
const stale = document.getElementById("stale");

async function refresh() {
  if (document.hidden || main.contains(document.activeElement) || String(getSelection())) return;
  try {
    const answer = await fetch("/ops", { headers: { Accept: "text/html" }, redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = [...main.querySelectorAll("details[open][id]")].map((d) => d.id);
    main.replaceChildren(...page.querySelector("main").childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    document.title = page.title;
    stale.hidden = true;
  } catch {
    stale.hidden = false; // what is shown is from before; say so and try again
  }
}

if (location.search) history.replaceState(null, "", "/ops"); // what a button said is said once
setInterval(refresh, every);
document.addEventListener("visibilitychange", refresh);
