// Fetches what a search needs when somebody begins one, not on every page.

if (location.protocol === "file:") {
  // A page on a disk may not read another to quote from it.
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

if (DOCUMENTATION_OPTIONS.search_as_you_type) {
  const here = document.currentScript.src;
  let asked = null;

  function fetchScripts({ target }) {
    let typed = target.value;
    target.addEventListener("input", () => { typed = target.value; });
    const files = ["searchtools.js", "language_data.js", "../searchindex.js"];
    const [tools, , index] = files.map((file) => {
      const script = document.createElement("script");
      script.src = new URL(file, here);
      script.async = false;
      document.head.append(script);
      return script;
    });
    // Sphinx's tools fill the field from the page's address when they come.
    tools.addEventListener("load", () => { target.value = typed; });
    index.addEventListener("load", () => {
      if (asked) Search.performSearch(asked);
    });
  }

  // Sphinx's own takes this place when it comes.
  window.Search = { performSearch(words) { asked = words; } };
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector("#pst-search-dialog input")
      .addEventListener("focus", fetchScripts, { once: true });
  });
}
