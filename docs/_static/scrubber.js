// Moves through the pictures of a page by a slider. They are fetched when a
// reader comes near it; without this script the middle one stays.

const PACE = 125;  // milliseconds for a picture

function scrub(figure) {
  const [shown, slider, output, button] = ["img", "input", "output", "button"]
    .map((name) => figure.querySelector(name));
  const names = figure.dataset.frames.split(" ");
  const folder = shown.getAttribute("src").replace(/[^/]*$/, "");
  const places = names.map((name) =>
    name.replace(/^0+(?=\d)|\.png$/g, "").replace("_", " "));
  const held = [];
  let playing = null;

  function fetchAll() {
    if (held.length) return;
    for (const name of names) {
      held.push(Object.assign(new Image(), { src: folder + name }));
    }
  }

  function show() {
    const n = Number(slider.value);
    fetchAll();
    shown.src = folder + names[n];
    shown.alt = `The picture at ${places[n]}, one of ${names.length}.`;
    output.value = places[n];
    slider.setAttribute("aria-valuetext", places[n]);
  }

  function pause() {
    clearInterval(playing);
    playing = null;
    button.textContent = "Play";
  }

  function step() {
    slider.valueAsNumber += 1;
    show();
    if (slider.value === slider.max) pause();
  }

  function play() {
    if (slider.value === slider.max) slider.value = 0;
    show();
    button.textContent = "Pause";
    playing = setInterval(step, PACE);
  }

  figure.addEventListener("pointerover", fetchAll);
  figure.addEventListener("focusin", fetchAll);
  slider.addEventListener("input", () => { pause(); show(); });
  button.addEventListener("click", () => playing ? pause() : play());
}

document.querySelectorAll(".atlas-scrubber").forEach(scrub);
