"use strict";
// Draws the figures, sorts and filters the tables, and opens a number to what stands behind it. Fetches nothing.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const say = data.say;
  const byId = id => document.getElementById(id);
  document.body.classList.add("js");
  const country = byId("country"), mineral = byId("mineral");

  // -- figures: drawn when they come near, so that the page opens at once
  const plain = { displaylogo: false, responsive: true, scrollZoom: false, locale: "en",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "toImage", "autoScale2d"] };
  const shown = new Set();
  const chosenIn = spec => {
    const own = new Set(spec.data.map(t => t.meta && t.meta.mineral).filter(Boolean));
    return own.has(mineral.value) ? mineral.value : spec.mineral;
  };
  // Of the traces those of the mineral chosen; a country's shape is held once for all maps. `pick` is what a click on it chooses.
  const narrowed = spec => spec.data.filter(trace => !(trace.meta && trace.meta.mineral) || trace.meta.mineral === chosenIn(spec)).map(trace => {
    const t = { ...trace, meta: undefined, visible: true };
    const code = country.value, about = trace.meta || {};
    if (about.shape) [t.x, t.y] = data.shapes[about.shape];
    if (about.code && code) t.opacity = about.code === code ? 1 : 0.35;
    if (about.by === "country") t.pick = about.code ? [about.code] : trace.ids;
    if (code && trace.ids && trace.meta && trace.meta.by !== "good" && trace.marker) {
      const hit = trace.ids.map(id => id.split(" ").includes(code));
      if (hit.some(Boolean)) {
        t.marker = { ...trace.marker, opacity: hit.map(h => h ? 1 : 0.25) };
      }
    }
    delete t.ids;
    return t;
  });
  // Room for the figures beside the bars, which Plotly does not leave by itself: as much as the longest of them takes.
  const roomy = (traces, layout, plot) => {
    const ends = {}, letters = {};
    traces.filter(t => (t.type === "bar" && t.orientation === "h") || (t.mode === "text" && typeof (t.y || [])[0] === "string")).forEach(t => {
      const name = (t.xaxis || "x").replace("x", "xaxis");
      const far = t.error_x || {};
      ends[name] = [0, 0, ...(ends[name] || []), ...t.x, ...(far.array || []).map((by, k) => t.x[k] + by), ...(far.arrayminus || []).map((by, k) => t.x[k] - by)];
      letters[name] = Math.max(letters[name] || 0, ...[].concat(t.text || "").map(text => String(text).length));
    });
    for (const [name, values] of Object.entries(ends)) {
      const low = Math.min(...values), high = Math.max(...values);
      const taken = Math.min(0.55, 6.6 * letters[name] / (0.68 * plot.clientWidth)), pad = taken / (1 - taken) * (high - low || 1);
      if (!(layout[name] || {}).range) {
        layout[name] = { ...layout[name], range: [low < 0 ? low - pad : low, high > 0 ? high + pad : high] };
      }
    }
  };
  const broken = (text, room = 17) => {
    const lines = [""];
    String(text).split(" ").forEach(word => {
      if (lines.at(-1) && (lines.at(-1) + " " + word).length > room) lines.push(word);
      else lines[lines.length - 1] += (lines.at(-1) ? " " : "") + word;
    });
    return lines.join("<br>");
  };
  const isMap = traces => traces.some(t => t.fill === "toself");
  const narrow = (traces, layout, plot) => {
    layout.font = { ...layout.font, size: 10.5 };
    layout.margin = { ...layout.margin, l: 4, r: 10 };
    const long = traces.some(t => t.y && t.y.some(v => typeof v === "string" && v.length > 34));
    if (long) layout.height = Math.round(layout.height * 1.35);
    const map = isMap(traces);
    if (map) layout.height = Math.round(plot.clientWidth * 0.47) + layout.margin.b;
    traces.forEach(t => {
      if (map && t.mode === "text") t.visible = false;
      if (map && t.line && !t.fill) t.line = { ...t.line, width: t.line.width / 2 };
      if (map && t.marker) {
        t.mode = "markers";
        const size = t.marker.size, part = plot.clientWidth / 960;
        t.marker = { ...t.marker, size: Array.isArray(size) ? size.map(s => Math.max(3, s * part)) : Math.max(5, size * part) };
      }
      if (t.y && typeof t.y.find(v => v !== null) === "string") t.y = t.y.map(v => v === null ? v : broken(v));
    });
    Object.keys(layout).filter(name => name.startsWith("xaxis") && layout[name].title && layout[name].title.text).forEach(name => {
      layout[name] = { ...layout[name], title: { ...layout[name].title, text: broken(layout[name].title.text, 30) } };
    });
    if (layout.yaxis && layout.yaxis.ticktext) layout.yaxis = { ...layout.yaxis, ticktext: layout.yaxis.ticktext.map(name => broken(name)) };
    if (layout.yaxis && layout.yaxis.categoryarray) layout.yaxis = { ...layout.yaxis, categoryarray: layout.yaxis.categoryarray.map(name => broken(name)) };
  };
  // A click on a country's shape, mark or bar picks it; a second one lets it go.
  const pickBy = plot => {
    plot.listens = true;
    plot.on("plotly_click", event => {
      const point = event.points[0], codes = plot.picks[point.curveNumber];
      if (!codes) return;
      const code = (codes.length === 1 ? codes[0] : codes[point.pointNumber] || "").split(" ")[0];
      if (![...country.options].some(one => one.value === code)) return;
      country.value = country.value === code ? "" : code;
      choose();
    });
  };
  const draw = plot => {
    const spec = data.specs[plot.dataset.figure];
    const layout = { ...spec.layout };
    if (spec.heights) layout.height = spec.heights[chosenIn(spec)] || layout.height;
    Object.entries((spec.axes || {})[chosenIn(spec)] || {}).forEach(([name, own]) => { layout[name] = { ...layout[name], ...own }; });
    const traces = narrowed(spec), small = plot.clientWidth < 560;
    roomy(traces, layout, plot);
    if (small) narrow(traces, layout, plot);
    plot.style.minHeight = `${layout.height}px`;
    const picks = traces.map(t => { const codes = t.pick; delete t.pick; return codes; });
    plot.picks = picks;
    Plotly.react(plot, traces, layout, plain).then(() => {
      if (!plot.listens) pickBy(plot);
      plot.querySelectorAll(".modebar-btn").forEach(b => b.setAttribute("aria-label", b.dataset.title || ""));
    });
    shown.add(plot);
  };
  const near = new IntersectionObserver(seen => seen.forEach(one => {
    if (one.isIntersecting && !shown.has(one.target)) draw(one.target);
  }), { rootMargin: "600px" });
  document.querySelectorAll(".plot").forEach(plot => near.observe(plot));

  document.querySelectorAll("a.svg").forEach(a => { a.href = a.closest("figure").querySelector(".still img").src; });

  // -- tables
  const amount = cell => cell.dataset.v === undefined ? cell.textContent.trim().toLowerCase() : parseFloat(cell.dataset.v);
  const sort = (table, k, th) => {
    const up = th.getAttribute("aria-sort") === "descending";
    table.querySelectorAll("th[aria-sort]").forEach(other => other.setAttribute("aria-sort", "none"));
    th.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const x = amount(a.cells[k]), y = amount(b.cells[k]);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
    });
    table.tBodies[0].append(...rows);
  };
  const filter = table => {
    const words = (table.dataset.filter || "").toLowerCase();
    let left = 0;
    for (const row of table.tBodies[0].rows) {
      const codes = (row.dataset.countries || "").split(" ");
      const mine = !country.value || !row.dataset.countries || codes.includes(country.value);
      const good = !mineral.value || !row.dataset.mineral || row.dataset.mineral === mineral.value;
      const text = !words || row.textContent.toLowerCase().includes(words);
      row.hidden = !(good && text && (mine || table.dataset.keep === "all"));
      row.classList.toggle("chosen", Boolean(country.value) && codes.includes(country.value));
      left += row.hidden ? 0 : 1;
    }
    const count = table.closest("details").querySelector(".count");
    if (count) count.textContent = say.rows.replace("{n}", left);
  };
  const csv = table => {
    const quote = text => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    const cell = c => quote(c.dataset.v === undefined ? c.textContent.trim() : c.dataset.v);
    const rows = [...table.rows].filter(row => !row.hidden).map(row => [...row.cells].filter(c => !c.classList.contains("open")).map(cell).join(","));
    return "\ufeff" + rows.join("\r\n") + "\r\n";
  };
  document.querySelectorAll("table.figures").forEach(table => {
    [...table.tHead.rows[0].cells].forEach((th, k) => {
      const button = th.querySelector("button");
      if (button) button.addEventListener("click", () => sort(table, k, th));
    });
    const box = table.closest("details");
    box.querySelector("input").addEventListener("input", event => { table.dataset.filter = event.target.value; filter(table); });
    box.querySelector(".csv").addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv" }));
      link.download = `${table.dataset.name}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  });

  // -- what stands behind a number
  const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  const link = source => {
    const item = element("li", "");
    item.append([source.publisher, source.title, source.year].filter(Boolean).join(", "));
    if (/^https?:/.test(source.url || "")) {
      const a = element("a", source.url);
      a.href = source.url;
      a.rel = "noreferrer";
      item.append(" ", a);
    }
    return item;
  };
  const listed = (items, make) => {
    const list = document.createElement("ul");
    items.forEach(one => list.append(make(one)));
    return list;
  };
  const linesOf = (codes, goods) => {
    let rows = [];
    codes.forEach(code => (data.lines[code] || []).forEach(line => rows.push([code, ...line])));
    if (goods.length) rows = rows.filter(row => goods.includes(row[2]));
    return rows.sort((a, b) => Math.abs(b[3]) - Math.abs(a[3]));
  };
  const usd = value => new Intl.NumberFormat(data.lang, { maximumFractionDigits: 0, signDisplay: "exceptZero" }).format(value);
  const open = button => {
    const row = button.closest("tr"), table = button.closest("table");
    const body = byId("why-body");
    body.replaceChildren();
    const codes = (row.dataset.countries || "").split(" ").filter(Boolean);
    const goods = (row.dataset.goods || "").split(" ").filter(Boolean);
    byId("why-title").textContent = [...row.cells].filter(c => c.tagName === "TH" || !c.classList.contains("n") && !c.classList.contains("open")).map(c => c.textContent.trim()).filter(Boolean).join(" · ");
    const figures = document.createElement("dl");
    [...row.cells].forEach((c, k) => {
      if (!c.classList.contains("n")) return;
      figures.append(element("dt", table.tHead.rows[0].cells[k].textContent.trim()), element("dd", c.textContent.trim()));
    });
    body.append(figures, element("h3", say.equation));
    body.append(listed(table.dataset.equations.split(" ").filter(Boolean), key => element("li", data.equations[key])));
    const lines = linesOf(codes, goods);
    if (lines.length) {
      body.append(element("h3", say.lines));
      const total = lines.reduce((sum, line) => sum + line[3], 0);
      const kept = lines.slice(0, 12), rest = lines.slice(12).reduce((sum, line) => sum + line[3], 0);
      body.append(listed(kept, ([code, item, good, value, low, high]) =>
        element("li", `${data.countries[code] || code}, ${data.items[item] || item}${good ? ", " + (data.goods[good] || good) : ""}: ${usd(value)}`
          + (low === undefined ? "" : ` (${say.range.replace("{low}", usd(low)).replace("{high}", usd(high))})`))));
      if (lines.length > 12) body.append(element("p", say.rest.replace("{n}", lines.length - 12).replace("{usd}", usd(rest))));
      body.append(element("p", say.sum.replace("{usd}", usd(total))));
    }
    const clauses = data.clauses.filter(c => c.goods.length === 0 || !goods.length || c.goods.some(g => goods.includes(g)));
    body.append(element("h3", say.clauses));
    body.append(listed(clauses, c => {
      const item = element("li", "");
      const a = element("a", c.id);
      a.href = `#clause-${c.id}`;
      a.addEventListener("click", () => byId("why").close());
      item.append(a, c.article ? `, ${c.article}` : "", c.illustrative ? ` – ${say.illustrative}` : "");
      return item;
    }));
    const named = new Set((goods.length ? goods : []).flatMap(g => data.good_sources[g] || []));
    codes.flatMap(c => data.country_sources[c] || []).forEach(s => { if (!goods.length) named.add(s); });
    if (named.size) {
      body.append(element("h3", say.sources));
      body.append(listed([...named].filter(s => data.sources[s]), s => link(data.sources[s])));
    }
    byId("why").showModal();
  };
  document.addEventListener("click", event => {
    const button = event.target.closest("button.why");
    if (button) open(button);
  });
  byId("why-close").addEventListener("click", () => byId("why").close());

  // -- the choices
  const choose = () => {
    document.querySelectorAll("table.figures").forEach(filter);
    shown.forEach(draw);
    const said = [country.value && country.selectedOptions[0].textContent, mineral.value && mineral.selectedOptions[0].textContent].filter(Boolean);
    byId("said").textContent = said.length ? say.chosen.replace("{what}", said.join(", ")) : "";
  };
  country.addEventListener("change", choose);
  mineral.addEventListener("change", choose);
  document.querySelectorAll("table.figures").forEach(filter);
  if (country.value || mineral.value) choose();
})();
