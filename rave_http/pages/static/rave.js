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
  // Dragging over a chart in a frame chooses that time in the form of the page around it; its fields do the same by keyboard.
  const plot = document.querySelector("svg[data-start]");
  const form = plot && parent !== window ? parent.document.querySelector("form.asking") : null;
  if (form && form.querySelector("#from")) {
    const drawn = plot.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
    drawn.setAttribute("height", "300");
    const at = event => {
      const box = plot.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    };
    const moment = share => {
      const start = Number(plot.dataset.start), end = Number(plot.dataset.end);
      return new Date((start + share * (end - start)) * 1000).toISOString().slice(0, 19) + "Z";
    };
    let begun = null;
    plot.addEventListener("pointerdown", event => { begun = at(event); plot.setPointerCapture(event.pointerId); });
    plot.addEventListener("pointermove", event => {
      if (begun === null) return;
      const now = at(event);
      drawn.setAttribute("x", String(Math.min(begun, now) * 1000));
      drawn.setAttribute("width", String(Math.abs(now - begun) * 1000));
    });
    plot.addEventListener("pointerup", event => {
      const now = at(event), first = Math.min(begun, now), last = Math.max(begun, now);
      begun = null;
      if (last - first < 0.01) return;
      form.querySelector("#from").value = moment(first);
      form.querySelector("#to").value = moment(last);
      form.requestSubmit();
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
