// Spares people some sending of forms; every page is complete without it. It asks this server only.
"use strict";

const CHECK_AFTER_MS = 400;

// The editor: line numbers, and what is wrong while somebody writes.
const form = document.getElementById("editor");
if (form) {
    const text = form.elements.text;
    const gutter = form.querySelector(".gutter");
    const outcome = document.getElementById("outcome");
    let wrong = new Set(Array.from(outcome.querySelectorAll("[data-line]"), (item) => Number(item.dataset.line)));
    let timer = 0;
    let asked = 0;
    let changed = false;

    const number = () => {
        const count = text.value.split("\n").length;
        gutter.replaceChildren();
        for (let line = 1; line <= count; line += 1) {
            const mark = document.createElement(wrong.has(line) ? "b" : "span");
            mark.textContent = (wrong.has(line) ? "▶ " : "") + line + "\n";
            gutter.append(mark);
        }
        gutter.scrollTop = text.scrollTop;
    };

    const goTo = (line, column) => {
        const lines = text.value.split("\n");
        const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
        const inLine = Array.from(lines[line - 1] ?? "").slice(0, column - 1).join("").length;
        text.focus();
        text.setSelectionRange(before + inLine, before + inLine);
    };

    const linkPlaces = () => {
        for (const item of outcome.querySelectorAll("[data-line]")) {
            const place = item.querySelector("strong");
            const button = document.createElement("button");
            button.type = "button";
            button.textContent = place.textContent.replace(/: $/, "");
            button.addEventListener("click", () => goTo(Number(item.dataset.line), Number(item.dataset.column)));
            place.replaceWith(button, " ");
        }
    };

    const part = (name, content, marks) => {
        const element = document.createElement(name);
        element.textContent = content;
        if (marks) element.className = marks;
        return element;
    };

    const show = (problems) => {
        wrong = new Set(problems.map((problem) => problem.line));
        number();
        outcome.replaceChildren();
        if (problems.length === 0) return;
        outcome.append(part("p", problems.length === 1 ? "One thing is wrong." : problems.length + " things are wrong.", "notice bad"));
        const list = part("ol", "", "problems");
        for (const problem of problems) {
            const item = part("li", "");
            item.dataset.line = problem.line;
            item.dataset.column = problem.column;
            item.append(part("strong", "Line " + problem.line + ", column " + problem.column + ": "), problem.message, " ");
            if (problem.hint) item.append(part("em", problem.hint));
            list.append(item);
        }
        outcome.append(list);
        linkPlaces();
    };

    const check = async () => {
        const mine = (asked += 1);
        try {
            const answer = await fetch("/admin/policy/check", {
                method: "POST",
                headers: { "content-type": "application/json", "x-wattle-form": form.elements.token.value },
                body: JSON.stringify({ text: text.value }),
            });
            if (answer.ok && mine === asked) show((await answer.json()).problems ?? []);
        } catch {
            // The server is away: the buttons will say so.
        }
    };

    text.addEventListener("input", () => {
        changed = true;
        number();
        clearTimeout(timer);
        timer = setTimeout(check, CHECK_AFTER_MS);
    });
    text.addEventListener("scroll", () => { gutter.scrollTop = text.scrollTop; });
    new ResizeObserver(() => { gutter.style.maxHeight = text.offsetHeight + "px"; }).observe(text);
    form.addEventListener("submit", () => { changed = false; });
    addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
    number();
    linkPlaces();
}

// The matrix: rows that hold the words, while somebody writes them.
const matrix = document.getElementById("matrix");
if (matrix) {
    const who = document.getElementById("who");
    const whom = document.getElementById("whom");
    const count = document.getElementById("count");
    const rows = Array.from(matrix.tBodies[0].rows, (row) => [row, row.cells[0].textContent.toLowerCase(), row.cells[1].textContent.toLowerCase()]);
    const filter = () => {
        let shown = 0;
        for (const [row, left, right] of rows) {
            row.hidden = !(left.includes(who.value.trim().toLowerCase()) && right.includes(whom.value.trim().toLowerCase()));
            shown += row.hidden ? 0 : 1;
        }
        count.textContent = shown + " of " + rows.length + " rows.";
    };
    who.addEventListener("input", filter);
    whom.addEventListener("input", filter);
}
