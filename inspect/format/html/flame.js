/* flame.js: the flame graph of an alloctop profile. Reads #profile: { title, facts, types, default, frames, samples, notes };
 * builds one tree of frames, and draws the part that is zoomed into. All names come from a target: they only ever become text
 * nodes (textContent), never markup. */
"use strict";

const ROW = 20, NARROW = 0.5, TABLE = 100;
const profile = JSON.parse(document.getElementById("profile").textContent);
const $ = (id) => document.getElementById(id);

/* Paul Tol's light scheme: told apart with any kind of colour vision, and dark text is legible on all of them. */
const PALETTE = ["#77aadd", "#ee8866", "#eedd88", "#ffaabb", "#99ddff", "#44bb99", "#bbcc33", "#aaaa00"];
const REST = "#cfd2d6", MORE = "#ee8866", LESS = "#77aadd";
const WORDS = { inuse_space: "Live bytes", inuse_objects: "Live objects", alloc_space: "Allocated bytes", alloc_objects: "Allocated objects" };

const state = { type: profile.default, zoom: null, flame: false, query: "" };

/* ---- the tree ---- */

function makeNode(frame, parent) {
	const zeros = () => profile.types.map(() => 0);
	return { frame, parent, child: new Map(), lines: new Set(), self: zeros(), net: zeros(), width: zeros(), variance: zeros(), hit: false };
}

function add(node, sample) {
	for (let t = 0; t < profile.types.length; t++) {
		node.net[t] += sample.values[t];
		node.width[t] += Math.abs(sample.values[t]);
		node.variance[t] += sample.variances[t];
	}
}

/* A sample's stack is frame, line, frame, line, ... from the root; line 0 is unknown. */
function makeTree() {
	const root = makeNode(-1, null);
	for (const sample of profile.samples) {
		let node = root;
		add(node, sample);
		for (let i = 0; i < sample.stack.length; i += 2) {
			let next = node.child.get(sample.stack[i]);
			if (!next) node.child.set(sample.stack[i], next = makeNode(sample.stack[i], node));
			if (sample.stack[i + 1]) next.lines.add(sample.stack[i + 1]);
			add(node = next, sample);
		}
		for (let t = 0; t < profile.types.length; t++) node.self[t] += sample.values[t];
	}
	return root;
}

const root = makeTree();
const isDifference = profile.samples.some((s) => s.values.some((v) => v < 0));
const frameOf = (node) => node.frame < 0 ? { name: "all", file: "", module: "" } : profile.frames[node.frame];

/* ---- words ---- */

function amount(v, type) {
	const bytes = profile.types[type].unit === "bytes", base = bytes ? 1024 : 1000;
	const units = profile.types[type].unit === "nanoseconds" ? [" ns", " µs", " ms", " s"] : bytes ? [" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"] : ["", " k", " M", " G", " T", " P", " E"];
	let i = 0, a = Math.abs(v);
	while (a >= 999.5 && i < units.length - 1) { a /= base; i++; }
	const digits = i === 0 ? (a > 0 && a < 9.95 && a % 1 > 0.05 ? 1 : 0) : a < 9.995 ? 2 : a < 99.95 ? 1 : 0;
	return (v < 0 ? "\u2212" : "") + a.toFixed(digits) + units[i];
}

const share = (part, whole) => (whole ? (100 * part / whole).toFixed(2) : "0").replace("-", "\u2212") + " %";
const error = (variance, type) => variance > 0 ? "± " + amount(Math.sqrt(variance), type) : "";

function place(node) {
	const f = frameOf(node), lines = [...node.lines].sort((a, b) => a - b);
	if (!f.file) return "";
	return f.file + (lines.length ? ":" + lines.slice(0, 4).join(", ") + (lines.length > 4 ? ", …" : "") : "");
}

function element(name, text, className) {
	const e = document.createElement(name);
	if (text !== undefined) e.textContent = text;
	if (className) e.className = className;
	return e;
}

/* ---- colours ---- */

/* Modules by what they hold, the heaviest first; the ninth and later share one grey. */
function moduleColours() {
	const weight = new Map();
	(function visit(node) {
		const m = frameOf(node).module || "";
		if (node.frame >= 0) weight.set(m, (weight.get(m) || 0) + node.width[profile.default]);
		node.child.forEach(visit);
	})(root);
	const names = [...weight.keys()].filter((m) => m).sort((a, b) => weight.get(b) - weight.get(a));
	return new Map(names.map((m, i) => [m, PALETTE[i] || REST]));
}

const colours = moduleColours();

/* Neighbours of one module differ a little in lightness, always the same for one name. */
function tint(colour, name) {
	let h = 7;
	for (let i = 0; i < name.length; i++) h = (h * 31 + name.charCodeAt(i)) & 0xffff;
	const keep = 1 - (h % 5) * 0.08;
	const mix = (i) => Math.round(parseInt(colour.substr(1 + 2 * i, 2), 16) * keep + 255 * (1 - keep));
	return `rgb(${mix(0)},${mix(1)},${mix(2)})`;
}

function colourOf(node) {
	if (node.frame < 0) return REST;
	if (isDifference) return node.net[state.type] > 0 ? MORE : node.net[state.type] < 0 ? LESS : REST;
	const f = frameOf(node);
	return tint(colours.get(f.module) || REST, f.name);
}

function drawLegend() {
	const rows = isDifference ? [["more than before", MORE], ["less than before", LESS]] : [...colours].slice(0, PALETTE.length);
	if (!isDifference && colours.size > PALETTE.length) rows.push(["other modules", REST]);
	$("legend").replaceChildren(...rows.map(([name, colour]) => {
		const item = element("li"), box = element("i");
		box.style.background = colour;
		item.append(box, document.createTextNode(name.replace(/^.*\//, "")));
		item.title = name;
		return item;
	}));
}

/* ---- the graph ---- */

const SVG = "http://www.w3.org/2000/svg";
const letter = (() => {
	const c = document.createElement("canvas").getContext("2d");
	c.font = "12px " + getComputedStyle(document.documentElement).getPropertyValue("--mono");
	return c.measureText("M".repeat(50)).width / 50 || 7.3;
})();

function label(text, width) {
	const n = Math.floor((width - 8) / letter);
	return n >= text.length ? text : n < 3 ? "" : text.slice(0, n - 1) + "…";
}

/* What is to be seen: rows of { node, x, w, depth }. What is zoomed into fills the width, and so does all it stands on. */
function layout(width) {
	const seen = [], t = state.type, above = [];
	for (let n = state.zoom.parent; n; n = n.parent) above.unshift(n);
	above.forEach((node, depth) => seen.push({ node, x: 0, w: width, depth, above: true }));
	const stack = [{ node: state.zoom, x: 0, w: width, depth: above.length }];
	while (stack.length) {
		const at = stack.pop();
		seen.push(at);
		let x = at.x;
		const children = [...at.node.child.values()].sort((a, b) => b.width[t] - a.width[t]);
		for (const node of children) {
			const w = at.w * node.width[t] / at.node.width[t];
			if (!(w >= NARROW)) break;
			stack.push({ node, x, w, depth: at.depth + 1 });
			x += w;
		}
	}
	return seen;
}

function drawFrame(box, rows) {
	const g = document.createElementNS(SVG, "g"), rect = document.createElementNS(SVG, "rect");
	const y = (state.flame ? rows - 1 - box.depth : box.depth) * ROW, text = label(frameOf(box.node).name, box.w);
	rect.setAttribute("x", box.x.toFixed(2));
	rect.setAttribute("y", y);
	rect.setAttribute("width", (box.w - (box.w > 3 ? 1 : 0.2)).toFixed(2));
	rect.setAttribute("height", ROW - 1);
	rect.setAttribute("rx", box.w > 6 ? 2.5 : 0);
	rect.setAttribute("fill", colourOf(box.node));
	g.append(rect);
	if (text) {
		const t = document.createElementNS(SVG, "text");
		t.setAttribute("x", (box.x + 4).toFixed(2));
		t.setAttribute("y", y + 14);
		t.textContent = text;
		g.append(t);
	}
	g.setAttribute("class", (box.above ? "above " : "") + (box.node.hit ? "hit" : ""));
	g.node = box.node;
	return g;
}

function drawGraph() {
	const graph = $("graph"), width = Math.max(graph.parentNode.clientWidth, 200);
	const none = !state.zoom.width[state.type];
	const seen = none ? [] : layout(width);
	const rows = seen.reduce((most, box) => Math.max(most, box.depth + 1), 0);
	graph.setAttribute("height", rows * ROW);
	graph.setAttribute("viewBox", `0 0 ${width} ${Math.max(rows * ROW, 1)}`);
	graph.classList.toggle("searching", state.query !== "");
	graph.replaceChildren(...seen.map((box) => drawFrame(box, rows)));
	$("empty").hidden = !none;
	$("empty").textContent = "Nothing recorded for " + typeName(state.type).toLowerCase() + ".";
}

/* ---- around it ---- */

const typeName = (t) => WORDS[profile.types[t].name] || profile.types[t].name;

function drawHead() {
	$("title").textContent = profile.title;
	$("facts").textContent = profile.facts;
	$("total").textContent = amount(root.net[state.type], state.type);
	$("error").textContent = error(root.variance[state.type], state.type);
	for (const b of $("types").children) b.setAttribute("aria-checked", b.type_ === state.type);
	for (const b of $("ways").children) b.setAttribute("aria-checked", b.flame === state.flame);
	$("reset").disabled = state.zoom === root && !state.query;
}

function drawPath() {
	const names = [];
	for (let n = state.zoom; n; n = n.parent) names.unshift(frameOf(n).name);
	const last = element("b", names.pop()), t = state.type;
	$("path").replaceChildren(document.createTextNode(names.slice(-4).map((s) => s + " › ").join("")), last,
		document.createTextNode(`  ${amount(state.zoom.net[t], t)}, ${share(state.zoom.width[t], root.width[t])} of all`));
	$("path").hidden = state.zoom === root;
}

function drawMatched() {
	const t = state.type;
	let sum = 0;
	const visit = (node) => { if (node.hit) sum += node.width[t]; else node.child.forEach(visit); };
	visit(state.zoom);
	$("matched").textContent = state.query ? `${amount(sum, t)} matched, ${share(sum, state.zoom.width[t])}` : "";
}

/* Self and total of each function below the zoom; a function that calls itself is counted once. */
function functions() {
	const t = state.type, rows = new Map(), open = new Map();
	(function visit(node) {
		const name = frameOf(node).name;
		if (node.frame >= 0) {
			let r = rows.get(name);
			if (!r) rows.set(name, r = { name, self: 0, total: 0, variance: 0 });
			if (node.self[t]) r.self += node.self[t];
			if (!open.get(name)) r.total += node.net[t];
			let below = 0;
			node.child.forEach((c) => { below += c.variance[t]; });
			r.variance += Math.max(node.variance[t] - below, 0);
		}
		open.set(name, (open.get(name) || 0) + 1);
		node.child.forEach(visit);
		open.set(name, open.get(name) - 1);
	})(state.zoom);
	return [...rows.values()].filter((r) => r.self || r.total)
		.sort((a, b) => Math.abs(b.self) - Math.abs(a.self) || Math.abs(b.total) - Math.abs(a.total));
}

function drawFunctions() {
	const t = state.type, whole = state.zoom.width[t], all = functions();
	$("functions").replaceChildren(...all.slice(0, TABLE).map((r) => {
		const row = element("tr"), name = element("td", r.name, "name");
		name.style.setProperty("--share", Math.min(100 * Math.abs(r.self) / (whole || 1), 100) + "%");
		row.append(element("td", amount(r.self, t), r.self ? "" : "soft"), element("td", r.self ? error(r.variance, t).slice(2) : "", "soft"),
			element("td", share(r.self, whole), "soft"),
			element("td", amount(r.total, t)), element("td", share(r.total, whole), "soft"), name);
		row.addEventListener("click", () => { $("search").value = r.name; search(r.name); scrollTo(0, 0); });
		return row;
	}));
	$("more").textContent = all.length > TABLE ? `and ${all.length - TABLE} more with less` : "";
}

function draw() {
	drawHead();
	drawPath();
	drawMatched();
	drawGraph();
	drawFunctions();
	$("tip").hidden = true;
}

/* ---- what the reader does ---- */

function search(text) {
	state.query = text.trim().toLowerCase();
	const hits = profile.frames.map((f) => state.query !== "" && [f.name, f.file, f.module].some((s) => s.toLowerCase().includes(state.query)));
	(function visit(node) {
		node.hit = node.frame >= 0 && hits[node.frame];
		node.child.forEach(visit);
	})(root);
	draw();
}

function zoom(node) {
	state.zoom = node;
	draw();
}

function reset() {
	$("search").value = "";
	state.zoom = root;
	search("");
}

function showTip(event) {
	const g = event.target.closest("g"), tip = $("tip");
	tip.hidden = !g;
	if (!g) return;
	const node = g.node, f = frameOf(node), t = state.type;
	const lines = [[`${amount(node.net[t], t)} ${error(node.variance[t], t)}`, "amount"],
		[`${share(node.width[t], root.width[t])} of all` + (state.zoom === root ? "" : `, ${share(node.width[t], state.zoom.width[t])} of what is shown`)],
		[node.self[t] ? `${amount(node.self[t], t)} in itself` : ""], [place(node)], [f.module]];
	tip.replaceChildren(element("b", f.name), ...lines.filter(([s]) => s).map(([s, c]) => element("span", s, c)));
	const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
	const under = event.clientY + 18, y = under + tip.offsetHeight < innerHeight ? under : event.clientY - tip.offsetHeight - 10;
	tip.style.left = Math.max(x, 4) + "px";
	tip.style.top = Math.max(y, 4) + "px";
}

function makeChoices() {
	const order = Object.keys(WORDS), rank = (t) => { const i = order.indexOf(profile.types[t].name); return i < 0 ? order.length : i; };
	const button = (text, key, value, click) => {
		const b = element("button", text);
		b.type = "button";
		b.setAttribute("role", "radio");
		b[key] = value;
		b.addEventListener("click", click);
		return b;
	};
	const types = profile.types.map((_, t) => t).sort((a, b) => rank(a) - rank(b));
	$("types").append(...types.map((t) => button(typeName(t), "type_", t, () => { state.type = t; draw(); })));
	$("ways").append(...[["Icicle", false], ["Flame", true]].map(([s, v]) => button(s, "flame", v, () => { state.flame = v; draw(); })));
}

function start() {
	state.zoom = root;
	makeChoices();
	drawLegend();
	$("notes").hidden = !profile.notes.length;
	$("comments").append(...profile.notes.map((s) => element("li", s)));
	$("graph").addEventListener("click", (e) => { const g = e.target.closest("g"); if (g) zoom(g.node); });
	$("graph").addEventListener("mousemove", showTip);
	$("graph").addEventListener("mouseleave", () => { $("tip").hidden = true; });
	$("search").addEventListener("input", (e) => search(e.target.value));
	$("reset").addEventListener("click", reset);
	addEventListener("resize", drawGraph);
	addEventListener("keydown", (e) => {
		if (e.key === "Escape") { reset(); $("search").blur(); }
		else if (e.key === "/" && e.target !== $("search")) { e.preventDefault(); $("search").focus(); }
	});
	draw();
}

start();
