/* What pages do beyond htmx: charts, pause, keys, palette, copy, theme, toasts. Pages are whole without it. */
"use strict";

const root = document.documentElement;
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const read = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private windows refuse */ } };
const cookiePath = document.body.dataset.base;

function setCookie(name, value) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${value}; Path=${cookiePath}; Max-Age=31536000; SameSite=Lax${secure}`;
}

/* --- the reader's zone: times are written by the server, so it has to know ------------------------------------ */

function tellZone() {
  const minutes = -new Date().getTimezoneOffset();
  if (Number(root.dataset.zone) === minutes) return;
  setCookie("caudal_zone", minutes);
  root.dataset.zone = minutes;
  refreshLive();
}

/* --- live parts ------------------------------------------------------------------------------------------------ */

let paused = false;

function refreshLive() {
  all("[data-poll]").forEach((poller) => {
    const version = one("[name=v]", poller);
    if (version) version.value = "";
    htmx.trigger(poller, "refresh");
  });
}

function pause(wanted) {
  paused = wanted;
  const button = one("[data-pause]");
  if (!button) return;
  button.setAttribute("aria-pressed", String(paused));
  button.textContent = paused ? "Resume" : "Pause";
  if (!paused) refreshLive();
}

document.addEventListener("htmx:beforeRequest", (event) => {
  const isPoll = event.detail.elt.hasAttribute("data-poll");
  if (isPoll && (paused || document.hidden)) event.preventDefault();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused) refreshLive(); });

document.addEventListener("htmx:afterRequest", (event) => {
  const { xhr, elt } = event.detail;
  const status = xhr ? xhr.status : 0; // htmx calls an answer that leads to another page neither successful nor failed
  const asOf = xhr && xhr.getResponseHeader("Caudal-As-Of");
  if (asOf && one("#as-of")) one("#as-of").textContent = asOf;
  if (elt.hasAttribute("data-poll")) connection(status >= 200 && status < 400);
  else if (status >= 400 && status !== 422) {
    toast(status === 403 ? "This page is too old to change anything. Load it again." : `The request failed (${status}).`, true);
  }
});

function connection(works) {
  const lost = one("#lost");
  if (lost) lost.hidden = works;
}

document.addEventListener("htmx:afterSwap", () => {
  const notices = one("#notices");
  if (!notices) return;
  const away = notices.dataset.away === "true";
  all("fieldset[data-changes]").forEach((fieldset) => { fieldset.disabled = away || fieldset.hasAttribute("data-closed"); });
});

/* --- toasts ---------------------------------------------------------------------------------------------------- */

const TOAST_MS = 7000;

function toast(words, isError = false) {
  const element = one("#toast-shape").content.firstElementChild.cloneNode(true);
  one("p", element).textContent = words;
  if (isError) { element.classList.add("bad"); element.setAttribute("role", "alert"); }
  one("#toasts").append(element);
  expire(element);
}

function expire(element) {
  if (!element.classList.contains("bad")) setTimeout(() => element.remove(), TOAST_MS);
}

document.addEventListener("toast", (event) => toast(event.detail.words, event.detail.error));

/* --- charts ---------------------------------------------------------------------------------------------------- */

const drawn = new Map();

/** A custom property made of light-dark() as the colour it is now. */
function colours() {
  const probe = document.createElement("i");
  document.body.append(probe);
  const of = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
  const found = {};
  ["series-1", "series-2", "series-3", "series-4", "warn", "bad", "line", "line-strong", "ink", "ink-3", "surface"].forEach((name) => { found[name] = of(name); });
  probe.remove();
  return found;
}

const faded = (colour, share) => colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`);

function dressed(figure, ink) {
  const data = figure.data.map((trace) => {
    const colour = ink[(trace.meta && trace.meta.tone) || "series-1"];
    const line = { width: 2, ...trace.line, color: colour };
    return { ...trace, line, marker: { color: colour }, fillcolor: faded(colour, 0.09), connectgaps: false };
  });
  const font = { family: "Inter, system-ui, sans-serif", size: 11, color: ink["ink-3"] };
  const axis = { gridcolor: ink.line, zeroline: false, linecolor: ink.line, fixedrange: true, automargin: true, ticks: "" };
  const layout = {
    ...figure.layout, font, showlegend: false, hovermode: "x unified", dragmode: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 8, r: 8, t: 8, b: 8 },
    hoverlabel: { bgcolor: ink.surface, bordercolor: ink["line-strong"], font: { ...font, size: 12, color: ink.ink } },
    xaxis: { ...axis, showgrid: false, nticks: 6, ...figure.layout.xaxis },
    yaxis: { ...axis, nticks: 5, rangemode: "tozero", ...figure.layout.yaxis },
  };
  if (figure.layout.yaxis2) layout.yaxis2 = { ...axis, tickmode: "auto", nticks: 5, rangemode: "tozero", showgrid: false, overlaying: "y", side: "right", ...figure.layout.yaxis2 };
  return { data, layout };
}

function drawCharts(again = false) {
  if (!window.Plotly) return;
  const ink = colours();
  all("script[data-figure]").forEach((source) => {
    const plot = document.getElementById(source.dataset.figure);
    if (!plot || (!again && drawn.get(plot) === source.textContent)) return;
    if (!drawn.has(plot)) plot.replaceChildren();
    const { data, layout } = dressed(JSON.parse(source.textContent), ink);
    window.Plotly.react(plot, data, layout, { displayModeBar: false, responsive: true, displaylogo: false, doubleClick: false, showTips: false });
    drawn.set(plot, source.textContent);
  });
}

document.addEventListener("htmx:afterSettle", () => { drawCharts(); });
document.addEventListener("htmx:beforeCleanupElement", (event) => {
  if (drawn.delete(event.target)) window.Plotly.purge(event.target);
});

/* --- theme ----------------------------------------------------------------------------------------------------- */

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-theme-choice]");
  if (!button) return;
  event.preventDefault();
  const theme = button.dataset.themeChoice;
  setCookie("caudal_theme", theme || "system");
  if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
  all("[data-theme-choice]").forEach((other) => other.setAttribute("aria-pressed", String(other.dataset.themeChoice === theme)));
  drawCharts(true);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawCharts(true));

/* --- clicks: pause, close, copy -------------------------------------------------------------------------------- */

async function copy(button) {
  const source = button.dataset.copyFrom ? document.getElementById(button.dataset.copyFrom).textContent : button.dataset.copy;
  try {
    await navigator.clipboard.writeText(source);
    toast("Copied.");
  } catch {
    toast("The browser did not allow copying. Select the text and copy it by hand.", true);
  }
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-pause], [data-close], [data-copy], [data-copy-from], [data-opens]");
  if (!target) return;
  if (target.matches("[data-pause]")) pause(!paused);
  else if (target.matches("[data-close]")) target.closest(".toast, dialog")[target.closest("dialog") ? "close" : "remove"]();
  else if (target.matches("[data-opens]")) { event.preventDefault(); openDialog(target.dataset.opens); }
  else copy(target);
});

/* A destructive button wakes up when the name is typed as it is; the server checks it again. */
function guard(form) {
  const name = one("[data-must-be]", form);
  const button = one("[data-guarded]", form);
  if (name && button) button.disabled = name.value !== name.dataset.mustBe;
}
document.addEventListener("input", (event) => { if (event.target.matches("[data-must-be]")) guard(event.target.form); });

/* --- keys ------------------------------------------------------------------------------------------------------ */

const keysAreOn = () => read("caudal-keys") !== "off";
let waiting = "";
let waitingSince = 0;

function openDialog(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  dialog.showModal();
  const field = one("input[type=search]", dialog);
  if (field) { field.select(); htmx.trigger(field, "search"); }
}

function isTyping(target) {
  return target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;
}

function moveRow(step) {
  const rows = all("tbody tr[data-row]");
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
  const link = one("a, summary", next);
  if (link) link.focus();
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    if (!one("#palette")) return;
    event.preventDefault();
    openDialog("palette");
    return;
  }
  if (event.target.closest("#palette")) { movePalette(event); return; }
  if (!keysAreOn() || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const chord = Date.now() - waitingSince < 1200 ? waiting + event.key : event.key;
  waiting = event.key === "g" ? "g" : "";
  waitingSince = Date.now();
  const link = one(`[data-keys="${CSS.escape(chord)}"]`);
  if (chord.length > 1 && link) { event.preventDefault(); location.href = link.href; }
  else if (event.key === "/") { event.preventDefault(); const field = one("main input[type=search]"); if (field) field.focus(); else openDialog("palette"); }
  else if (event.key === "?") openDialog("keys");
  else if (event.key === "j" || event.key === "k") moveRow(event.key === "j" ? 1 : -1);
});

function movePalette(event) {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") {
    if (event.key === "Enter" && event.target.matches("input")) {
      const first = one(".found a", one("#palette"));
      if (first) { event.preventDefault(); location.href = first.href; }
    }
    return;
  }
  event.preventDefault();
  const stops = all("input, .found a", one("#palette"));
  const at = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
  stops[Math.min(Math.max(at, 0), stops.length - 1)].focus();
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-keys-switch]")) keep("caudal-keys", event.target.checked ? "on" : "off");
});
all("dialog").forEach((dialog) => dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); }));

/* --- start ----------------------------------------------------------------------------------------------------- */

/* What is being typed is never overwritten, and what the reader unfolded stays so. Charts that plotly drew are not morphed: the server's own drawing in the answer is only their first sight. */
Idiomorph.defaults.ignoreActiveValue = true;
Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !(old.nodeType === 1 && old.hasAttribute("data-keep") && drawn.has(old));
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) => !(name === "open" && element.tagName === "DETAILS");
all("[data-must-be]").forEach((field) => guard(field.form));
all("[data-keys-switch]").forEach((field) => { field.checked = keysAreOn(); });
all(".toast").forEach(expire);
drawCharts();
document.addEventListener("DOMContentLoaded", tellZone); // after htmx's own listener, which makes the pollers work
