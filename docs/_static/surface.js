// Draws the surfaces of a page, to be turned by hand. Each figure carries its
// vertices (16-bit; left, up and forward of the animal) and its triangles.

const SIDES = [["left", "right"], ["superior", "inferior"],
               ["anterior", "posterior"]];
const START = { yaw: 0.35, pitch: 0.45, zoom: 1.2 };
const LAMP = [0.5, 0.65, 0.57];
const SHADES = Array.from({ length: 64 },
                          (_, n) => `hsl(24 55% ${12 + n}%)`);
const KEYS = [
  ["ArrowLeft", "←", "Turn left"], ["ArrowRight", "→", "Turn right"],
  ["ArrowUp", "↑", "Turn up"], ["ArrowDown", "↓", "Turn down"],
  ["+", "+", "Zoom in"], ["-", "−", "Zoom out"],
  ["Home", "Home", "Begin again"],
];

function decode(text, type) {
  return new type(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}

// One normal for each triangle: the mean of those of its corners, which are
// means of the triangles around them. It hides how few triangles there are.
function normalsOf(vertices, triangles) {
  const atCorner = new Float32Array(vertices.length);
  const normals = new Float32Array(triangles.length);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [0, 1, 2].map((k) => 3 * triangles[t + k]);
    const [p, q] = [b, c].map((corner) =>
      [0, 1, 2].map((i) => vertices[corner + i] - vertices[a + i]));
    for (let i = 0; i < 3; i++) {
      const [j, k] = [(i + 1) % 3, (i + 2) % 3];
      for (const v of [a, b, c]) atCorner[v + i] += p[j] * q[k] - p[k] * q[j];
    }
  }
  for (let t = 0; t < triangles.length; t += 3) {
    for (const v of triangles.subarray(t, t + 3)) {
      const part = atCorner.subarray(3 * v, 3 * v + 3);
      const length = Math.hypot(...part) || 1;
      for (let i = 0; i < 3; i++) normals[t + i] += part[i] / length / 3;
    }
  }
  return normals;
}

function show(figure) {
  const vertices = decode(figure.dataset.vertices, Int16Array);
  const triangles = decode(figure.dataset.triangles, Uint16Array);
  const normals = normalsOf(vertices, triangles);
  const turned = new Float32Array(vertices.length);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const state = { ...START };
  let waiting = false;

  function draw() {
    waiting = false;
    const side = Math.round(canvas.clientWidth * window.devicePixelRatio);
    const [width, height] = [side, Math.round(side * 0.7)];
    Object.assign(canvas, { width, height });  // and wiped
    const [sy, cy] = [Math.sin(state.yaw), Math.cos(state.yaw)];
    const [sp, cp] = [Math.sin(state.pitch), Math.cos(state.pitch)];
    const rows = [[cy, 0, sy], [sp * sy, cp, -sp * cy],
                  [-cp * sy, sp, cp * cy]];
    const lamp = [0, 1, 2].map((i) => LAMP[0] * rows[0][i] +
      LAMP[1] * rows[1][i] + LAMP[2] * rows[2][i]);
    const half = (state.zoom * height) / 2 / 32767;
    for (let v = 0; v < vertices.length; v += 3) {
      for (let i = 0; i < 3; i++) {
        turned[v + i] = half * (rows[i][0] * vertices[v] +
          rows[i][1] * vertices[v + 1] + rows[i][2] * vertices[v + 2]);
      }
    }
    const facing = [];
    for (let t = 0; t < triangles.length; t += 3) {
      const [a, b, c] = [0, 1, 2].map((k) => 3 * triangles[t + k]);
      const across = (turned[b] - turned[a]) * (turned[c + 1] - turned[a + 1]);
      const back = (turned[c] - turned[a]) * (turned[b + 1] - turned[a + 1]);
      if (across > back) {
        const depth = turned[a + 2] + turned[b + 2] + turned[c + 2];
        const light = normals[t] * lamp[0] + normals[t + 1] * lamp[1] +
          normals[t + 2] * lamp[2];
        facing.push({ a, b, c, depth, light });
      }
    }
    facing.sort((one, other) => one.depth - other.depth);
    context.translate(width / 2, height / 2);
    context.scale(1, -1);
    for (const { a, b, c, light } of facing) {
      const shade = SHADES[Math.round(63 * Math.max(0, 0.35 + 0.65 * light))];
      context.fillStyle = context.strokeStyle = shade;
      context.beginPath();
      for (const v of [a, b, c]) context.lineTo(turned[v], turned[v + 1]);
      context.closePath();
      context.fill();
      context.stroke();  // no seams between triangles
    }
    const names = SIDES.map((pair, i) => [pair[rows[2][i] < 0 ? 1 : 0],
                                          Math.abs(rows[2][i])])
      .filter(([, share]) => share > 0.3).sort((p, q) => q[1] - p[1]);
    figure.querySelector("output").value =
      `Seen from ${names.map(([name]) => name).join(", ")}.`;
  }

  function redraw() {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }

  function act(key) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1],
                   ArrowDown: [0, 1] }[key];
    if (step) turn(step[0] * Math.PI / 12, step[1] * Math.PI / 12);
    else if (key === "+" || key === "=") state.zoom *= 1.25;
    else if (key === "-") state.zoom /= 1.25;
    else if (key === "Home") Object.assign(state, START);
    else return false;
    state.zoom = Math.min(8, Math.max(0.5, state.zoom));
    redraw();
    return true;
  }

  function turn(yaw, pitch) {
    state.yaw += yaw;
    state.pitch = Math.min(1.57, Math.max(-1.57, state.pitch + pitch));
    redraw();
  }

  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label",
    `Surface of ${figure.dataset.name}. Arrow keys turn it, ` +
    "plus and minus zoom, Home begins again.");
  canvas.addEventListener("keydown", (event) => {
    const plain = !(event.ctrlKey || event.altKey || event.metaKey);
    if (plain && act(event.key)) event.preventDefault();
  });
  canvas.addEventListener("pointerdown", (event) =>
    canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    turn(event.movementX * 0.01, event.movementY * 0.01);
  });
  const buttons = document.createElement("div");
  for (const [key, sign, label] of KEYS) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: sign, title: label });
    button.setAttribute("aria-label", label);
    button.addEventListener("click", () => act(key));
    buttons.append(button);
  }
  figure.prepend(canvas, buttons);
  figure.hidden = false;
  new ResizeObserver(redraw).observe(canvas);
}

document.querySelectorAll(".atlas-surface").forEach(show);
