// The conversation with the code agent goes on by itself; what is being typed stays.

const chat = document.getElementById("chat");

async function look() {
  const part = chat.firstElementChild;
  // Nobody looks, or somebody is about to press something in it.
  if (document.hidden || chat.contains(document.activeElement)) return;
  const answer = await fetch(`${chat.dataset.live}?seen=${part.dataset.version}`);
  if (answer.status !== 200 || answer.redirected) return;
  const open = new Set([...chat.querySelectorAll("details[open]")].map((item) => item.id));
  const anew = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const item of anew.querySelectorAll("details")) item.open ||= open.has(item.id);
  chat.replaceChildren(...anew.body.children);
}

if (chat) {
  const again = async () => {
    try {
      await look();
    } catch {
      // The portal is away: the next look tries again.
    }
    setTimeout(again, 2500);
  };
  setTimeout(again, 2500);
}
