// Shows a figure larger, over the page. Without this script the link around
// it opens the picture itself.

const dialog = document.createElement("dialog");
const picture = document.createElement("img");
const close = document.createElement("button");
dialog.className = "atlas-enlarged";
dialog.setAttribute("aria-label", "Enlarged figure");
close.type = "button";
close.textContent = "Close";
dialog.append(close, picture);
document.body.append(dialog);
// Wherever one clicks; Escape, and where the focus returns to, are native.
dialog.addEventListener("click", () => dialog.close());

document.querySelectorAll(".atlas-enlarge").forEach((link) => {
  link.setAttribute("aria-haspopup", "dialog");
  link.addEventListener("click", (event) => {
    // Asked for a new tab, it stays a link.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    picture.alt = link.querySelector("img").alt;
    picture.src = link.href;
    dialog.showModal();
  });
});
