// Show the cards that have what is ticked, and say so in the address.
const form = document.querySelector(".atlas-filter");
const output = form.querySelector("output");
const cards = [...document.querySelectorAll(".sphx-glr-thumbcontainer")];

function show() {
  const asked = new URLSearchParams(new FormData(form));
  const facets = [...new Set(asked.keys())];
  for (const card of cards) {
    card.hidden = !facets.every((facet) =>
      card.dataset[facet].split(" ").some((tag) => asked.getAll(facet).includes(tag))
    );
  }
  for (const section of document.querySelectorAll("article section section")) {
    const own = cards.filter((card) => section.contains(card));
    section.hidden = own.length > 0 && own.every((card) => card.hidden);
    for (const link of document.querySelectorAll(`a[href="#${section.id}"]`)) {
      (link.closest("li") ?? link).hidden = section.hidden;
    }
  }
  const shown = cards.filter((card) => !card.hidden).length;
  output.textContent = facets.length
    ? `${shown} of ${cards.length} examples`
    : `${cards.length} examples`;
  form.querySelector("button").hidden = !facets.length;
  const query = facets.length ? `?${asked}` : location.pathname;
  history.replaceState(null, "", query + location.hash);
}

for (const [facet, tag] of new URLSearchParams(location.search)) {
  const box = form.querySelector(
    `[name="${CSS.escape(facet)}"][value="${CSS.escape(tag)}"]`
  );
  if (box) box.checked = true;
}
form.addEventListener("change", show);
form.addEventListener("reset", () => setTimeout(() => {
  show();
  form.querySelector("input").focus();
}));
form.addEventListener("submit", (event) => event.preventDefault());
show();
