// The branches of a repository are listed as soon as it is chosen.

const form = document.getElementById("connection");
let asked = 0;

async function list() {
  const fields = new FormData(form);
  const repository = fields.get("repository");
  if (!repository) return;
  const mine = ++asked;
  const query = new URLSearchParams({ repository, branch: fields.get("branch") ?? "" });
  const answer = await fetch(`/profile/branches?${query}`);
  // Another one was chosen meanwhile, or nobody is signed in any more.
  if (mine !== asked || !answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.getElementById("branches").replaceWith(page.getElementById("branches"));
  form.querySelector("[data-filter]").dispatchEvent(new Event("input"));
}

if (form) {
  form.addEventListener("change", (event) => {
    if (event.target.name === "repository") list();
  });
  document.getElementById("list-branches").addEventListener("click", (event) => {
    event.preventDefault();
    list();
  });
}
