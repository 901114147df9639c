// What every page gains with scripts: filtering as one types, sorting at once, a question before what cannot be undone.

for (const input of document.querySelectorAll("[data-filter]")) {
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/);
    for (const item of document.querySelectorAll(input.dataset.filter)) {
      const text = (item.dataset.search ?? item.textContent).toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
    }
  };
  input.addEventListener("input", filter);
  // Something may have been typed, or kept by the browser, before this ran.
  filter();
}

for (const select of document.querySelectorAll("[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!window.confirm(form.dataset.confirm)) event.preventDefault();
  });
}
