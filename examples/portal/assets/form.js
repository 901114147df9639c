// The form of a module as a wizard. The server draws, checks and remembers everything; this shows one step at a time
// and sends the form in the background when a row is added, a field decides about others, or a step is left.

const FORM = "module-form";
const form = () => document.getElementById(FORM);
const pages = () => [...form().querySelectorAll(".page")];

function show(number) {
  form().dataset.page = number;
  form().querySelector("input[name=page]").value = number;
  for (const page of pages()) page.hidden = Number(page.dataset.number) !== number;
  for (const button of form().querySelectorAll(".steps button")) {
    if (Number(button.dataset.go) === number) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  }
  if (number === pages().length) review();
}

function review() {
  const list = document.getElementById("review-values");
  list.replaceChildren();
  for (const field of form().querySelectorAll(".page > [data-field]:not([hidden])")) {
    const term = document.createElement("dt");
    term.textContent = (field.querySelector(":scope > label, :scope > legend")?.firstChild?.textContent || "").trim()
      || field.querySelector(":scope > label")?.textContent.trim();
    const value = document.createElement("dd");
    const inputs = [...field.querySelectorAll("input:not([type=hidden]), select, textarea")];
    value.textContent = inputs.map(text).filter(Boolean).join(", ") || "–";
    const row = document.createElement("div");
    row.append(term, value);
    list.append(row);
  }
}

function text(input) {
  if (input.type === "checkbox") return input.checked ? "yes" : "no";
  if (input.type === "password") return input.value ? "••••••••" : "";
  if (input.tagName === "SELECT") return input.value ? input.selectedOptions[0].text : "";
  return input.value;
}

async function send(what) {
  const body = new URLSearchParams(new FormData(form()));
  body.set("do", what);
  const answer = await fetch(form().action, { method: "POST", body, redirect: "follow" });
  const drawn = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(FORM);
  if (!drawn) {
    // Signed out, or something is wrong: let the browser show it.
    window.location.assign(form().action);
    return false;
  }
  const focused = document.activeElement?.id;
  const number = Number(form().dataset.page);
  form().replaceWith(drawn);
  start(number);
  if (focused) document.getElementById(focused)?.focus();
  return answer.ok;
}

function valid(page) {
  const inputs = [...page.querySelectorAll("input, select, textarea")];
  return inputs.every((input) => input.closest("[hidden]") || input.reportValidity());
}

async function go(target) {
  const current = Number(form().dataset.page);
  for (let number = current; number < target; number += 1) {
    const page = pages().find((page) => Number(page.dataset.number) === number);
    if (!valid(page) || !(await send(`check:${number}`))) {
      show(number);
      form().querySelector("[aria-invalid=true], .wrong input")?.focus();
      return;
    }
  }
  show(target);
  window.scrollTo({ top: 0 });
}

function start(number) {
  form().noValidate = true;
  form().querySelector(".steps").hidden = false;
  for (const bar of form().querySelectorAll(".page .bar, .page .bar [data-go]")) bar.hidden = false;
  show(Math.min(number, pages().length));
  form().addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.go) go(Number(button.dataset.go));
    else if (button.dataset.next) go(Number(button.dataset.next) + 1);
    else if (/^(add|remove):/.test(button.value)) {
      event.preventDefault();
      send(button.value);
    }
  });
  form().addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input") && Number(form().dataset.page) < pages().length) {
      event.preventDefault();
      go(Number(form().dataset.page) + 1);
    }
  });
  form().addEventListener("change", (event) => {
    if (event.target.matches("[data-refresh]")) send("refresh:");
  });
  form().addEventListener("submit", () => {
    // The server keeps the second of two submissions from deploying again; this keeps it from being sent.
    window.setTimeout(() => { document.getElementById("deploy-now").disabled = true; });
  });
}

if (form()) start(Number(form().dataset.page));
