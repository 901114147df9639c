// Live pages: the log and progress of a run, the statuses of a list. EventSource connects again by itself and names the
// last event it has seen, so that the log goes on where it stopped.

function setStatus(badge, status) {
  // A check leaves the status of its deployment as it is.
  if (!badge || status === null) return;
  badge.textContent = status;
  badge.className = `badge status ${status.replaceAll(" ", "-")}`;
}

const run = document.getElementById("run");
if (run && run.dataset.live === "true") {
  const log = document.getElementById("log");
  const events = new EventSource(run.dataset.events);
  events.addEventListener("log", (event) => {
    const follows = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
    log.append(JSON.parse(event.data));
    if (follows) log.scrollTop = log.scrollHeight;
  });
  events.addEventListener("status", (event) => {
    const progress = JSON.parse(event.data);
    setStatus(document.getElementById("status"), progress.status);
    // What is to be confirmed, or no longer is, is on the page anew.
    if (String(progress.asks) !== run.dataset.asks) window.location.reload();
    document.getElementById("step").textContent = progress.step;
    const bar = document.getElementById("bar");
    bar.max = Math.max(progress.total, 1);
    bar.value = progress.done;
    document.getElementById("count").textContent = `${progress.done} of ${progress.total} resources`;
    document.getElementById("resources").replaceChildren(...progress.resources.map(resource));
  });
  events.addEventListener("end", () => {
    events.close();
    // Outputs, costs and what can be done now are on the page anew.
    window.location.replace(window.location.pathname);
  });
}

// Between the end of what is stopped and the run of the purge there is nothing live to follow.
if (run && run.dataset.live !== "true" && run.dataset.purging === "true") {
  window.setTimeout(() => window.location.replace(window.location.pathname), 1000);
}

function resource(item) {
  const line = document.createElement("li");
  line.className = item.status;
  const address = document.createElement("code");
  address.textContent = item.address;
  const state = document.createElement("span");
  const seconds = item.seconds === null ? "" : ` · ${item.seconds} s`;
  state.textContent = `${item.change} · ${item.status}${seconds}`;
  line.append(address, state);
  return line;
}

const table = document.querySelector("table[data-events]");
if (table) {
  const events = new EventSource(table.dataset.events);
  events.addEventListener("statuses", (event) => {
    const rows = JSON.parse(event.data);
    const known = rows.every((row) => {
      const line = document.getElementById(`d-${row.id}`);
      if (line) setStatus(line.querySelector("[data-status]"), row.status);
      return line;
    });
    if (!known) window.location.reload();
  });
}
