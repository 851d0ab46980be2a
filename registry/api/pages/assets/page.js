// Puts results into the page in place. Without it every form works as forms do: the server draws all there is to see.
"use strict";

const result = document.getElementById("result");
const byIdentifier = document.getElementById("by-identifier");
const byFile = document.getElementById("by-file");
const file = document.getElementById("file");
const drop = document.getElementById("drop");
document.documentElement.classList.add("scripted");

function say(where, zh, en) {
  const place = document.getElementById(where);
  place.replaceChildren();
  if (!zh) return;
  const english = document.createElement("span");
  english.lang = "en";
  english.textContent = en;
  place.append(zh, " ", english);
}

function hush() {
  say("identifier-says", "");
  say("file-says", "");
}

async function ask(form, address, options, says) {
  const button = form.querySelector("button");
  hush();
  button.disabled = true;
  result.classList.add("busy");
  result.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { ...options, headers: { Accept: "text/html" }, credentials: "omit" });
    const drawn = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = drawn.getElementById("result");
    if (!found) throw new Error(String(answer.status));
    result.replaceChildren(...found.childNodes);
    result.dataset.outcome = found.dataset.outcome;
    document.title = drawn.title;
    document.getElementById("ask-title").replaceWith(drawn.getElementById("ask-title"));
    return answer;
  } catch {
    say(says, "无法连接核验服务，请稍后重试。", "The verification service cannot be reached; try again later.");
    return null;
  } finally {
    button.disabled = false;
    result.classList.remove("busy");
    result.removeAttribute("aria-busy");
  }
}

function show() {
  const verdict = document.getElementById("verdict");
  if (!verdict) return;
  result.scrollIntoView({ block: "start" });
  verdict.focus({ preventScroll: true });
}

byIdentifier.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = byIdentifier.elements.identifier.value.trim();
  if (!given) {
    say("identifier-says", "请输入证照标识。", "Enter an identifier.");
    byIdentifier.elements.identifier.focus();
    return;
  }
  const address = `${byIdentifier.getAttribute("action")}?identifier=${encodeURIComponent(given)}`;
  const answer = await ask(byIdentifier, address, {}, "identifier-says");
  if (!answer) return;
  history.pushState(null, "", answer.url);
  show();
});

async function submitFile(chosen, text) {
  const limit = Number(file.dataset.limit);
  if (chosen && chosen.size > limit) {
    const size = (chosen.size / 1048576).toFixed(1);
    hush();
    say("file-says", `文件有 ${size} MB，超过 ${limit / 1048576} MB，不是本平台签发的证照文件。`,
      `The file has ${size} MB, more than ${limit / 1048576} MB: no licence issued here is that large.`);
    return;
  }
  if (!chosen && !text.trim()) {
    hush();
    say("file-says", "请选择文件，或粘贴文本。", "Choose a file, or paste its text.");
    file.focus();
    return;
  }
  const form = new FormData();
  if (chosen) form.append("file", chosen, chosen.name);
  else form.append("text", text);
  if (await ask(byFile, byFile.getAttribute("action"), { method: "POST", body: form }, "file-says")) {
    history.pushState(null, "", byFile.getAttribute("action"));
    show();
  }
}

byFile.addEventListener("submit", (event) => {
  event.preventDefault();
  submitFile(file.files[0], byFile.elements.text.value);
});

file.addEventListener("change", () => {
  if (file.files[0]) submitFile(file.files[0], "");
});

for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer || !event.dataTransfer.files.length) return;
  event.preventDefault();
  drop.classList.remove("over");
  submitFile(event.dataTransfer.files[0], "");
});

byIdentifier.elements.identifier.addEventListener("keydown", (event) => {
  if (event.key === "Enter") {
    event.preventDefault();
    byIdentifier.requestSubmit();
  }
});

window.addEventListener("popstate", () => location.reload());
window.addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details.more")) each.open = true;
});
