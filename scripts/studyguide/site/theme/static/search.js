// Search, loaded on first use together with the text of the book (search-index.js).
window.studyguideSearch = (() => {
  "use strict";
  // The form in which text and query are compared: no case, no full width, no space but between Latin words.
  const normal = (text) => text.normalize("NFKC").toLowerCase().replace(/[\u2061-\u2064]/g, "")
    .replace(/[ \t\u00a0]+/g, " ").replace(/ (?!\w)|(?<!\w) /g, "");
  const sections = [];
  let words = null;

  const load = (pages) => {
    pages.forEach(([href, accent, units], page) => {
      for (const [anchor, title, text] of units) {
        sections.push({
          page, accent, pageTitle: units[0][1], href: anchor ? `${href}#${anchor}` : href,
          title, text, first: !anchor, head: normal(title), body: normal(text),
        });
      }
    });
  };

  const count = (text, part) => {
    let n = 0;
    for (let at = text.indexOf(part); at >= 0 && n < 20; at = text.indexOf(part, at + part.length)) n++;
    return n;
  };
  const standsAlone = (text, part, at) => !/\w/.test(text[at - 1] || " ") && !/\w/.test(text[at + part.length] || " ");
  const score = (section, part) => {
    const inHead = section.head.indexOf(part), inBody = section.body.indexOf(part);
    if (inHead < 0 && inBody < 0) return 0;
    let points = Math.min(count(section.body, part), 10);
    if (inHead >= 0) points += (section.first ? 100 : 60) + (section.head === part ? 40 : inHead === 0 ? 10 : 0);
    if (/^\w+$/.test(part)) {
      const text = inHead >= 0 ? section.head : section.body, at = inHead >= 0 ? inHead : inBody;
      if (standsAlone(text, part, at)) points += 15;
    }
    return points;
  };
  const matching = (parts) => {
    const found = [];
    for (const section of sections) {
      let total = 0;
      for (const part of parts) {
        const points = score(section, part);
        if (!points) { total = 0; break; }
        total += points;
      }
      // Chapters before the pages that list and explain them.
      if (total) found.push({ section, points: total + (section.accent ? 8 : 0) });
    }
    return found;
  };

  // One typo: an insertion, a deletion, a changed letter or two letters swapped.
  const near = (a, b) => {
    if (Math.abs(a.length - b.length) > 1) return false;
    let i = 0;
    while (i < a.length && a[i] === b[i]) i++;
    const restA = a.slice(i), restB = b.slice(i);
    return restA.slice(1) === restB.slice(1) || restA === restB.slice(1) || restA.slice(1) === restB ||
      (restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2));
  };
  const corrected = (part) => {
    if (!/^[a-z][a-z0-9_]{2,}$/.test(part)) return part;
    if (!words) {
      words = new Map();
      for (const { head, body } of sections) {
        for (const [word] of `${head} ${body}`.matchAll(/[a-z][a-z0-9_]{2,}/g)) words.set(word, (words.get(word) || 0) + 1);
      }
    }
    let best = part, most = 0;
    for (const [word, n] of words) {
      if (n > most && (near(part, word) || (word.length > part.length && near(part, word.slice(0, part.length))))) {
        best = word;
        most = n;
      }
    }
    return best;
  };

  // -> { pages: [{ title, href, accent, hits: [section] }], parts, instead }
  const search = (query) => {
    const phrase = normal(query.trim());
    if (!phrase) return { pages: [], parts: [], instead: "" };
    const parts = query.trim().split(/\s+/).map(normal).filter(Boolean);
    let used = [phrase], found = matching(used), instead = "";
    if (!found.length && parts.length > 1) found = matching(used = parts);
    if (!found.length) {
      const fixed = parts.map((part) => (sections.some((s) => s.body.includes(part) || s.head.includes(part)) ? part : corrected(part)));
      if (fixed.join() !== parts.join()) {
        found = matching(used = [normal(fixed.join(" "))]);
        if (!found.length) found = matching(used = fixed);
        if (found.length) instead = fixed.join(" ");
      }
    }
    found.sort((a, b) => b.points - a.points);
    const pages = new Map();
    for (const { section } of found) {
      if (!pages.has(section.page)) pages.set(section.page, { title: section.pageTitle, accent: section.accent, hits: [] });
      pages.get(section.page).hits.push(section);
    }
    return { pages: [...pages.values()], parts: used, instead };
  };

  // The original text in which normalised `part` was found, whatever its case, width and spacing.
  const pattern = (part) => new RegExp([...part].map((char) => {
    const code = char.codePointAt(0);
    const wide = code > 32 && code < 127 ? String.fromCodePoint(code + 0xfee0) : "";
    const plain = char.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
    return char === " " ? "\\s+" : wide ? `[${plain}${wide}]` : plain;
  }).join("\\s*"), "iu");
  const marked = (text, parts, limit) => {
    const line = document.createDocumentFragment();
    const hits = parts.map((part) => pattern(part).exec(text)).filter(Boolean).sort((a, b) => a.index - b.index);
    const start = hits.length && limit ? Math.max(0, hits[0].index - 24) : 0;
    const end = limit ? Math.min(text.length, start + limit) : text.length;
    let at = start;
    if (start > 0) line.append("…");
    for (const hit of hits) {
      if (hit.index < at || hit.index >= end) continue;
      const mark = document.createElement("mark");
      mark.textContent = hit[0];
      line.append(text.slice(at, hit.index), mark);
      at = hit.index + hit[0].length;
    }
    line.append(text.slice(at, Math.max(at, end)));
    if (end < text.length) line.append("…");
    return line;
  };
  const element = (name, className, ...children) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...children);
    return made;
  };

  const SHOWN = 3;
  const render = (query, root, into) => {
    const { pages, parts, instead } = search(query);
    into.replaceChildren();
    if (!query.trim()) return;
    const said = pages.length ? `${pages.length} 页` : "没有找到。换一个词，或只写其中两三个字。";
    into.append(element("p", "search-count", instead ? `没有找到原词，下面是“${instead}”的结果：${said}` : said));
    for (const { title, accent, hits } of pages) {
      const list = element("ul", "");
      const item = (section) => {
        const link = element("a", "");
        link.href = root + section.href;
        const line = section.text.split("\n").find((row) => parts.some((part) => normal(row).includes(part)));
        link.append(element("span", "search-where", marked(section.first ? title : section.title, parts, 0)));
        if (line) link.append(element("span", "search-text", marked(line, parts, 90)));
        return element("li", "", link);
      };
      for (const section of hits.slice(0, SHOWN)) list.append(item(section));
      const block = element("section", "search-page", element("h2", "", title), list);
      block.dataset.part = accent;
      if (hits.length > SHOWN) {
        const more = element("button", "search-more", `本页还有 ${hits.length - SHOWN} 处`);
        more.type = "button";
        more.addEventListener("click", () => { more.remove(); for (const section of hits.slice(SHOWN)) list.append(item(section)); });
        block.append(more);
      }
      into.append(block);
    }
  };

  load(window.studyguidePages);
  return { search, render, normal };
})();
