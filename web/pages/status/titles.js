/** The titles of the catalogue, each with its player page and its orders. */

import { $, h } from "/player/dom.js";
import * as words from "/player/words.js";
import { ask } from "./api.js";

export async function titleList(list, report) {
  let titles;
  try {
    titles = await ask("/v1/catalogue");
  } catch (fault) {
    list.replaceChildren(h("li", { class: "soft" }, fault.message));
    return;
  }
  const items = titles.map((title) => h("li", {},
    h("div", { class: "title" },
      h("b", {}, title.name),
      h("span", { class: "soft small" },
        `${words.clock(title.seconds)} · ${title.renditions.map((each) => each.name).join(" ")} · ${title.objects} files · ${title.host}/${title.key}`),
      h("span", { class: "small watch-as" }, "Watch ", h("a", { href: title.watch_url }, "from here"),
        Object.entries(title.watch_as).map(([viewer, url]) => [" · ", h("a", { href: url }, `as ${viewer}`)]).flat())),
    h("div", { class: "orders" },
      orderButton("Warm", "/v1/warm", title, report), orderButton("Purge", "/v1/purge", title, report))));
  list.replaceChildren(...(items.length ? items : [h("li", { class: "soft" }, "No title yet: package one.")]));
  if (titles.length) $("#explain [name=url]").value ||= `http://${titles[0].host}/${titles[0].key}`;
}

function orderButton(word, path, title, report) {
  const button = h("button", { type: "button", "aria-label": `${word} ${title.name}`, onclick: give }, word);
  async function give() {
    button.disabled = true;
    report.textContent = `${word}: “${title.name}” …`;
    try {
      report.textContent = outcome(word, title, await ask(path, { title: title.key }));
    } catch (fault) {
      report.textContent = `${word}: ${fault.message}`;
    } finally {
      button.disabled = false;
    }
  }
  return button;
}

function outcome(word, title, done) {
  const well = done.servers.filter((each) => each.done).length;
  const not = done.servers.filter((each) => !each.done).map((each) => `${each.server} (${each.trouble})`);
  const all = `${word}: “${title.name}”, ${done.targets} files, done by ${well} of ${done.servers.length} content servers`;
  return not.length ? `${all}; not by ${not.join(", ")}.` : `${all}.`;
}
