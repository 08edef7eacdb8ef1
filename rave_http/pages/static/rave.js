// What makes pages handier. Everything works without it.
"use strict";
(() => {
  const copied = (button, text) => {
    const before = button.textContent;
    navigator.clipboard.writeText(text).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = before; }, 1500);
    }, () => {});
  };
  if (navigator.clipboard) {
    document.querySelectorAll("[data-copy]").forEach(button => {
      button.hidden = false;
      button.addEventListener("click", () => copied(button, document.getElementById(button.dataset.copy).textContent));
    });
    document.querySelectorAll("a[data-copy-link]").forEach(link => {
      link.textContent = "Copy link: " + link.textContent.toLowerCase();
      link.addEventListener("click", event => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        copied(link, link.href);
      });
    });
  }
  const words = seconds => {
    if (seconds < 60) return Math.ceil(seconds) + " s";
    const minutes = Math.ceil(seconds / 60);
    if (minutes < 60) return minutes + " min";
    if (minutes < 2880) return Math.floor(minutes / 60) + " h" + (minutes % 60 ? " " + minutes % 60 + " min" : "");
    return Math.round(minutes / 1440) + " d";
  };
  const clocks = [...document.querySelectorAll("[data-until]")];
  const tick = () => {
    for (const clock of clocks) {
      const left = Number(clock.dataset.until) - Date.now() / 1000;
      clock.textContent = left > 0 ? words(left) : "no longer: it has expired";
    }
  };
  if (clocks.length) setInterval(tick, 1000);
})();
