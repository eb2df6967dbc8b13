/* The schema editor: line numbers with the wrong ones marked, Tab that indents, Enter that keeps the indentation. */
"use strict";

(() => {
  const INDENT = "  ";

  function dress(editor) {
    if (editor.classList.contains("numbered")) return;
    const field = editor.querySelector("textarea");
    const gutter = document.createElement("div");
    gutter.className = "gutter";
    gutter.setAttribute("aria-hidden", "true");
    const numbers = document.createElement("pre");
    gutter.append(numbers);
    editor.prepend(gutter);
    editor.classList.add("numbered");
    let marked = new Set((editor.dataset.marked || "").split(",").filter(Boolean).map(Number));
    let shown = 0;

    function count() {
      const lines = field.value.split("\n").length;
      if (lines === shown) return;
      shown = lines;
      numbers.replaceChildren(...Array.from({ length: lines }, (_, at) => {
        const line = document.createElement(marked.has(at + 1) ? "b" : "span");
        line.textContent = at + 1;
        return line;
      }));
    }

    const follow = () => { numbers.style.transform = `translateY(${-field.scrollTop}px)`; };
    field.addEventListener("scroll", follow, { passive: true });
    field.addEventListener("input", () => {
      if (marked.size) { marked = new Set(); shown = 0; } // the marks were about the text before
      count();
    });
    count();
    const first = Math.min(...marked);
    if (marked.size) field.scrollTop = Math.max(0, (first - 4) * 20);
    follow();
  }

  /* execCommand keeps the browser's own undo; it is what every browser still does in a text area. */
  const insert = (text) => document.execCommand("insertText", false, text);

  function indentLines(field, outwards) {
    const start = field.value.lastIndexOf("\n", field.selectionStart - 1) + 1;
    const end = field.selectionEnd;
    const lines = field.value.slice(start, end).split("\n");
    const moved = lines.map((line) => outwards ? line.replace(/^(\t| {1,2})/, "") : INDENT + line).join("\n");
    field.setSelectionRange(start, end);
    insert(moved);
    field.setSelectionRange(start, start + moved.length);
  }

  let leaves = false; // Esc, then Tab goes on to the next control: nobody is kept in here

  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLTextAreaElement) || !field.closest("[data-editor]")) return;
    if (event.key === "Escape") { leaves = true; return; }
    if (event.key === "Tab" && !leaves && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      if (event.shiftKey || field.value.slice(field.selectionStart, field.selectionEnd).includes("\n")) indentLines(field, event.shiftKey);
      else insert(INDENT);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) {
      const before = field.value.slice(0, field.selectionStart);
      const line = before.slice(before.lastIndexOf("\n") + 1);
      const deeper = /[{[(]\s*$/.test(line) ? INDENT : "";
      event.preventDefault();
      insert("\n" + line.match(/^[ \t]*/)[0] + deeper);
    }
    leaves = false;
  });

  const dressAll = () => document.querySelectorAll("[data-editor]").forEach(dress);
  document.addEventListener("htmx:afterSettle", dressAll);
  dressAll();
})();
